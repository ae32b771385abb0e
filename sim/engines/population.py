"""Population engine: drives a compiled world and records its metrics and its agents.

Unit: the period.  The engine advances the world from one recording point to the next with one
compiled call; recording points are the multiples of each metric's or table's ``every`` and, for
metrics, the last period of the budget.  Splitting a run into other chunks changes no number because
worlds count their random numbers by period.

Overhead: one world call, one comparison per metric and table between two recording points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import EngineContext, Metric, MetricSpec, PopulationGame, Recorder, State, TableSpec
from equilibria.sim.errors import InvalidValue, UnknownName, UnsupportedGame, did_you_mean
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, IntArray

AGENTS = "agents"


@dataclass(frozen=True, slots=True)
class PopulationView:
    """What a metric of a population sees.

    Attributes:
        game: The world.
        period: Period the state belongs to.
    """

    game: Any
    period: int

    def columns(self) -> Mapping[str, AnyArray]:
        """Return the per-agent columns [N] by name, read-only."""
        return self.game.columns()  # type: ignore[no-any-return]

    def column(self, name: str) -> AnyArray:
        """Return one column [N].

        Raises:
            UnknownName: If the world has no such column; the message lists the ones it has.
        """
        columns = self.columns()
        if name not in columns:
            raise UnknownName(f"the world has no column {name!r}; {did_you_mean(name, columns, 'column')}")
        return columns[name]


class PopulationEngine:
    """A population run in progress; implements ``sim.contract.Engine``.

    Args:
        game: The world.
        metrics: Metrics with their recording intervals.
        tables: Wide tables with their intervals and samples: ``agents``, and what the world's ``table_names`` lists
            (rows of ``table(name)``, columns without ``unit``; only ``agents`` is sampled).
        budget: Number of periods.

    Raises:
        UnknownName: If a table is not offered.
        InvalidValue: If an interval, a sample or the budget is out of range.
    """

    unit: ClassVar[str] = "period"
    tables: ClassVar[tuple[str, ...]] = (AGENTS,)

    def __init__(
        self,
        game: PopulationGame,
        *,
        metrics: Sequence[tuple[Metric, int]] = (),
        tables: Sequence[TableSpec] = (),
        budget: int,
    ) -> None:
        self._game = game
        self._metrics = tuple(metrics)
        self._tables = tuple(tables)
        self._budget = budget
        self._done = 0
        self._recorded = -1  # last period whose recording is done
        self._rows: IntArray | None = None
        self._check()

    def start(self, seeds: SeedTree) -> None:
        """Draw the initial state and the sample of agents."""
        self._game.reset(seeds.child("game"))
        self._done, self._recorded = 0, -1
        self._rows = self._draw_sample(seeds)

    def advance(self, n: int, out: Recorder) -> int:
        """Do up to ``n`` periods; return how many were done, 0 at the end of the budget."""
        if self._recorded < self._done:
            self._record(out)
        last = min(self._done + n, self._budget)
        begun = self._done
        while self._done < last:
            target = min(last, self._next_point())
            self._game.run(self._done + 1, target - self._done)
            self._done = target
            self._record(out)
        return self._done - begun

    def save(self) -> State:
        """Return the world's state, the period and the sampled agents."""
        arrays: dict[str, AnyArray] = {} if self._rows is None else {"rows": self._rows}
        own = State(arrays, {"period": self._done, "recorded": self._recorded})
        return own.nested("engine").merged(self._game.save().nested("game"))

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        own = state.part("engine")
        self._done, self._recorded = _whole(own.meta["period"]), _whole(own.meta["recorded"])
        self._rows = np.asarray(own.arrays["rows"], np.int64) if "rows" in own.arrays else None
        self._game.load(state.part("game"))

    def certificate(self) -> Certificate:
        """Return the world's certificate for its present state."""
        return self._game.certificate()

    def _check(self) -> None:
        if self._budget < 0:
            raise InvalidValue(f"run.budget must be at least 0 periods, got {self._budget}")
        offered = (*self.tables, *getattr(self._game, "table_names", ()))
        for spec in self._tables:
            if spec.name not in offered:
                hint = did_you_mean(spec.name, offered, "table")
                raise UnknownName(f"a population run has no table {spec.name!r}; {hint}")
            if spec.sample is not None and spec.name != AGENTS:
                raise InvalidValue(f"tables.{spec.name} cannot be sampled; leave sample out")
            if spec.sample is not None and spec.sample < 1:
                raise InvalidValue(f"tables.{spec.name}.sample must be at least 1 agent, got {spec.sample}")
        for name, every in [(m.name, every) for m, every in self._metrics] + [(t.name, t.every) for t in self._tables]:
            if every < 1:
                raise InvalidValue(f"{name}.every must be at least 1 period, got {every}")

    def _draw_sample(self, seeds: SeedTree) -> IntArray | None:
        """Return the sorted numbers of the sampled agents, ``None`` for all; later newcomers are not sampled."""
        wanted = [t.sample for t in self._tables if t.sample is not None]
        if not wanted or min(wanted) >= self._game.agents:
            return None
        drawn = seeds.child("sample").generator().choice(self._game.agents, min(wanted), replace=False)
        return np.sort(self._ids()[drawn])

    def _next_point(self) -> int:
        """Return the first period after the present one at which something is recorded."""
        steps = [every for _, every in self._metrics] + [t.every for t in self._tables]
        return min((self._budget, *((self._done // every + 1) * every for every in steps)))

    def _record(self, out: Recorder) -> None:
        view = PopulationView(self._game, self._done)
        for metric, every in self._metrics:
            if self._done % every == 0 or self._done == self._budget:
                _record_metric(out, metric, view)
        for table in self._tables:
            if self._done % table.every == 0:
                out.table(table.name, self._agent_rows() if table.name == AGENTS else self._rows_of(table.name))
        self._recorded = self._done

    def _ids(self) -> IntArray:
        """Return the agents' numbers; worlds whose agents come and go have ``agent_ids``, ascending."""
        ids = getattr(self._game, "agent_ids", None)
        return np.arange(self._game.agents, dtype=np.int64) if ids is None else np.asarray(ids(), np.int64)

    def _rows_of(self, name: str) -> dict[str, AnyArray]:
        """Return the rows of a table of the world."""
        columns: Mapping[str, AnyArray] = self._game.table(name)  # type: ignore[attr-defined]
        size = len(next(iter(columns.values()), ()))
        return {"unit": np.full(size, self._done, np.int64), **columns}

    def _agent_rows(self) -> dict[str, AnyArray]:
        ids = self._ids()
        rows = None if self._rows is None else np.flatnonzero(np.isin(ids, self._rows, assume_unique=True))
        agents = ids if rows is None else ids[rows]
        columns: dict[str, AnyArray] = {"unit": np.full(agents.size, self._done, np.int64), "agent": agents}
        for name, values in self._game.columns().items():
            columns[name] = values if rows is None else values[rows]
        return columns


def _record_metric(out: Recorder, metric: Metric, view: PopulationView) -> None:
    value = metric.compute(view)
    if isinstance(value, Mapping):
        for key, entry in value.items():
            out.metric(metric.name, view.period, entry, key)
    else:
        out.metric(metric.name, view.period, value)


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise InvalidValue(f"a saved population run must hold whole numbers of periods, found {value!r}")
    return value


def build(context: EngineContext) -> PopulationEngine:
    """Build the engine of a plan.

    Worlds that host agents or mechanisms have ``attach(agents, mechanisms)``; others need
    ``agents: []``.

    Raises:
        UnsupportedGame: If the game is no population world or cannot host the agents named.
        UnknownName: If a metric needs a column that the world does not have.
    """
    game = context.game
    if not hasattr(game, "agents") or not callable(getattr(game, "columns", None)):
        raise UnsupportedGame(f"game {context.game_plugin.name!r} is no population world (it has no per-agent columns)")
    if context.agents or context.mechanisms:
        _attach(context)
    metrics = [(_build_metric(spec, game), spec.every) for spec in context.metrics]
    return PopulationEngine(game, metrics=metrics, tables=context.tables, budget=context.budget)


def _attach(context: EngineContext) -> None:
    attach = getattr(context.game, "attach", None)
    if attach is None:
        names = [a.plugin.name for a in context.agents] + ["a mechanism"] * bool(context.mechanisms)
        raise UnsupportedGame(
            f"game {context.game_plugin.name!r} hosts no agents or mechanisms, got {', '.join(names)}; "
            "its agents follow the rules of the world: write agents: [] and no mechanisms"
        )
    attach(context.agents, context.mechanisms)


def _build_metric(spec: MetricSpec, game: Any) -> Metric:
    metric: Metric = spec.plugin.load()(spec.settings)
    known = getattr(game, "column_names", None)
    for column in getattr(metric, "columns", ()):
        if known is not None and column not in known:
            hint = did_you_mean(column, known, "column")
            raise UnknownName(
                f"metric {metric.name!r} needs the column {column!r}, which the game does not have; {hint}"
            )
    return metric
