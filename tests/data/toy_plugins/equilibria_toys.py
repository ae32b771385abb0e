"""Toy plugins for tests: a random walk world with every kind of part.  Descriptors and targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import EngineContext, Recorder, State
from equilibria.sim.plugin import Plugin, Settings
from equilibria.sim.seeds import SeedTree


class Ring(Settings):
    """A ring of cells."""

    shape: Literal["ring"] = Field(description="A ring.")
    cells: int = Field(default=8, ge=2, description="Number of cells.")


class Line(Settings):
    """A line of cells."""

    shape: Literal["line"] = Field(description="A line.")
    length: float = Field(default=1.0, gt=0, description="Length.")


class WalkSettings(Settings):
    """Settings of the walk."""

    walkers: int = Field(default=4, ge=1, le=1_000_000, description="Number of walkers.")
    drift: float = Field(default=0.0, ge=-1.0, le=1.0, description="Mean step.")
    kind: Literal["free", "bounded"] = Field(default="free", description="What happens at the border.")
    noisy: bool = Field(default=True, description="Draw steps at random.")
    names: tuple[str, ...] = Field(default=(), description="Names of walkers.")
    place: Annotated[Ring | Line, Field(discriminator="shape")] = Field(
        default=Ring(shape="ring"), description="Where they walk."
    )


class LearnerSettings(Settings):
    """Settings of the learner."""

    rate: float = Field(default=0.5, gt=0, le=1, description="Learning rate.")


class OtherSettings(Settings):
    """Settings of another learner."""

    depth: int = Field(default=3, ge=1, description="Search depth.")


class TaxSettings(Settings):
    """Settings of the tax."""

    share: float = Field(ge=0, le=1, description="Share taken.")


class Walk:
    """Positions of walkers."""

    def __init__(self, settings: WalkSettings, seeds: SeedTree) -> None:
        self.settings = settings
        self.seeds = seeds


class WalkEngine:
    """Moves walkers by one random step per period."""

    unit: ClassVar[str] = "period"

    def __init__(self, context: EngineContext) -> None:
        self.context = context
        self.key = int(context.seeds.child("engine").key())
        self.position = np.zeros(context.game.settings.walkers)
        self.done = 0

    def start(self, seeds: SeedTree) -> None:
        self.position[:] = 0.0
        self.done = 0

    def advance(self, n: int, out: Recorder) -> int:
        if self.done == 0:
            self._record(out)
        todo = min(n, self.context.budget - self.done)
        for _ in range(todo):
            self.done += 1
            rng = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence((self.key, self.done))))
            self.position += rng.normal(self.context.game.settings.drift, 1.0, self.position.size)
            self._record(out)
        return todo

    def _record(self, out: Recorder) -> None:
        for spec in self.context.metrics:
            if self.done % spec.every == 0 or self.done == self.context.budget:
                out.metric(spec.plugin.name, self.done, float(self.position.mean()))
        for table in self.context.tables:
            if self.done % table.every == 0:
                unit = np.full(self.position.size, self.done, np.int64)
                out.table(table.name, {"unit": unit, "position": self.position})

    def save(self) -> State:
        return State({"position": self.position.copy()}, {"done": self.done})

    def load(self, state: State) -> None:
        self.position = np.array(state.arrays["position"])
        self.done = int(state.meta["done"])  # type: ignore[arg-type]

    def certificate(self) -> Certificate:
        return Certificate(measure="drift", value=float(self.position.mean()), unit="cells", method="mean position")


class MeanMetric:
    """Mean position."""

    name = "toy_mean"
    unit = "cells"
    direction: Literal["lower", "higher", "none"] = "none"

    def compute(self, view: Any) -> float | Mapping[str, float]:
        return float(view.position.mean())


class FlatTax:
    """Takes a share."""

    def __init__(self, settings: TaxSettings) -> None:
        self.settings = settings

    def properties(self) -> Mapping[str, bool]:
        return {"budget_balanced": False}


def build_walk(settings: WalkSettings, *, seeds: SeedTree) -> Walk:
    """Build the game."""
    return Walk(settings, seeds)


def build_engine(context: EngineContext) -> WalkEngine:
    """Build the engine."""
    return WalkEngine(context)


def build_mean(settings: Settings) -> MeanMetric:
    """Build the metric."""
    return MeanMetric()


def build_tax(settings: TaxSettings) -> FlatTax:
    """Build the mechanism."""
    return FlatTax(settings)


def _plugin(kind: Any, name: str, target: str = "build_walk", **more: Any) -> Plugin:
    return Plugin(kind=kind, name=name, summary=f"Toy {kind}.", target=f"equilibria_toys:{target}", **more)


engine = _plugin("engine", "toy_engine", "build_engine")
other_engine = _plugin("engine", "toy_other_engine", "build_engine")
walk = _plugin("game", "toy_walk", settings=WalkSettings, engines=("toy_engine",), reference="Pearson (1905)")
homeless = _plugin("game", "toy_homeless")
needs_extra = _plugin("game", "toy_extra", requires="moon", modules=("no_such_module_here",))
learner = _plugin("agent", "toy_learner", settings=LearnerSettings, produces="agent")
other = _plugin("agent", "toy_other", settings=OtherSettings, produces="agent")
foreign = _plugin("agent", "toy_foreign", engines=("toy_other_engine",))
mean = _plugin("metric", "toy_mean", "build_mean", engines=("toy_engine",))
foreign_metric = _plugin("metric", "toy_foreign_metric", "build_mean", engines=("toy_other_engine",))
tax = _plugin("mechanism", "toy_tax", "build_tax", settings=TaxSettings)
not_a_plugin = 42
