"""Worlds, engine and Mesa adapter pass the suites that third-party parts are held to."""

from __future__ import annotations

from typing import Any

import pytest

from equilibria.games.population import plugins
from equilibria.sim.contract import EngineContext, MetricSpec, TableSpec
from equilibria.sim.engines.population import PopulationEngine, build
from equilibria.sim.plugin import Plugin
from equilibria.sim.seeds import SeedTree
from equilibria.sim.testing import check_engine, check_game

CASES: dict[str, tuple[Plugin, Plugin, dict[str, Any]]] = {
    "wealth sequential": (plugins.wealth_exchange, plugins.gini, {"activation": "random-sequential"}),
    "wealth simultaneous": (plugins.wealth_exchange, plugins.top_share, {"activation": "simultaneous"}),
    "wealth scan": (plugins.wealth_exchange, plugins.mean_wealth, {"activation": "random-scan"}),
    "grid sequential": (plugins.wealth_grid, plugins.gini, {"activation": "random-sequential"}),
    "grid simultaneous": (plugins.wealth_grid, plugins.gini, {"activation": "simultaneous"}),
    "schelling sequential": (plugins.schelling, plugins.segregation_index, {"activation": "random-sequential"}),
    "schelling simultaneous": (plugins.schelling, plugins.unhappy_share, {"activation": "simultaneous"}),
    "sis sequential": (
        plugins.contagion,
        plugins.prevalence,
        {"activation": "random-sequential", "model": "sis", "infection": 0.2, "recovery": 0.2, "initial_infected": 50},
    ),
    "sir simultaneous": (
        plugins.contagion,
        plugins.attack_rate,
        {"activation": "simultaneous", "model": "sir", "infection": 0.2, "recovery": 0.2, "initial_infected": 50},
    ),
    "mesa": (
        plugins.mesa_model,
        plugins.model_value,
        {"model": "mesa.examples.basic.boltzmann_wealth_model.model:BoltzmannWealth", "params": {"n": 20}},
    ),
}


def game(case: str) -> Any:
    plugin, _, parameters = CASES[case]
    return plugin.load()(plugin.settings.model_validate(parameters), seeds=SeedTree(3).child("game"))


def engine(case: str) -> PopulationEngine:
    plugin, metric, parameters = CASES[case]
    metric_settings = metric.settings.model_validate({"attribute": "Gini"} if metric is plugins.model_value else {})
    context = EngineContext(
        game=game(case), game_plugin=plugin, game_settings=plugin.settings.model_validate(parameters), agents=(),
        mechanisms=(), metrics=[MetricSpec(plugin=metric, settings=metric_settings, every=2)],
        tables=[TableSpec(name="agents", every=3, sample=5)], budget=9, seeds=SeedTree(3), threads=1,
    )  # fmt: skip
    return build(context)


@pytest.mark.parametrize("case", CASES)
def test_worlds_keep_the_promises_of_a_population(case: str) -> None:
    check_game(lambda: game(case))


@pytest.mark.parametrize("case", CASES)
def test_the_engine_keeps_its_contract_with_every_world(case: str) -> None:
    check_engine(lambda: engine(case))
