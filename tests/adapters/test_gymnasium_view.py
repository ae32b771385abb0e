"""Vector games behind gymnasium.vector: spaces, resets in the same step, one agent or the team."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode, VectorEnv

from equilibria.games.adapters import gymnasium_env
from equilibria.games.foreign import pettingzoo_world
from equilibria.games.vector import Aloha, LinearQuadratic, SimpleSpread, TeamMatrixWorld
from equilibria.sim.errors import GameError, IllegalAction, UnknownName, Unsupported
from equilibria.sim.types import AnyArray


def test_the_team_is_one_agent_that_sees_and_does_everything() -> None:
    env, world = gymnasium_env(SimpleSpread(), 4), SimpleSpread()
    assert isinstance(env, VectorEnv) and env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert env.single_observation_space.shape == (54,)
    assert env.single_action_space == MultiDiscrete([5, 5, 5])
    seen, _ = env.reset(seed=3)
    assert env.observation_space.contains(seen)
    assert env._state is not None
    state, rng = world.reset(int(env._state.key), 4), np.random.default_rng(0)
    for t in range(60):
        actions = rng.integers(0, 5, (4, 3))
        seen, paid, ended, cut, infos = env.step(actions)
        world.step(state, {"agent": actions})
        assert np.array_equal(seen, state.observation.reshape(4, -1))
        assert np.array_equal(paid, state.reward.mean(axis=1))
        assert not ended.any() and bool(cut.all()) is (t % 25 == 24)
        if t % 25 == 24:
            assert infos["_final_obs"].all()
            assert np.array_equal(np.stack(list(infos["final_obs"])), state.final_observation.reshape(4, -1))
        else:
            assert not infos


def test_one_agent_plays_among_others() -> None:
    def wait(role: str, seen: AnyArray, rng: np.random.Generator) -> AnyArray:
        return np.zeros(seen.shape[:2], np.int64)

    env = gymnasium_env(Aloha(), 3, agent="agent_2", others=wait)
    assert env.single_action_space == Discrete(2)
    env.reset(seed=1)
    paid = env.step(np.array([1, 1, 0]))[1]
    assert paid.tolist() == pytest.approx([0.1, 0.1, 0.0])  # nobody else sends: no loss, one message
    chance = gymnasium_env(Aloha(), 2000, agent="agent_2")
    chance.reset(seed=1)
    assert chance.step(np.zeros(2000, np.int64))[1].min() < -1.0  # random neighbours collide


def test_a_world_depends_on_its_seed_and_number_only() -> None:
    few, many = gymnasium_env(SimpleSpread(), 2), gymnasium_env(SimpleSpread(), 9)
    first = [env.reset(seed=5)[0] for env in (few, many)]
    assert np.array_equal(first[0], first[1][:2])
    assert not np.array_equal(few.reset()[0], first[0])
    assert np.array_equal(few.reset(seed=5)[0], first[0])


def test_continuous_actions_are_boxes() -> None:
    env = gymnasium_env(LinearQuadratic(), 3)
    assert isinstance(env.single_action_space, Box) and env.single_action_space.shape == (1,)
    env.reset(seed=1)
    with_push = env.step(np.ones((3, 1), np.float32))[1]
    assert (with_push < -0.2).all()


def test_bad_input_has_names() -> None:
    with pytest.raises(UnknownName, match="did you mean 'agent_0'"):
        gymnasium_env(SimpleSpread(), 1, agent="agent_00")
    env = gymnasium_env(TeamMatrixWorld.climbing(), 2)
    with pytest.raises(GameError, match="before reset"):
        env.step(np.zeros((2, 2), np.int64))
    env.reset(seed=0)
    with pytest.raises(IllegalAction, match=r"0\.\.2"):
        env.step(np.full((2, 2), 3))
    with pytest.raises(Unsupported, match="say what others do"):
        gymnasium_env(pettingzoo_world("mpe2.simple_spread_v3", continuous_actions=True), 1, agent="agent_0")
