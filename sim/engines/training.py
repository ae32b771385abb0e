"""Training engine: learners in a vector game, one update at a time.

Unit: the update.  Agents that act without learning are the learners' opponents.  Several learners train
side by side, each in worlds of its own against the others' present policies; one update of the engine is
one update of each.  Metrics see a ``TrainingView``.

A learner satisfies ``sim.contract.Solver`` and offers ``latest`` (numbers of the last update by name),
``meet(opponents)`` and ``player()``; it may offer ``table_names`` and ``table(name)``.
Overhead: one call per update and one comparison per metric and table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import EngineContext, Metric, Recorder, State, TableSpec
from equilibria.sim.errors import InvalidValue, UnknownName, Unsupported, did_you_mean
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray

ALL = "all"


@dataclass(frozen=True, slots=True)
class TrainingView:
    """What a metric of a training run sees; made anew at every recording point.

    Attributes:
        game: The vector game.
        learners: Learner by role.
        iteration: Updates done.
        seeds: Seeds for metrics that play episodes.
        memo: Values shared by the metrics of one recording point, by name.
    """

    game: Any
    learners: Mapping[str, Any]
    iteration: int
    seeds: SeedTree
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def solver(self) -> Any:
        """The first learner."""
        return next(iter(self.learners.values()))


class TrainingEngine:
    """A training run in progress; implements ``sim.contract.Engine``.

    Args:
        game: The vector game.
        learners: Learner by role, ``"all"`` for one that owns every role.
        metrics: Metrics with their recording intervals.
        tables: Tables the learners offer, with their intervals and samples.
        budget: Number of updates.

    Raises:
        UnknownName: If no learner offers such a table.
        InvalidValue: If an interval or the budget is out of range.
    """

    unit: ClassVar[str] = "update"
    tables: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        game: Any,
        learners: Mapping[str, Any],
        *,
        metrics: Sequence[tuple[Metric, int]] = (),
        tables: Sequence[TableSpec] = (),
        budget: int,
    ) -> None:
        self._game, self._learners = game, dict(learners)
        self._metrics, self._tables = tuple(metrics), tuple(tables)
        self._budget = budget
        self._recorded = -1
        self._seeds = SeedTree(0)
        self._check()

    def start(self, seeds: SeedTree) -> None:
        """Begin at update 0; the learners were built there."""
        self._seeds, self._recorded = seeds, -1

    def advance(self, n: int, out: Recorder) -> int:
        """Do up to ``n`` updates; return how many were done, 0 at the end of the budget."""
        begun = self._done()
        if self._recorded < begun:
            self._record(out)
        last = min(begun + n, self._budget)
        while (now := self._done()) < last:
            stop = min(last, self._next_point(now))
            if len(self._learners) == 1:
                next(iter(self._learners.values())).step(stop - now)
            else:
                for _ in range(stop - now):  # in turns, so that each meets the others' newest policies
                    for learner in self._learners.values():
                        learner.step(1)
            self._record(out)
        return self._done() - begun

    def save(self) -> State:
        """Return the learners' states."""
        whole = State({}, {"recorded": self._recorded, "seed": self._seeds.seed, "path": list(self._seeds.path)})
        whole = whole.nested("engine")
        for role, learner in self._learners.items():
            whole = whole.merged(learner.save().nested(f"learner/{role}"))
        return whole

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        own = state.part("engine")
        recorded, seed, path = own.meta["recorded"], own.meta["seed"], own.meta["path"]
        if not isinstance(recorded, int) or not isinstance(seed, int) or not isinstance(path, list):
            raise InvalidValue(f"a saved training run must hold whole numbers, found {recorded!r}, {seed!r}, {path!r}")
        self._recorded, self._seeds = recorded, SeedTree(seed, tuple(int(str(p)) for p in path))
        for role, learner in self._learners.items():
            learner.load(state.part(f"learner/{role}"))

    def certificate(self) -> Certificate:
        """Return the learner's certificate; of several, the one that is farthest from its target."""
        found: list[Certificate] = [learner.certificate() for learner in self._learners.values()]
        return max(found, key=lambda c: abs(c.value - c.target))

    def _done(self) -> int:
        done = next(iter(self._learners.values())).iteration
        return int(done)

    def _check(self) -> None:
        if self._budget < 0:
            raise InvalidValue(f"run.budget must be at least 0 updates, got {self._budget}")
        for spec in self._tables:
            self._owner(spec.name)
        for name, every in [(m.name, every) for m, every in self._metrics] + [(t.name, t.every) for t in self._tables]:
            if every < 1:
                raise InvalidValue(f"{name}.every must be at least 1 update, got {every}")

    def _owner(self, table: str) -> Any:
        offered = {name: x for x in self._learners.values() for name in getattr(x, "table_names", ())}
        if table not in offered:
            raise UnknownName(f"the learners offer no table {table!r}; {did_you_mean(table, offered, 'table')}")
        return offered[table]

    def _next_point(self, now: int) -> int:
        steps = [every for _, every in self._metrics] + [t.every for t in self._tables]
        return min((self._budget, *((now // every + 1) * every for every in steps)))

    def _record(self, out: Recorder) -> None:
        now = self._done()
        view = TrainingView(self._game, self._learners, now, self._seeds.child("evaluation", now))
        for metric, every in self._metrics:
            if now % every == 0 or now == self._budget:
                value = metric.compute(view)
                pairs = value.items() if isinstance(value, Mapping) else [("", value)]
                for key, entry in pairs:
                    out.metric(metric.name, now, entry, key)
        for table in self._tables:
            if now % table.every == 0:
                self._record_table(out, table, now)
        self._recorded = now

    def _record_table(self, out: Recorder, spec: TableSpec, now: int) -> None:
        columns: Mapping[str, AnyArray] = self._owner(spec.name).table(spec.name)
        size = len(next(iter(columns.values()), ()))
        if spec.sample is not None and spec.sample < size:
            columns = {name: values[: spec.sample] for name, values in columns.items()}
            size = spec.sample
        out.table(spec.name, {"unit": np.full(size, now, np.int64), **columns})


def build(context: EngineContext) -> TrainingEngine:
    """Build the engine of a plan: at least one learner, and a player for every role.

    Raises:
        Unsupported: If nobody learns, a role has two agents, or mechanisms are named.
    """
    if context.mechanisms:
        raise Unsupported("the training engine takes no mechanisms")
    roles = [spec.role for spec in context.agents]
    if len(set(roles)) < len(roles) or (ALL in roles and len(roles) > 1):
        raise Unsupported(f"every role needs one agent, and role 'all' stands alone; got roles {roles}")
    made = {
        spec.role: spec.plugin.load()(
            spec.settings,
            game=context.game,
            roles=(spec.role,),
            seeds=context.seeds.child("agent", index),
            budget=context.budget,
        )
        for index, spec in enumerate(context.agents)
    }
    learners = {role: one for role, one in made.items() if hasattr(one, "step") and hasattr(one, "meet")}
    if not learners:
        raise Unsupported("the training engine needs an agent that learns; every agent here only acts")
    for role, learner in learners.items():
        seeds = context.seeds.child("opponents").child(role)
        learner.meet({other: learner.seat(one, seeds.child(other)) for other, one in made.items() if other != role})
    metrics: list[tuple[Metric, int]] = [(m.plugin.load()(m.settings), m.every) for m in context.metrics]
    return TrainingEngine(context.game, learners, metrics=metrics, tables=context.tables, budget=context.budget)
