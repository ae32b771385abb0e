"""Metrics of population worlds; ``compute`` takes the population engine's view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from equilibria.games.population import measures
from equilibria.sim.plugin import NoSettings, Settings

Direction = Literal["lower", "higher", "none"]


class ColumnSettings(Settings):
    """Which per-agent column a metric reads."""

    column: str = Field(default="wealth", min_length=1, description="Per-agent column of the world")


class TopShareSettings(Settings):
    """Parameters of ``top_share``."""

    share: float = Field(
        default=0.1, gt=0.0, le=1.0, description="Richest part of the population, for example 0.1: top decile"
    )


class Gini:
    """Gini coefficient of a per-agent column, 0 (equal) .. 1."""

    name: str = "gini"
    unit: str = "ratio"
    direction: Direction = "none"

    def __init__(self, settings: ColumnSettings) -> None:
        self.columns = (settings.column,)

    def compute(self, view: Any) -> float:
        """Return the coefficient."""
        return measures.gini(view.column(self.columns[0]))


class MeanWealth:
    """Mean wealth; constant, because exchange conserves money."""

    name: str = "mean_wealth"
    unit: str = "money"
    direction: Direction = "none"
    columns = ("wealth",)

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> float:
        """Return total wealth over agents."""
        wealth = view.column("wealth")
        return int(wealth.sum(dtype=np.int64)) / int(wealth.size)


class TopShare:
    """Part of all wealth owned by the richest agents; the key is their share of the population."""

    name: str = "top_share"
    unit: str = "share of wealth"
    direction: Direction = "none"
    columns = ("wealth",)

    def __init__(self, settings: TopShareSettings) -> None:
        self._share = settings.share

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the share by key, for example ``{"0.1": 0.34}``."""
        return {f"{self._share:g}": measures.top_share(view.column("wealth"), self._share)}


class _WorldMetric:
    """A metric that the world itself computes, by the name of one of its methods."""

    name: str
    unit: str
    direction: Direction
    method: str

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> float:
        """Return the value of the present state."""
        return float(getattr(view.game, self.method)())


class SegregationIndex(_WorldMetric):
    """Mean share of like neighbours over the agents that have neighbours."""

    name = "segregation_index"
    unit = "share of neighbours"
    direction: Direction = "none"
    method = "segregation_index"
    columns = ("group",)


class UnhappyShare(_WorldMetric):
    """Share of agents with fewer like neighbours than they want."""

    name = "unhappy_share"
    unit = "share of agents"
    direction: Direction = "lower"
    method = "unhappy_share"
    columns = ("group",)


class Prevalence(_WorldMetric):
    """Share of agents that are infected now."""

    name = "prevalence"
    unit = "share of agents"
    direction: Direction = "lower"
    method = "prevalence"
    columns = ("state",)


class AttackRate(_WorldMetric):
    """Share of agents that were infected at least once, the first cases included."""

    name = "attack_rate"
    unit = "share of agents"
    direction: Direction = "lower"
    method = "attack_rate"
    columns = ("state",)
