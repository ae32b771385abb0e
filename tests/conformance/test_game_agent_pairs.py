"""Whatever game meets whatever agent: a run, or a refusal with a name; never a stray exception."""

from __future__ import annotations

import json

import pytest

from equilibria.sim import registry
from equilibria.sim.cli.parameters import example
from equilibria.sim.errors import EquilibriaError, ScenarioError
from equilibria.sim.plugin import Kind, Plugin
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import Recording


def parts(kind: Kind) -> list[Plugin]:
    return [p for p in registry.all_plugins(kind) if isinstance(p, Plugin)]


def entry(plugin: Plugin) -> dict[str, object]:
    params = {"name": "kuhn_poker"} if plugin.name == "openspiel" else example(plugin.settings)
    return {"use": plugin.name, "params": params}


@pytest.mark.heavy
@pytest.mark.parametrize("game", parts("game"), ids=lambda plugin: plugin.name)
def test_game_runs_with_an_agent_or_refuses_it_by_name(game: Plugin) -> None:
    for agent in [None, *parts("agent")]:
        scenario = {
            "version": 1,
            "name": "pair",
            "game": entry(game),
            "agents": [] if agent is None else [entry(agent)],
            "run": {"budget": 2},
        }
        try:
            plan = plan_from_bytes(json.dumps(scenario).encode(), "pair.yaml")
            engine = plan.build()
            engine.start(SeedTree(plan.seed))
            assert 0 <= engine.advance(2, Recording()) <= 2
        except ScenarioError as error:
            assert all(problem.message for problem in error.problems)
        except EquilibriaError as error:
            assert str(error), f"{game.name} with {agent and agent.name}: an error without a message"
