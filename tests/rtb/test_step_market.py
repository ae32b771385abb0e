"""The market of multipliers: equality with plain Python, independence of the batch, PettingZoo, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pydantic import ValidationError

from equilibria.games.adapters.pettingzoo import aec_env, parallel_env
from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.games.auctions.rtb.settings import StepMarketSettings
from equilibria.games.auctions.rtb.steps import StepMarket
from equilibria.sim.errors import IllegalAction, InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_env

SMALL = {"bidders": 3, "episode_length": 400, "interval": 100, "train_requests": 5000, "test_requests": 3000}


def market(**change: Any) -> StepMarket:
    return StepMarket(StepMarketSettings.model_validate(SMALL | change), seeds=SeedTree(3))


def test_an_episode_equals_plain_python() -> None:
    world = market(correlation=1.0, budget_fraction=0.2)
    state = world.reset(key=11, batch=2)
    rng = np.random.default_rng(1)
    r, value = world.requests, world.plan.cpc
    left = [[world.plan.budget] * 3 for _ in range(2)]
    first = state.own["offset"].copy()
    sold = 0
    for step in range(4):
        actions = rng.integers(0, 10, (2, 3))
        _, rewards = world.step(state, {"bidder": actions})
        for w in range(2):
            won = [0.0] * 3
            for at in range(first[w] + 100 * step, first[w] + 100 * (step + 1)):
                bids = [
                    min(int(world.multipliers[actions[w, k]] * value * r.theta[at]), MAX_PRICE, left[w][k])
                    for k in range(3)
                ]
                order = [(at + k) % 3 for k in range(3)]
                winner = max(order, key=lambda k: (bids[k], -order.index(k)))
                if bids[winner] >= r.price[at]:
                    left[w][winner] -= max(int(r.price[at]), *(bids[k] for k in range(3) if k != winner))
                    won[winner] += r.truth[at]
                    sold += 1
            stretch = slice(first[w] + 100 * step, first[w] + 100 * (step + 1))
            np.testing.assert_allclose(rewards["bidder"][w], np.array(won) / r.truth[stretch].sum() * 3, rtol=1e-12)
        shown = state.final_observation if step == 3 else state.observation
        np.testing.assert_allclose(shown[:, :, 1], np.array(left) / world.plan.budget, rtol=1e-6)
    assert sold > 100
    assert state.ended.all()
    assert (state.own["left"] == world.plan.budget).all()


def test_worlds_do_not_depend_on_the_batch() -> None:
    world = market()
    rng = np.random.default_rng(2)
    actions = rng.integers(0, 10, (9, 5, 3))
    many, few = world.reset(key=4, batch=5), world.reset(key=4, batch=2)
    for chosen in actions:
        world.step(many, {"bidder": chosen})
        world.step(few, {"bidder": chosen[:2]})
        np.testing.assert_array_equal(many.observation[:2], few.observation)
        np.testing.assert_array_equal(many.reward[:2], few.reward)
    assert not np.array_equal(many.reward[0], many.reward[1])


def test_nobody_spends_more_than_the_budget_and_observations_stay_in_bounds() -> None:
    world = market(bidders=5, budget_fraction=0.01)
    state = world.reset(key=9, batch=8)
    rng = np.random.default_rng(3)
    for _ in range(12):
        world.step(state, {"bidder": rng.integers(5, 10, (8, 5))})
        assert state.own["left"].astype(np.int64).min() >= 0
        for seen in (state.observation, state.final_observation):
            assert seen.min() >= 0.0
            assert seen.max() <= 10.0
    assert (state.episode_return.sum(axis=1) > 0).all()


def test_higher_multipliers_win_more_until_the_money_is_gone() -> None:
    world = market(bidders=2, budget_fraction=1.0)
    state = world.reset(key=1, batch=16)
    world.step(state, {"bidder": np.tile([9, 4], (16, 1))})
    assert (state.reward[:, 0] > state.reward[:, 1]).all()
    world.step(state, {"bidder": np.zeros((16, 2), np.int64)})
    assert state.reward.max() <= 2.0


def test_both_views_pass_pettingzoo_and_our_test() -> None:
    parallel_api_test(parallel_env(market()), num_cycles=100)
    parallel_seed_test(lambda: parallel_env(market()), num_cycles=20)
    api_test(aec_env(market()), num_cycles=100)
    seed_test(lambda: aec_env(market()), num_cycles=20)
    check_env(lambda: parallel_env(market()), episodes=2)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"interval": 150}, "interval must divide"), ({"episode_length": 4000}, "test_requests must be")],
)
def test_bad_plans_are_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        market(**change)


def test_bad_multipliers_and_actions_are_named() -> None:
    with pytest.raises(ValidationError, match=r"multipliers\[1\] must lie"):
        StepMarketSettings(multipliers=(1.0, 0.5))
    world = market()
    with pytest.raises(IllegalAction, match="bidder 2 in world 0"):
        world.step(world.reset(key=1, batch=1), {"bidder": np.array([[0, 1, 10]])})
