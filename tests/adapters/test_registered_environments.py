"""Every game of ours with a view, by name: PettingZoo's tests and ours, and PettingZoo's registry."""

from __future__ import annotations

import json
import warnings

import pettingzoo
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from typer.testing import CliRunner

from equilibria.games.adapters import environment, register_environments
from equilibria.games.adapters.registration import _turns, environment_names
from equilibria.sim.cli.app import build_app
from equilibria.sim.errors import InvalidValue, UnknownName, Unsupported
from equilibria.testing import check_env

NAMES = environment_names()


@pytest.mark.parametrize("name", NAMES)
def test_the_library_and_we_accept_every_registered_game(name: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # advice on pixels, constants and unbounded numbers
        parallel_api_test(environment(name), num_cycles=60)
        api_test(_turns(name), num_cycles=60)
    parallel_seed_test(lambda: environment(name), num_cycles=20)
    seed_test(lambda: _turns(name), num_cycles=20)
    check_env(lambda: environment(name))


def test_the_list_holds_what_it_should() -> None:
    assert {"simple_spread", "aloha", "linear_quadratic", "coordination_world", "team_matrix_world"} <= set(NAMES)
    assert {"contextual_payments", "order_market", "auction_gym", "auction_net"} <= set(NAMES)  # views of their own
    assert not {"pettingzoo", "openspiel_world", "kuhn_poker", "windy_walk_models"} & set(NAMES)


def test_pettingzoo_makes_our_games_by_id() -> None:
    ids = register_environments("check")
    assert "check/simple_spread-v0" in ids
    env = pettingzoo.make("parallel", "check/simple_spread-v0", agents=5)
    assert len(env.possible_agents) == 5
    turns = pettingzoo.make("aec", "check/chain_mdp-v0")
    turns.reset(seed=1)
    assert turns.agent_selection == "agent"
    traders = pettingzoo.make("parallel", "check/order_market-v0", traders=2)
    assert traders.possible_agents == ["trader_0", "trader_1"]


def test_bad_input_has_names() -> None:
    with pytest.raises(UnknownName, match="did you mean 'simple_spread'"):
        environment("simple_spred")
    with pytest.raises(Unsupported, match="no vector game"):
        environment("windy_walk")
    with pytest.raises(InvalidValue, match="agentz"):
        environment("simple_spread", agentz=4)
    with pytest.raises(Unsupported, match="render"):
        environment("simple_spread", render_mode="human")


def test_describe_shows_what_only_the_view_takes() -> None:
    shown = CliRunner().invoke(build_app(), ["describe", "order_market"])
    assert shown.exit_code == 0
    both, view = shown.stdout.split("as a PettingZoo environment")
    assert "penalty" in view and "warm_up" in view and "penalty" not in both
    assert "shock_rate" in both and "shock_rate" not in view
    assert "PettingZoo" not in CliRunner().invoke(build_app(), ["describe", "windy_walk"]).stdout
    found = json.loads(CliRunner().invoke(build_app(), ["describe", "contextual_payments", "--json"]).stdout)
    assert [p["name"] for p in found[0]["view_parameters"]] == ["batch", "generations"]
