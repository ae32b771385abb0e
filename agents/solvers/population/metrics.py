"""Metrics of population solvers: sizes, supports and the distance of the training mixture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equilibria.agents.solvers.population.psro import PSRO
from equilibria.sim.errors import Unsupported
from equilibria.sim.plugin import Settings

_MASS = 1e-6


@dataclass(frozen=True, slots=True)
class PopulationMetric:
    """A number about the populations of a PSRO run."""

    name: str
    measure: Callable[[PSRO], Mapping[str, float]]
    unit: str
    direction: Literal["lower", "higher", "none"] = "none"

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the numbers by key."""
        if not isinstance(view.solver, PSRO):
            raise Unsupported(f"metric {self.name!r} needs the solver 'psro', got {type(view.solver).__name__}")
        return self.measure(view.solver)


def policies(settings: Settings) -> PopulationMetric:
    """Build the metric: policies per player."""
    return PopulationMetric("policies", lambda s: {str(p): float(k) for p, k in enumerate(s.meta.sizes)}, "policies")


def support(settings: Settings) -> PopulationMetric:
    """Build the metric: policies per player with more than 1e-6 of the evaluation mixture."""
    return PopulationMetric("support", _support, "policies")


def train_gap(settings: Settings) -> PopulationMetric:
    """Build the metric: NashConv (CE or CCE gap) of the last training mixture; none before the first iteration."""
    return PopulationMetric("train_gap", _train_gap, "game payoff", "lower")


def oracle_shortfall(settings: Settings) -> PopulationMetric:
    """Build the metric: what trained responses earn less than exact ones, by player; none for exact oracles."""
    return PopulationMetric("oracle_shortfall", _shortfall, "game payoff", "lower")


def _shortfall(solver: PSRO) -> Mapping[str, float]:
    return {str(p): float(value) for p, value in enumerate(solver.oracle_shortfall)}


def _support(solver: PSRO) -> Mapping[str, float]:
    return {str(p): float(np.count_nonzero(m > _MASS)) for p, m in enumerate(solver.meta_strategy().marginals)}


def _train_gap(solver: PSRO) -> Mapping[str, float]:
    return {"": solver.train_gap} if np.isfinite(solver.train_gap) else {}
