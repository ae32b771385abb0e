"""Metrics of decision environments: numbers that the learner reports, under names with units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from equilibria.sim.plugin import NoSettings

Direction = Literal["lower", "higher", "none"]


class Reported:
    """A number that the learner itself reports, by its name in ``metrics()``."""

    name: str
    unit: str
    direction: Direction

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> float | Mapping[str, float]:
        """Return the number of the present iteration."""
        return view.solver.metrics()[self.name]  # type: ignore[no-any-return]


class Regret(Reported):
    """Optimal minus achieved value, summed over all episodes so far (exact values, no sampling)."""

    name = "regret"
    unit = "reward"
    direction: Direction = "lower"


class ValueGap(Reported):
    """Optimal value minus the exact value of the present policy."""

    name = "value_gap"
    unit = "reward per episode"
    direction: Direction = "lower"


class GapBound(Reported):
    """The learner's own upper bound on its value gap."""

    name = "gap_bound"
    unit = "reward per episode"
    direction: Direction = "lower"


class RewardPerStep(Reported):
    """Mean expected one-step reward."""

    name = "reward_per_step"
    unit = "reward per step"
    direction: Direction = "higher"


class SessionReturn(Reported):
    """Watch time, likes and shares per session of the present policy, valued on the grid of fatigue."""

    name = "session_return"
    unit = "reward per session"
    direction: Direction = "higher"
