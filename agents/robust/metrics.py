"""Metrics of the robust solvers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from equilibria.sim.plugin import NoSettings

Direction = Literal["lower", "higher", "none"]


class RobustValue:
    """Promise, exact worst case and nominal value of the present policy."""

    name: ClassVar[str] = "robust_value"
    unit: ClassVar[str] = "game payoff"
    direction: ClassVar[Direction] = "higher"

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return values by name."""
        solver = view.solver
        nominal = solver.game.nominal_value(solver.policy())
        return {"worst": solver.worst_value, "promised": solver.promised, "nominal": nominal}


class WorstCase:
    """Worst-case, promised and nominal value of deep IWOCS's candidate; nothing before the first model is solved."""

    name: ClassVar[str] = "worst_case"
    unit: ClassVar[str] = "discounted payoff"
    direction: ClassVar[Direction] = "higher"

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return values by name."""
        latest = view.solver.latest
        return {name: latest[name] for name in ("worst", "promised", "nominal", "models") if name in latest}


class AverageRegret:
    """Average regret to the best fixed policy."""

    name: ClassVar[str] = "average_regret"
    unit: ClassVar[str] = "reward per round"
    direction: ClassVar[Direction] = "lower"

    def compute(self, view: Any) -> float:
        """Return the regret so far."""
        return float(view.solver.regret())


class DesignMetric:
    """The designer's payoff and parameters."""

    name: ClassVar[str] = "design"
    unit: ClassVar[str] = "designer payoff; parameters by name"
    direction: ClassVar[Direction] = "none"

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return payoff (at the last temperature) and parameters by label."""
        solver = view.solver
        named = dict(zip(solver.game.labels, solver.parameters.tolist(), strict=True))
        return {"payoff": solver.look(solver.final_temperature).payoff, **named}


def robust_value(settings: NoSettings) -> RobustValue:
    """Build the metric."""
    return RobustValue()


def worst_case(settings: NoSettings) -> WorstCase:
    """Build the metric."""
    return WorstCase()


def average_regret(settings: NoSettings) -> AverageRegret:
    """Build the metric."""
    return AverageRegret()


def design(settings: NoSettings) -> DesignMetric:
    """Build the metric."""
    return DesignMetric()
