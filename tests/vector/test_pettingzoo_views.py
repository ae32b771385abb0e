"""Our worlds behind PettingZoo's interfaces pass PettingZoo's tests and ours over full episodes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from equilibria.games.adapters.pettingzoo import aec_env, parallel_env
from equilibria.games.vector.aloha import Aloha
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.spread import SimpleSpread
from equilibria.games.vector.team_matrix import TeamMatrixWorld
from equilibria.sim.errors import GameError, IllegalAction
from equilibria.sim.types import BoolArray
from equilibria.testing import check_env


class Masked(Aloha):
    """Aloha in which agents without a message must wait."""

    def action_mask(self, state: WorldState, role: str) -> BoolArray | None:
        mask = np.ones((state.batch, self.agents, 2), dtype=np.bool_)
        mask[:, :, 1] = state.observation[:, :, 0] > 0
        return mask


WORLDS: dict[str, Callable[[], VectorWorld]] = {
    "coordination": lambda: CoordinationWorld(5),
    "climbing": TeamMatrixWorld.climbing,
    "penalty": TeamMatrixWorld.penalty,
    "tensor": lambda: TeamMatrixWorld(np.arange(24.0).reshape(2, 3, 4), horizon=3),
    "aloha": Aloha,
    "masked": Masked,
    "spread": SimpleSpread,
}
EVERY = pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)


@EVERY
def test_parallel_view_passes_pettingzoo(make: Callable[[], VectorWorld]) -> None:
    parallel_api_test(parallel_env(make()), num_cycles=200)
    parallel_seed_test(lambda: parallel_env(make()), num_cycles=50)


@EVERY
# advice on pixels and fixed-size vectors: an empty queue is all zeros, a queue is one number, particles may fly away
@pytest.mark.filterwarnings(
    "ignore:Observation is a single number",
    "ignore:Observation numpy array is all zeros",
    "ignore:Agent's m.* observation space value is",
)
def test_turn_based_view_passes_pettingzoo(make: Callable[[], VectorWorld]) -> None:
    api_test(aec_env(make()), num_cycles=200)
    seed_test(lambda: aec_env(make()), num_cycles=50)


@EVERY
def test_views_pass_our_test_over_full_episodes(make: Callable[[], VectorWorld]) -> None:
    check_env(lambda: parallel_env(make()), episodes=3)
    check_env(lambda: aec_env(make()), episodes=3)


def test_rewards_of_the_last_step_arrive_in_the_turn_based_view() -> None:
    env = aec_env(TeamMatrixWorld.climbing())
    env.reset(seed=0)
    earned: dict[str, float] = {}
    for agent in env.agent_iter():
        _, reward, ended, cut, _ = env.last()
        earned[agent] = earned.get(agent, 0.0) + reward
        env.step(None if ended or cut else 0)
    assert earned == {"player_0": 11.0, "player_1": 11.0}


def test_resets_without_seed_go_on_with_other_episodes_of_the_seed() -> None:
    def starts(seed: int) -> list[Any]:
        env = parallel_env(SimpleSpread())
        return [env.reset(seed=seed)[0]["agent_0"], *(env.reset()[0]["agent_0"] for _ in range(3))]

    first, second = starts(4), starts(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert len({a.tobytes() for a in first}) == 4


def test_observations_are_copies() -> None:
    env = parallel_env(SimpleSpread())
    seen, _ = env.reset(seed=1)
    kept = seen["agent_0"].copy()
    env.step(dict.fromkeys(env.agents, 2))
    assert np.array_equal(seen["agent_0"], kept)


def test_masks_stand_in_the_infos() -> None:
    env = parallel_env(Masked())
    _, infos = env.reset(seed=1)
    assert infos["agent_3"]["action_mask"].tolist() == [1, 1]


def test_wrong_use_is_refused_by_name() -> None:
    env = parallel_env(Aloha())
    with pytest.raises(GameError, match=r"step\(\) before reset\(\)"):
        env.step({})
    env.reset(seed=0)
    with pytest.raises(IllegalAction, match="check agent_9"):
        env.step({f"agent_{i}": 0 for i in range(9)})
    with pytest.raises(IllegalAction, match=r"agent_2 must be an integer in 0\.\.1, got 2"):
        env.step({**dict.fromkeys(env.agents, 0), "agent_2": 2})
    while env.agents:
        env.step(dict.fromkeys(env.agents, 0))
    assert env.step({}) == ({}, {}, {}, {}, {})
    with pytest.raises(GameError, match="the episode is over"):
        env.step(dict.fromkeys(env.possible_agents, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.close()
