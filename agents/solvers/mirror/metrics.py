"""Metric of quantal response runs: how far the policy is from the regularised equilibrium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from equilibria.sim.errors import Unsupported
from equilibria.sim.plugin import Settings


@dataclass(frozen=True, slots=True)
class RegularisedGap:
    """Largest regularised regret over infosets, or the regularised saddle gap in sequence form; 0 at the QRE."""

    name: str = "regularised_gap"
    unit: str = "game payoff"
    direction: Literal["lower", "higher", "none"] = "lower"

    def compute(self, view: Any) -> float:
        """Return the gap at the view's iteration."""
        gap = getattr(view.solver, "regularised_gap", None)
        if gap is None:
            raise Unsupported(f"metric {self.name!r} needs the solver 'mmd', got {type(view.solver).__name__}")
        return max(0.0, float(gap()))


def regularised_gap(settings: Settings) -> RegularisedGap:
    """Build the metric."""
    return RegularisedGap()
