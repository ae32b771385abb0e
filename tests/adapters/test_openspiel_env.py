"""OpenSpiel games behind the PettingZoo interface: the library's own tests, seeds, payoffs, bad input."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyspiel
import pytest
from pettingzoo.test import api_test, seed_test

from equilibria.games.adapters.openspiel import OpenSpielEnv
from equilibria.sim.errors import GameError, IllegalAction, UnknownName

GAMES = (
    "kuhn_poker", "leduc_poker", "liars_dice", "tic_tac_toe", "connect_four", "goofspiel(imp_info=True,num_cards=4)",
    "matrix_rps", "matrix_pd", "coop_box_pushing", "markov_soccer", "tiny_hanabi", "hanabi", "backgammon",
    "bargaining", "negotiation", "first_sealed_auction", "oshi_zumo", "blotto", "mfg_crowd_modelling",
    "coordinated_mp",
)  # fmt: skip


# what the games show: one number in matrix games, nothing but zeros, no bounds that OpenSpiel would tell
@pytest.mark.filterwarnings("ignore:Observation is a single number")
@pytest.mark.filterwarnings("ignore:Observation numpy array is all zeros")
@pytest.mark.filterwarnings("ignore:Agent's m.*imum observation space value is:UserWarning")
@pytest.mark.parametrize("name", GAMES)
def test_the_library_accepts_the_environment(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    api_test(OpenSpielEnv(name), num_cycles=300)
    seed_test(lambda: OpenSpielEnv(name), num_cycles=60)
    assert "Passed" in capsys.readouterr().out


def episode(env: OpenSpielEnv, seed: int) -> list[Any]:
    """Play one episode with random legal actions; return all that was seen."""
    rng, seen = np.random.default_rng(seed), []
    env.reset(seed=seed)
    for agent in env.agent_iter(4000):
        observation, reward, ended, cut, info = env.last()
        seen.append((agent, observation.tobytes(), reward, ended))
        over = ended or cut
        env.step(None if over else int(rng.choice(np.flatnonzero(info["action_mask"]))))
    return seen


@pytest.mark.parametrize("name", GAMES)
def test_a_seed_fixes_the_whole_episode(name: str) -> None:
    first, second = (episode(OpenSpielEnv(name), 3) for _ in range(2))
    assert first == second
    assert first[-1][3]


@pytest.mark.parametrize("name", ["kuhn_poker", "goofspiel(imp_info=True,num_cards=4)", "coop_box_pushing", "hanabi"])
def test_rewards_add_up_to_the_returns(name: str) -> None:
    env = OpenSpielEnv(name)
    for seed in range(5):
        total = dict.fromkeys(env.possible_agents, 0.0)
        for agent, _, reward, _ in episode(env, seed):
            total[agent] += reward
        assert list(total.values()) == pytest.approx(env._state.returns(), abs=1e-9)


def test_chance_has_the_probabilities_of_the_game() -> None:
    """Six equally likely deals; 3000 episodes give each 500 +- 6 standard deviations of 20."""
    env = OpenSpielEnv("kuhn_poker")
    counts = dict.fromkeys(itertools.permutations(range(3), 2), 0)
    env.reset(seed=1)
    for _ in range(3000):
        env.reset()
        counts[tuple(env._state.history()[:2])] += 1
    assert all(abs(n - 500) < 120 for n in counts.values())


def test_bad_input_has_names() -> None:
    with pytest.raises(UnknownName, match="kuhn_poker"):
        OpenSpielEnv("kuhn_pokr")
    env = OpenSpielEnv(pyspiel.load_game("tic_tac_toe"), render_mode="ansi")
    with pytest.raises(GameError, match="before reset"):
        env.step(0)
    env.reset(seed=0)
    env.step(4)
    with pytest.raises(IllegalAction, match="player_1 played 4"):
        env.step(4)
    assert "x" in str(env.render())
