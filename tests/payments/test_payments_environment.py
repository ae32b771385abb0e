"""The payment world behind PettingZoo: the engine's numbers, feedback when it arrives, named refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from equilibria.agents.payments import PaymentBandit
from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.games.adapters import environment
from equilibria.games.payments import PaymentsEnv, PaymentsWorld
from equilibria.games.payments.settings import PaymentsSettings, PaymentsViewSettings
from equilibria.sim.errors import GameError, IllegalAction, InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_env


def view(**change: Any) -> PaymentsEnv:
    return PaymentsEnv(PaymentsViewSettings.model_validate({"batch": 60, "generations": 3, **change}))


def play(env: PaymentsEnv, actions: Any = None) -> tuple[list[float], list[dict[str, Any]], list[Any]]:
    """Return rewards, infos and observations of an episode with given actions, else the first feasible ones."""
    rewards: list[float] = []
    infos: list[dict[str, Any]] = []
    seen: list[Any] = []
    observation = env._look()
    while env.agents:
        seen.append(observation["processor"])
        mask = seen[-1]["action_mask"]
        action = int(mask.argmax()) if actions is None else int(actions[len(rewards)])
        observation, reward, _, _, info = env.step({"processor": action})
        rewards.append(reward["processor"])
        infos.append(info["processor"])
    return rewards, infos, seen


@pytest.mark.parametrize("change", [{}, {"drift": 0.1, "actions": 3, "issuers": 1}, {"generations": 1, "late": 0.0}])
def test_the_library_and_we_accept_the_view(change: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # advice on constants
        parallel_api_test(view(**change), num_cycles=400)
    parallel_seed_test(lambda: view(**change), num_cycles=100)
    check_env(lambda: view(**change), episodes=3)


def test_a_bandit_of_the_engine_earns_the_same_with_the_same_actions() -> None:
    """Contexts, feasible sets, rewards and delays are those of the world that the bandit of the engine serves."""
    settings = PaymentsSettings(batch=60)
    bandit = PaymentBandit(
        PaymentsWorld(settings, seeds=SeedTree(7)), PaymentBanditSettings(exploration="uniform", memory=3)
    )
    logs = []
    for _ in range(3):
        bandit.step()
        logs.append(bandit.table("log"))
    env = view()
    env.reset(seed=7)
    rewards, infos, seen = play(env, np.concatenate([log["action"] for log in logs]))
    np.testing.assert_array_equal(rewards, np.concatenate([log["reward"] for log in logs]))
    for g in (1, 2, 3):
        batch, rows = bandit.game.generation(g), slice(60 * (g - 1), 60 * g)
        shown = np.array([s["observation"] for s in seen[rows]])
        np.testing.assert_array_equal(shown[:, :8], batch.features)
        np.testing.assert_array_equal(shown[:, 8:].argmax(axis=1), batch.issuer)
        np.testing.assert_array_equal(np.array([s["action_mask"] for s in seen[rows]]), batch.available)
        gap = batch.best - batch.chance[np.arange(60), logs[g - 1]["action"]]
        np.testing.assert_allclose([info["regret"] for info in infos[rows]], gap, atol=1e-15)


def test_feedback_arrives_when_the_engine_says() -> None:
    env = view(late=0.3)
    env.reset(seed=2)
    rewards, infos, _ = play(env)
    parts = [info["feedback"] for info in infos if "feedback" in info]
    assert [info["transaction"] for info in infos if "feedback" in info] == [59] * 3
    for g, part in enumerate(parts, 1):
        batch = env.world.generation(g)
        own = part["generation"] == g
        np.testing.assert_array_equal(part["transaction"][own], np.flatnonzero(~batch.late))
        late = env.world.generation(g - 1).late if g > 1 else np.zeros(60, np.bool_)
        np.testing.assert_array_equal(part["transaction"][~own], np.flatnonzero(late))
        assert (part["generation"][~own] == g - 1).all()
        place = 60 * (part["generation"] - 1) + part["transaction"]
        np.testing.assert_array_equal(part["authorised"], np.array(rewards)[place] == 1.0)
    assert sum(len(part["action"]) for part in parts) == 180 - int(env.world.generation(3).late.sum())


def test_resets_go_on_with_the_same_world_and_new_transactions() -> None:
    env, other = view(), view()
    env.reset(seed=4)
    play(env)
    first = env.reset()[0]["processor"]["observation"]
    np.testing.assert_array_equal(first[:8], PaymentsWorld(env.settings, seeds=SeedTree(4)).generation(4).features[0])
    again = other.reset(seed=4)[0]["processor"]["observation"]
    assert not np.array_equal(first, again)
    np.testing.assert_array_equal(env.reset(seed=4)[0]["processor"]["observation"], again)


def test_the_last_observation_is_the_transaction_that_would_follow() -> None:
    env = view(generations=1)
    env.reset(seed=1)
    for i in range(60):
        mask = env._look()["processor"]["action_mask"]
        seen, _, ended, cut, _ = env.step({"processor": int(mask.argmax())})
        assert (ended["processor"], cut["processor"]) == (False, i == 59)
    np.testing.assert_array_equal(seen["processor"]["observation"][:8], env.world.generation(2).features[0])
    assert env.step({}) == ({}, {}, {}, {}, {})


def test_wrong_use_is_refused_by_name() -> None:
    env = view(availability=0.5)
    with pytest.raises(GameError, match=r"step\(\) before reset\(\)"):
        env.step({"processor": 0})
    seen, _ = env.reset(seed=1)
    closed = int(seen["processor"]["action_mask"].argmin())
    with pytest.raises(IllegalAction, match=rf"one of the feasible \[.*\], got {closed}"):
        env.step({"processor": closed})
    with pytest.raises(IllegalAction, match=r"must be in Discrete\(10\), got 10"):
        env.step({"processor": 10})
    with pytest.raises(IllegalAction, match="check bank, processor"):
        env.step({"bank": 0})
    with pytest.raises(InvalidValue):
        env.reset(seed=-1)
    play(env)
    env.reset()
    play(env)
    with pytest.raises(GameError, match="the episode is over"):
        env.step({"processor": 0})
    with pytest.raises(InvalidValue, match="generationz"):
        environment("contextual_payments", generationz=2)
