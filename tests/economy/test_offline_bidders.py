"""Bidders learned from logged days: the log, known optima of the learners, the engine, refusals."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.autobidding.offline import OfflineBidder, OfflinePolicy, learned_policy
from equilibria.agents.bidding.autobidding.offline_log import (
    FEATURES,
    HIGHEST,
    LOWEST,
    LoggedBidder,
    OfflineLog,
    behaviours,
    record,
)
from equilibria.agents.bidding.autobidding.settings import OfflineSettings
from equilibria.games.auctions.simulators import net_kernels as kernels
from equilibria.games.auctions.simulators.net import AuctionNet
from equilibria.games.auctions.simulators.net_bidders import score
from equilibria.games.auctions.simulators.net_settings import AuctionNetSettings
from equilibria.sim.errors import EquilibriaError, NumericalError
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine

SMALL: dict[str, Any] = {"impressions": 3000, "budget_scale": 0.006, "grid": 10}


def world() -> AuctionNet:
    return AuctionNet(AuctionNetSettings(**SMALL))


def test_rewards_of_a_day_add_up_to_its_score_and_actions_are_what_was_bid() -> None:
    w = world()
    drawn: list[Any] = behaviours(np.random.default_rng(1))
    w.use({f"b{i}": b for i, b in enumerate(drawn)})
    w.reset(SeedTree(3))
    gained = np.zeros(48)

    def watch(predicted: Any, bids: Any, step: Any, t: int) -> None:
        for i, bidder in enumerate(drawn):
            assert isinstance(bidder, LoggedBidder)
            bidder.learn(predicted[i], step, t)
            for k in range(3):
                mine = (step.who[k] == i) & (step.paid[k] > 0.0) & (step.shown > k)
                gained[i] += predicted[i][mine].sum()
            if bidder.live[t]:
                expected = np.exp(bidder.actions[t]) * w.limits[i] * predicted[i]
                dropped = bids[i] == 0.0  # the repair of budgets drops some bids
                np.testing.assert_allclose(bids[i][~dropped], expected[~dropped], rtol=1e-5)

    totals = w.play(1, watch)
    final = score(gained, totals[:, kernels.COST], w.limits)
    np.testing.assert_allclose([b.rewards.sum() for b in drawn], final, rtol=1e-4, atol=1e-5)


def test_a_log_holds_every_advertiser_of_every_day_and_follows_from_its_seeds() -> None:
    log, again = record(world(), 2, SeedTree(5)), record(world(), 2, SeedTree(5))
    assert log.states.shape == (96, 48, FEATURES)
    assert np.isfinite(log.states).all()
    assert log.live[:, 0].all()
    assert LOWEST <= log.actions.min()
    assert log.actions.max() <= HIGHEST
    assert log.rewards[~log.live].sum() == 0.0
    np.testing.assert_array_equal(log.rewards, again.rewards)
    assert not np.array_equal(log.actions[:48], log.actions[48:])


def synthetic(best: float) -> OfflineLog:
    """Days of one step: logged actions N(0, 0.5^2), rewards -(a - best)^2, states without meaning."""
    rng = np.random.default_rng(2)
    states = rng.normal(size=(3000, 48, FEATURES)).astype(np.float32)
    actions = rng.normal(0.0, 0.5, (3000, 48)).astype(np.float32)
    rewards = -((actions - best) ** 2).astype(np.float32)
    live = np.zeros((3000, 48), np.bool_)
    live[:, 0] = True
    return OfflineLog(states, actions, rewards, live)


def mean_action(log: OfflineLog, **settings: Any) -> float:
    chosen = OfflineSettings(updates=400, batch=256, hidden=16, rate=5e-3, **settings)
    policy = OfflinePolicy(log, chosen, seeds=SeedTree(1))
    states = np.random.default_rng(4).normal(size=(200, FEATURES)).astype(np.float32)
    return float(np.mean([policy.act(s) for s in states]))


@pytest.mark.heavy
def test_cloning_finds_the_logged_mean_and_the_others_move_towards_the_best_action() -> None:
    log = synthetic(0.6)
    assert abs(mean_action(log, method="bc")) < 0.08
    assert 0.25 < mean_action(log, method="iql") < 0.7
    assert 0.4 < mean_action(log, method="td3_bc", ambition=20.0) < 0.8
    assert abs(mean_action(log, method="td3_bc", ambition=0.0)) < 0.08  # nothing but cloning is left


def test_one_policy_serves_a_world_and_follows_from_its_settings() -> None:
    w, other = world(), world()
    s = OfflineSettings(method="iql", days=1, updates=20, batch=32, hidden=8)
    policy = learned_policy(w, s)
    assert learned_policy(w, s) is policy
    state = np.random.default_rng(1).normal(size=FEATURES).astype(np.float32)
    assert learned_policy(other, s).act(state) == policy.act(state)
    assert learned_policy(w, s.model_copy(update={"method": "bc"})).act(state) != policy.act(state)
    w.use({f"b{i}": OfflineBidder(policy) for i in range(48)})
    w.reset(SeedTree(1))
    w.run(1, 1)
    c = {k: np.asarray(v, np.float64) for k, v in w.columns().items()}
    assert (c["cost"] <= c["budget"] + 1e-9).all()
    assert c["wins"].sum() > 0


def test_the_engine_keeps_its_contract() -> None:
    params = {"method": "iql", "days": 1, "updates": 10, "batch": 16, "hidden": 4}
    scenario = {
        "version": 1,
        "name": "offline",
        "game": {"use": "auction_net", "params": {**SMALL, "impressions": 1000}},
        "agents": [{"use": "auto_offline", "params": params}],
        "metrics": [{"use": "bidder_score", "every": 1}],
        "run": {"budget": 2, "seed": 1},
    }
    check_engine(plan_from_bytes(json.dumps(scenario).encode(), "offline.yaml").build)


def test_broken_logs_and_settings_are_named() -> None:
    log = synthetic(0.0)
    log.rewards[0, 0] = np.nan
    with pytest.raises(NumericalError, match="offline learner iql"):
        mean_action(log, method="iql")
    with pytest.raises(EquilibriaError, match="method"):
        plan_from_bytes(
            b"version: 1\nname: x\ngame: {use: auction_net}\nagents: [{use: auto_offline, params: {method: dqn}}]\n"
            b"metrics: []\nrun: {budget: 1}",
            "x.yaml",
        )
