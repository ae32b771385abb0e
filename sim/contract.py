"""The kernel contract: what engines, games, solvers, agents, mechanisms and metrics promise.

The kernel drives a run through five calls of ``Engine`` and nothing else.  ``advance(n)`` is the
performance contract: one Python call, many compiled steps.  Splitting a run into other chunks must
never change a number: ``advance(3); advance(4)`` records exactly what ``advance(7)`` records.

Axes used below: B parallel worlds, N agents within a role, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from equilibria.sim.certificate import Certificate
from equilibria.sim.plugin import Plugin, Settings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, AnyArray


@dataclass(frozen=True, slots=True)
class State:
    """Everything needed to go on: arrays by name and JSON values, never pickles.

    Names are ``/``-separated paths; ``State.nested("solver", s)`` and ``state.part("solver")`` put a
    component's state under its own prefix.
    """

    arrays: Mapping[str, AnyArray] = field(default_factory=dict)
    meta: Mapping[str, JSON] = field(default_factory=dict)

    def nested(self, prefix: str) -> State:
        """Return the same state with every name put under ``prefix/``."""
        return State(
            {f"{prefix}/{k}": v for k, v in self.arrays.items()}, {f"{prefix}/{k}": v for k, v in self.meta.items()}
        )

    def part(self, prefix: str) -> State:
        """Return the entries under ``prefix/`` with the prefix removed."""
        cut = len(prefix) + 1
        return State(
            {k[cut:]: v for k, v in self.arrays.items() if k.startswith(f"{prefix}/")},
            {k[cut:]: v for k, v in self.meta.items() if k.startswith(f"{prefix}/")},
        )

    def merged(self, other: State) -> State:
        """Return the union of two states with disjoint names."""
        return State({**self.arrays, **other.arrays}, {**self.meta, **other.meta})


class Recorder(Protocol):
    """Where engines write: whole columns, never row dictionaries.

    The recorder copies what it is given, buffers it and commits it in parts whose boundaries depend
    on the recorded units alone, never on time.
    """

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        """Record one or many values of a metric.

        Args:
            name: Metric name.
            unit: int or int64 [R]: unit (iteration, period ...) each value belongs to, non-decreasing.
            value: float or float64 [R]; not-a-number raises ``NumericalError``.
            key: Sub-key, for example a player ``"0"``; empty for scalars.
        """
        ...

    def table(self, name: str, columns: Mapping[str, AnyArray]) -> None:
        """Append rows to a wide table.

        Args:
            name: Table name in snake_case.
            columns: Equal-length one-dimensional arrays; the first one is ``unit`` (int64,
                non-decreasing over calls).  Names and dtypes must not change during a run.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """A run in progress."""

    unit: ClassVar[str]

    def start(self, seeds: SeedTree) -> None:
        """Put the world at unit 0 and record what belongs to unit 0 at the first ``advance``."""
        ...

    def advance(self, n: int, out: Recorder) -> int:
        """Do up to ``n`` units, record, return the units done; 0 means finished (nothing left to do)."""
        ...

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        ...

    def load(self, state: State) -> None:
        """Restore a state made by ``save`` of an engine built from the same plan."""
        ...

    def certificate(self) -> Certificate:
        """Measure the distance of the present profile from equilibrium."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """One entry of ``agents:``: who plays which roles."""

    role: str
    plugin: Plugin
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One entry of ``metrics:``; recorded at units 0, every, 2*every, ... and at the last unit."""

    plugin: Plugin
    settings: Settings
    every: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """One entry of ``tables:``; a wide table the engine offers.

    Attributes:
        name: Table name; the engine's class attribute ``tables`` lists what it offers.
        every: Record at units 0, every, 2*every, ...
        sample: Number of agents (or rows) drawn once per run, ``None`` for all.
    """

    name: str
    every: int
    sample: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineContext:
    """What the kernel hands to an engine's build function.

    ``seeds`` is the run's seed tree (the same that ``Engine.start`` gets).  The game was built with
    its child ``game``; engines build agent i with ``child("agent", i)`` and keep ``child("engine")``.
    """

    game: Any
    game_plugin: Plugin
    game_settings: Settings
    agents: Sequence[AgentSpec]
    mechanisms: Sequence[Any]
    metrics: Sequence[MetricSpec]
    tables: Sequence[TableSpec]
    budget: int
    seeds: SeedTree
    threads: int


@runtime_checkable
class Metric(Protocol):
    """A number with a unit, computed from an engine's view of its state."""

    name: str
    unit: str
    direction: Literal["lower", "higher", "none"]

    def compute(self, view: Any) -> float | Mapping[str, float]:
        """Return the value, or values by key (for example per player)."""
        ...


@runtime_checkable
class Solver(Protocol):
    """An agent that owns one or more roles and improves its policy by steps."""

    @property
    def iteration(self) -> int:
        """Number of steps done."""
        ...

    def step(self, n: int = 1) -> None:
        """Do ``n`` iterations."""
        ...

    def policy(self) -> Any:
        """Return the output policy of the method (the average, for regret minimisers)."""
        ...

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        ...

    def load(self, state: State) -> None:
        """Restore a state made by ``save``."""
        ...

    def certificate(self) -> Certificate:
        """Measure how far the output policy is from equilibrium."""
        ...


@runtime_checkable
class Agent(Protocol):
    """Who acts: rules, learned policies, language agents."""

    def act(self, observation: AnyArray, mask: AnyArray | None, rng: np.random.Generator) -> AnyArray:
        """Choose actions for a batch of observations.

        Args:
            observation: [B, ...] observations.
            mask: bool [B, A] legal actions, or ``None`` when all are legal.
            rng: Source of randomness; the agent owns none.
        """
        ...


@runtime_checkable
class Mechanism(Protocol):
    """Rules a designer chooses: pure functions on arrays plus the invariants they claim."""

    def properties(self) -> Mapping[str, bool]:
        """Return the claims that the conformance suite tests, for example ``{"truthful": True}``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A kind of participant of a vector game.

    Attributes:
        count: Number of agents with this role in one world.
        observation: Shape of one observation.
        actions: Number of discrete actions, or 0 for continuous ones.
        action_shape: Shape [parts] of one action of several parts, empty for a single discrete one.
        choices: Options of every part of a multi-discrete action; empty when the parts are continuous.
        low: Lower bound of every part of a continuous action, empty for none.
        high: Upper bounds, likewise.
    """

    count: int
    observation: tuple[int, ...]
    actions: int
    action_shape: tuple[int, ...] = ()
    choices: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


class ActionRule(Protocol):
    """Which actions of several parts are legal, where the options of each part alone do not say it."""

    def legal(self, actions: AnyArray) -> AnyArray:
        """Return bool [K]: which of the actions int64 [K, parts], every part one of its options, are legal."""
        ...

    def refusal(self, action: AnyArray) -> str:
        """Say what is wrong with an illegal action int64 [parts] and what is expected; one clause, no full stop."""
        ...

    def draw(self, rng: np.random.Generator) -> AnyArray:
        """Draw a legal action int64 [parts]; every legal action has a chance."""
        ...


class VectorGame(Protocol):
    """A batch of worlds stepped together; leading axis B worlds, second axis N agents in a role."""

    backend: ClassVar[Literal["numba", "torch"]]
    roles: Mapping[str, Role]

    def reset(self, key: int, batch: int) -> Any:
        """Return the state of ``batch`` fresh worlds; world b depends on (key, b) only."""
        ...

    def step(self, state: Any, actions: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
        """Return the next state and rewards [B, N] per role."""
        ...

    def observe(self, state: Any, role: str) -> Any:
        """Return observations [B, N, ...] of a role."""
        ...

    def action_mask(self, state: Any, role: str) -> Any:
        """Return bool [B, N, A], or ``None`` when all actions are always legal."""
        ...


class PopulationGame(Protocol):
    """A world of up to 1e7 agents with compiled rules; its arrays are updated in place.

    Randomness is counter-based (``philox``), so results depend on (key, step, agent, draw) only,
    never on threads or on how steps are split into calls.
    """

    unit: ClassVar[str]

    @property
    def agents(self) -> int:
        """Number of agents."""
        ...

    def reset(self, seeds: SeedTree) -> None:
        """Draw the initial state."""
        ...

    def run(self, first: int, steps: int) -> None:
        """Perform steps ``first .. first + steps - 1`` in place (step 1 is the first one)."""
        ...

    def columns(self) -> Mapping[str, AnyArray]:
        """Return the per-agent columns [N] by name; views, read-only for callers."""
        ...

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        ...

    def load(self, state: State) -> None:
        """Restore a state made by ``save``."""
        ...

    def certificate(self) -> Certificate:
        """Measure the distance from the world's equilibrium or known law."""
        ...
