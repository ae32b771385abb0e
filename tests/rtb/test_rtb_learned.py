"""A bidder that learns by PPO to pace its budget, against tuned and programmed bidders on fresh traffic.

It sets a multiplier of the Mcpc bid every 200 requests; all others are prepared on the same training campaign.
Half a minute per seed, so run with the experiments; ``--junitxml`` keeps the numbers (property ``clicks``).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.linear import Lin, Mcpc
from equilibria.agents.bidding.rlb import RLB, RLBTheta
from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import Player, UniformPlayer
from equilibria.agents.learning.settings import IPPOSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.rules import LINEAR, MAX_PRICE, pack
from equilibria.games.auctions.rtb.settings import StepMarketSettings
from equilibria.games.auctions.rtb.steps import StepMarket
from equilibria.sim.seeds import SeedTree

LENGTH, STREAM, UPDATES = 4000, 200_000, 100
SEEDS = (21, 22, 23)
FIXED: dict[str, Any] = {"lin": Lin(), "mcpc": Mcpc(), "rlb": RLB(), "rlb_theta": RLBTheta()}


def market(seed: int) -> StepMarket:
    settings = StepMarketSettings(
        bidders=1, episode_length=LENGTH, interval=200, budget_fraction=1 / 16, correlation=1.0, test_requests=STREAM
    )
    return StepMarket(settings, seeds=SeedTree(seed))


def played(world: StepMarket, player: Player) -> float:
    """Return the expected clicks of a player over the whole stream, cut into episodes."""
    episodes = STREAM // LENGTH
    state = world.reset(1, episodes)
    state.own["offset"][:] = np.arange(episodes) * LENGTH
    state.observation[:, :, 7] = (np.arange(episodes) * LENGTH / STREAM)[:, None]
    totals = world.requests.truth.reshape(episodes, world.horizon, -1).sum(axis=2)
    player.begin(episodes)
    clicks = 0.0
    for k in range(world.horizon):
        actions = player.act(torch.from_numpy(state.observation), None)
        world.step(state, {"bidder": actions})
        clicks += float((state.reward[:, 0] * totals[:, k]).sum())
    return clicks


def replayed(world: StepMarket, bidder: Any) -> float:
    rule = bidder.prepare(world.plan, SeedTree(1))
    r, p = world.requests, pack((rule,))
    out = np.zeros((STREAM // LENGTH, 5))
    stream = (r.theta, r.price, r.click, r.truth, LENGTH, world.plan.budget)
    if rule.kind == LINEAR:
        kernels.replay_linear(*stream, rule.scale, MAX_PRICE, out)
    else:
        kernels.replay_table(*stream, p.integers[0], p.reals[0], p.tables, out)
    return float(out[:, kernels.VALUE].sum())


def compare(seed: int) -> dict[str, float]:
    """Train on one campaign and return expected clicks on fresh traffic of the same campaign."""
    world, fresh = market(seed), market(1000 + seed)
    fresh.plan = world.plan  # budget and training of all bidders
    learner = Learner(world, IPPOSettings(worlds=64, steps=40), seeds=SeedTree(seed), budget=UPDATES)
    learner.step(UPDATES)
    found = {name: replayed(fresh, bidder) for name, bidder in FIXED.items()}
    found["ppo"] = played(fresh, learner.player())
    found["ppo_greedy"] = played(fresh, learner.player(greedy=True))
    found["ppo_where_trained"] = played(world, learner.player(greedy=True))
    found["lin_where_trained"] = replayed(world, FIXED["lin"])
    found["random"] = played(fresh, UniformPlayer(len(fresh.multipliers), seed))
    return found


@pytest.fixture(scope="module")
def clicks(record_testsuite_property: Any) -> list[dict[str, float]]:
    runs = [compare(seed) for seed in SEEDS]
    record_testsuite_property("clicks", json.dumps([{k: round(v, 3) for k, v in run.items()} for run in runs]))
    return runs


@pytest.mark.slow
def test_a_learned_bidder_beats_random_multipliers_and_stays_below_the_programme(
    clicks: list[dict[str, float]],
) -> None:
    mean = {name: np.mean([run[name] for run in clicks]) for name in clicks[0]}
    assert mean["ppo_greedy"] > 1.05 * mean["random"]
    assert mean["rlb_theta"] > mean["ppo_greedy"]
