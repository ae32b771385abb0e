"""Descriptors of the population worlds and their metrics."""

from __future__ import annotations

from equilibria.games.population.metrics import ColumnSettings, ModelValueSettings, StatisticSettings, TopShareSettings
from equilibria.games.population.settings import (
    ContagionSettings,
    SchellingSettings,
    WealthGridSettings,
    WealthSettings,
)
from equilibria.sim.mesa import MesaSettings
from equilibria.sim.plugin import Family, Plugin

_ENGINES = ("population",)

_FAMILY = Family(package="equilibria.games.population", engines=_ENGINES)

wealth_exchange = _FAMILY.game(
    "wealth_exchange",
    "Agents give one unit of money to random others (no space)",
    "wealth:build_exchange",
    WealthSettings,
    reference="Dragulescu and Yakovenko (2000), European Physical Journal B 17, 723",
)
wealth_grid = _FAMILY.game(
    "wealth_grid",
    "Agents walk on a torus and give one unit of money to others in their cell",
    "wealth:build_grid",
    WealthGridSettings,
    reference="Dragulescu and Yakovenko (2000), European Physical Journal B 17, 723; grid variant",
)
schelling = _FAMILY.game(
    "schelling",
    "Agents leave cells with too few neighbours of their own group",
    "schelling:build",
    SchellingSettings,
    reference="Schelling (1971), Journal of Mathematical Sociology 1, 143",
)
contagion = _FAMILY.game(
    "contagion",
    "A disease spreads over a network (SIS or SIR)",
    "contagion:build",
    ContagionSettings,
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

gini = _FAMILY.metric(
    "gini",
    "Gini coefficient of a per-agent column, 0 (equal) .. 1",
    "metrics:Gini",
    "ratio",
    "none",
    settings=ColumnSettings,
)
top_share = _FAMILY.metric(
    "top_share",
    "Part of all wealth owned by the richest agents",
    "metrics:TopShare",
    "share of wealth",
    "none",
    settings=TopShareSettings,
)
column_statistic = _FAMILY.metric(
    "column_statistic",
    "Mean, sum, least, largest, spread or median of a per-agent column",
    "metrics:ColumnStatistic",
    "unit of the column",
    "none",
    settings=StatisticSettings,
)
model_value = _FAMILY.metric(
    "model_value",
    "A number that a Mesa model reports (attribute, method or model reporter)",
    "metrics:ModelValue",
    "as the model defines it",
    "none",
    settings=ModelValueSettings,
)
mean_wealth = _FAMILY.metric("mean_wealth", "Mean wealth, in units of money", "metrics:MeanWealth", "money", "none")
segregation_index = _FAMILY.metric(
    "segregation_index", "Mean share of like neighbours", "metrics:SegregationIndex", "share of neighbours", "none"
)
unhappy_share = _FAMILY.metric(
    "unhappy_share",
    "Share of agents with fewer like neighbours than wanted",
    "metrics:UnhappyShare",
    "share of agents",
    "lower",
)
prevalence = _FAMILY.metric(
    "prevalence", "Share of agents that are infected now", "metrics:Prevalence", "share of agents", "lower"
)
attack_rate = _FAMILY.metric(
    "attack_rate", "Share of agents that were infected at least once", "metrics:AttackRate", "share of agents", "lower"
)
