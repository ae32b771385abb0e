"""Metrics of runs on families of worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from equilibria.agents.meta_representation.settings import PopulationReturnSettings


class PopulationReturn:
    """Mean team reward per step of fresh episodes, by number of agents.

    Cost: the solver's ``evaluation_worlds`` episodes per population; adapted ones add the episodes of adaptation.

    Args:
        settings: Which populations.
        adapted: After few-shot adaptation instead of zero-shot.
    """

    unit: str = "team reward per step"
    direction: Literal["lower", "higher", "none"] = "higher"

    def __init__(self, settings: PopulationReturnSettings, *, adapted: bool) -> None:
        self.name = "adapted_return" if adapted else "population_return"
        self._settings, self._adapted = settings, adapted

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the value by number of agents."""
        sizes = self._settings.agents or list(view.game.populations)
        return {str(n): float(view.solver.evaluate(n, adapted=self._adapted).mean()) for n in sizes}


def population_return(settings: PopulationReturnSettings) -> PopulationReturn:
    """Build the zero-shot metric."""
    return PopulationReturn(settings, adapted=False)


def adapted_return(settings: PopulationReturnSettings) -> PopulationReturn:
    """Build the few-shot metric."""
    return PopulationReturn(settings, adapted=True)
