"""Descriptors of the population worlds and their metrics."""

from __future__ import annotations

from typing import Literal

from equilibria.games.population.metrics import ColumnSettings, ModelValueSettings, StatisticSettings, TopShareSettings
from equilibria.games.population.settings import (
    ContagionSettings,
    SchellingSettings,
    WealthGridSettings,
    WealthSettings,
)
from equilibria.sim.mesa import MesaSettings
from equilibria.sim.plugin import Plugin

_HERE = "equilibria.games.population"
_ENGINES = ("population",)

wealth_exchange = Plugin(
    kind="game",
    name="wealth_exchange",
    summary="Agents give one unit of money to random others (no space)",
    target=f"{_HERE}.wealth:build_exchange",
    settings=WealthSettings,
    engines=_ENGINES,
    reference="Dragulescu and Yakovenko (2000), European Physical Journal B 17, 723",
)
wealth_grid = Plugin(
    kind="game",
    name="wealth_grid",
    summary="Agents walk on a torus and give one unit of money to others in their cell",
    target=f"{_HERE}.wealth:build_grid",
    settings=WealthGridSettings,
    engines=_ENGINES,
    reference="Dragulescu and Yakovenko (2000), European Physical Journal B 17, 723; grid variant",
)
schelling = Plugin(
    kind="game",
    name="schelling",
    summary="Agents leave cells with too few neighbours of their own group",
    target=f"{_HERE}.schelling:build",
    settings=SchellingSettings,
    engines=_ENGINES,
    reference="Schelling (1971), Journal of Mathematical Sociology 1, 143",
)
contagion = Plugin(
    kind="game",
    name="contagion",
    summary="A disease spreads over a network (SIS or SIR)",
    target=f"{_HERE}.contagion:build",
    settings=ContagionSettings,
    engines=_ENGINES,
    reference="Kermack and McKendrick (1927); Pastor-Satorras and Vespignani (2001), Physical Review Letters 86, 3200",
)
mesa_model = Plugin(
    kind="game",
    name="mesa_model",
    summary="Any mesa.Model class, by module:Class",
    target="equilibria.sim.mesa:build",
    settings=MesaSettings,
    engines=_ENGINES,
    requires="mesa",
    modules=("mesa",),
    reference="Mesa 3, https://mesa.readthedocs.io",
)


def _metric(name: str, attribute: str, summary: str, unit: str, direction: Literal["lower", "none"]) -> Plugin:
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{attribute}",
        engines=_ENGINES,
        unit=unit,
        direction=direction,
    )


gini = Plugin(
    kind="metric",
    name="gini",
    summary="Gini coefficient of a per-agent column, 0 (equal) .. 1",
    target=f"{_HERE}.metrics:Gini",
    settings=ColumnSettings,
    engines=_ENGINES,
    unit="ratio",
    direction="none",
)
top_share = Plugin(
    kind="metric",
    name="top_share",
    summary="Part of all wealth owned by the richest agents",
    target=f"{_HERE}.metrics:TopShare",
    settings=TopShareSettings,
    engines=_ENGINES,
    unit="share of wealth",
    direction="none",
)
column_statistic = Plugin(
    kind="metric",
    name="column_statistic",
    summary="Mean, sum, least, largest, spread or median of a per-agent column",
    target=f"{_HERE}.metrics:ColumnStatistic",
    settings=StatisticSettings,
    engines=_ENGINES,
    unit="unit of the column",
    direction="none",
)
model_value = Plugin(
    kind="metric",
    name="model_value",
    summary="A number that a Mesa model reports (attribute, method or model reporter)",
    target=f"{_HERE}.metrics:ModelValue",
    settings=ModelValueSettings,
    engines=_ENGINES,
    unit="as the model defines it",
    direction="none",
)
mean_wealth = _metric("mean_wealth", "MeanWealth", "Mean wealth, in units of money", "money", "none")
segregation_index = _metric(
    "segregation_index", "SegregationIndex", "Mean share of like neighbours", "share of neighbours", "none"
)
unhappy_share = _metric(
    "unhappy_share",
    "UnhappyShare",
    "Share of agents with fewer like neighbours than wanted",
    "share of agents",
    "lower",
)
prevalence = _metric("prevalence", "Prevalence", "Share of agents that are infected now", "share of agents", "lower")
attack_rate = _metric(
    "attack_rate", "AttackRate", "Share of agents that were infected at least once", "share of agents", "lower"
)
