"""Extensive engine: drives one solver of a game and records metrics and tables of its policy.

Unit: the iteration.  The engine knows neither games nor solvers: it steps an object that satisfies
``sim.contract.Solver`` from one recording point to the next and hands metrics a view of game and
solver, so it hosts every finite game whose solver owns all roles (trees, matrix games, meta-games).

A solver may offer more than the contract asks:

- ``table_names`` and ``table(name)``: wide tables (columns without ``unit``) for ``tables:``;
- ``use_threads(n)``: the run's number of threads.

Overhead: one solver call and one comparison per metric and table between two recording points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import EngineContext, Metric, Recorder, Solver, State, TableSpec
from equilibria.sim.errors import InvalidValue, PluginError, UnknownName, Unsupported, did_you_mean
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, IntArray

ROLE = "all"


@dataclass(frozen=True, slots=True)
class SolverView:
    """What a metric of a solver run sees; made anew at every recording point.

    Attributes:
        game: The game.
        solver: The solver.
        iteration: Iterations done.
        memo: Values shared by the metrics of one recording point, by name.
    """

    game: Any
    solver: Any
    iteration: int
    memo: dict[str, Any] = field(default_factory=dict)


class ExtensiveEngine:
    """A solver run in progress; implements ``sim.contract.Engine``.

    Args:
        game: The game.
        solver: Its solver.
        metrics: Metrics with their recording intervals.
        tables: Tables the solver offers, with their intervals and samples.
        budget: Number of iterations.

    Raises:
        UnknownName: If the solver offers no such table.
        InvalidValue: If an interval, a sample or the budget is out of range.
    """

    unit: ClassVar[str] = "iteration"
    tables: ClassVar[tuple[str, ...]] = ("policy",)

    def __init__(
        self,
        game: Any,
        solver: Solver,
        *,
        metrics: Sequence[tuple[Metric, int]] = (),
        tables: Sequence[TableSpec] = (),
        budget: int,
    ) -> None:
        self._game, self._solver = game, solver
        self._metrics, self._tables = tuple(metrics), tuple(tables)
        self._budget = budget
        self._recorded = -1  # last iteration whose recording is done
        self._seeds = SeedTree(0)
        self._rows: dict[str, IntArray] = {}
        self._check()

    def start(self, seeds: SeedTree) -> None:
        """Begin at iteration 0; the solver was built there."""
        self._seeds, self._recorded, self._rows = seeds, -1, {}

    def advance(self, n: int, out: Recorder) -> int:
        """Do up to ``n`` iterations; return how many were done, 0 at the end of the budget."""
        begun = self._solver.iteration
        if self._recorded < begun:
            self._record(out)
        last = min(begun + n, self._budget)
        while (now := self._solver.iteration) < last:
            self._solver.step(min(last, self._next_point(now)) - now)
            if self._solver.iteration <= now:
                raise PluginError(f"solver {type(self._solver).__name__} did no iteration in step()")
            self._record(out)
        return self._solver.iteration - begun

    def save(self) -> State:
        """Return the solver's state and the sampled rows."""
        own = State(
            {f"rows/{name}": rows for name, rows in self._rows.items()},
            {"recorded": self._recorded, "seed": self._seeds.seed, "path": list(self._seeds.path)},
        )
        return own.nested("engine").merged(self._solver.save().nested("solver"))

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        own = state.part("engine")
        recorded, seed, path = own.meta["recorded"], own.meta["seed"], own.meta["path"]
        if not isinstance(recorded, int) or not isinstance(seed, int) or not isinstance(path, list):
            raise InvalidValue(f"a saved solver run must hold whole numbers, found {recorded!r}, {seed!r}, {path!r}")
        self._recorded, self._seeds = recorded, SeedTree(seed, tuple(int(str(p)) for p in path))
        self._rows = {k: np.asarray(v, np.int64) for k, v in own.part("rows").arrays.items()}
        self._solver.load(state.part("solver"))

    def certificate(self) -> Certificate:
        """Return the solver's certificate."""
        return self._solver.certificate()

    def _check(self) -> None:
        if self._budget < 0:
            raise InvalidValue(f"run.budget must be at least 0 iterations, got {self._budget}")
        offered = tuple(getattr(self._solver, "table_names", ()))
        for spec in self._tables:
            if spec.name not in offered:
                hint = did_you_mean(spec.name, offered, "table")
                raise UnknownName(f"solver {type(self._solver).__name__} offers no table {spec.name!r}; {hint}")
            if spec.sample is not None and spec.sample < 1:
                raise InvalidValue(f"tables.{spec.name}.sample must be at least 1 row, got {spec.sample}")
        for name, every in [(m.name, every) for m, every in self._metrics] + [(t.name, t.every) for t in self._tables]:
            if every < 1:
                raise InvalidValue(f"{name}.every must be at least 1 iteration, got {every}")

    def _next_point(self, now: int) -> int:
        """Return the first iteration after ``now`` at which something is recorded."""
        steps = [every for _, every in self._metrics] + [t.every for t in self._tables]
        return min((self._budget, *((now // every + 1) * every for every in steps)))

    def _record(self, out: Recorder) -> None:
        now = self._solver.iteration
        view = SolverView(self._game, self._solver, now)
        for metric, every in self._metrics:
            if now % every == 0 or now == self._budget:
                _record_metric(out, metric, view)
        for table in self._tables:
            if now % table.every == 0:
                self._record_table(out, table, now)
        self._recorded = now

    def _record_table(self, out: Recorder, spec: TableSpec, now: int) -> None:
        columns: Mapping[str, AnyArray] = self._solver.table(spec.name)  # type: ignore[attr-defined]
        size = len(next(iter(columns.values()), ()))
        if spec.sample is not None and spec.sample < size:
            rows = self._sampled(spec, size)
            columns = {name: values[rows] for name, values in columns.items()}
            size = len(rows)
        out.table(spec.name, {"unit": np.full(size, now, np.int64), **columns})

    def _sampled(self, spec: TableSpec, size: int) -> IntArray:
        """Return the rows of a sampled table, drawn once per run."""
        if spec.name not in self._rows:
            rng = self._seeds.child("table", self._tables.index(spec)).generator()
            self._rows[spec.name] = np.sort(rng.choice(size, spec.sample, replace=False)).astype(np.int64)
        rows = self._rows[spec.name]
        if rows[-1] >= size:
            raise InvalidValue(f"tables.{spec.name} cannot be sampled: its number of rows changes during the run")
        return rows


def _record_metric(out: Recorder, metric: Metric, view: SolverView) -> None:
    value = metric.compute(view)
    if isinstance(value, Mapping):
        for key, entry in value.items():
            out.metric(metric.name, view.iteration, entry, key)
    else:
        out.metric(metric.name, view.iteration, value)


def build(context: EngineContext) -> ExtensiveEngine:
    """Build the engine of a plan: exactly one agent, a solver that owns role ``all``.

    Raises:
        Unsupported: If the agents are not one solver for role ``all``, or mechanisms are named.
    """
    if len(context.agents) != 1 or context.agents[0].role != ROLE or context.mechanisms:
        roles = [a.role for a in context.agents]
        raise Unsupported(
            f"the extensive engine needs one solver with role 'all' and no mechanisms, got agents with roles {roles} "
            f"and {len(context.mechanisms)} mechanisms"
        )
    spec = context.agents[0]
    solver = spec.plugin.load()(
        spec.settings, game=context.game, roles=(ROLE,), seeds=context.seeds.child("agent", 0), budget=context.budget
    )
    if not isinstance(solver, Solver):
        raise Unsupported(f"agent {spec.plugin.name!r} is no solver (it has no step, policy and certificate)")
    use_threads = getattr(solver, "use_threads", None)
    if use_threads is not None:
        use_threads(context.threads)
    metrics: list[tuple[Metric, int]] = [(m.plugin.load()(m.settings), m.every) for m in context.metrics]
    return ExtensiveEngine(context.game, solver, metrics=metrics, tables=context.tables, budget=context.budget)
