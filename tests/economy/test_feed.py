"""The feed: laws, exact values, the frontier, TSCAC's weights, learning, refusals."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from equilibria.agents.decisions.feed import FeedLearner
from equilibria.agents.decisions.feed_rules import FeedRule, play
from equilibria.agents.decisions.settings import FeedACSettings, TSCACSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.games.adapters.pettingzoo import parallel_env
from equilibria.games.decisions.feed import FeedWorld, softmax
from equilibria.games.decisions.settings import FeedSettings
from equilibria.sim.errors import EquilibriaError, IllegalAction
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine, check_env, check_game

SMALL = {"items": 6, "horizon": 12}


def world(seed: int = 1, **settings: Any) -> FeedWorld:
    return FeedWorld(FeedSettings(**{**SMALL, **settings}), seeds=SeedTree(seed))


def test_the_world_keeps_the_promises_of_a_vector_game() -> None:
    check_game(world)
    check_env(lambda: parallel_env(world()))


def test_exact_values_agree_with_simulated_sessions() -> None:
    w = world()
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(6, 6))

    def policy(observation: Any) -> Any:
        return softmax(observation @ matrix)

    exact = w.returns(policy)
    w.users = np.random.default_rng(3).normal(size=(64, 4))
    other = w.returns(policy)
    spread = np.abs(exact - other) + 0.02  # sampling of 64 users, roughly
    totals = play(w, policy, 20_000, 7)
    error = totals.std(axis=0) / np.sqrt(len(totals))
    assert (np.abs(totals.mean(axis=0) - (exact + other) / 2) < 4 * error + 3 * spread).all()


def test_the_best_watch_time_is_that_of_plain_backward_induction() -> None:
    w = world(items=3, horizon=4)
    w.users = w.users[:2].copy()
    w._frontier = None
    s = w.settings

    def best(m: int, f: float, t: int) -> float:
        if t == s.horizon:
            return 0.0
        found = []
        for k in range(3):
            pay = np.log1p(np.exp(w.users[m] @ w.topics[k] + s.clickbait * w.bait[k])) * (1.0 - f)
            after = min(1.0, max(0.0, f + s.fatigue * w.bait[k] - s.recovery * w.quality[k]))
            found.append(pay + (1.0 - s.leaving - s.tired_leaving * after) * best(m, after, t + 1))
        return float(max(found))

    from equilibria.games.decisions import feed_kernels as kernels

    out = np.empty((1, 2))
    kernels.weighted_values(w.users, w.topics, w.bait, w.quality, w.numbers, s.horizon, 1001, np.zeros((1, 2)), out)
    np.testing.assert_allclose(out[0], [best(0, 0.0, 0), best(1, 0.0, 0)], rtol=1e-4)


def test_no_policy_lies_beyond_the_frontier_and_the_trade_off_exists() -> None:
    w = FeedWorld(seeds=SeedTree(1))
    values = {rule: w.returns(FeedRule(w, rule).policy()) for rule in ("uniform", "watch", "quality")}
    for main, likes, shares in values.values():
        assert main <= w.best_main() + 1e-9
        assert main <= w.most_main(likes, shares) + 1e-9
    weights, best = w.frontier()
    at = int(np.flatnonzero((weights == 0.1).all(axis=1))[0])
    free = (best[at] - w.best_main()) / 0.1  # likes and shares beside the largest watch time, at most
    paid = min((d - 0.9 * w.best_main()) / a for (a, b), d in zip(weights, best, strict=True) if a == b > 0)
    assert paid > 1.2 * free
    assert values["quality"][2] > values["watch"][2]


def test_the_frontier_table_bounds_every_policy_and_falls_from_the_largest_watch_time() -> None:
    w = world()
    found = w.frontier_table(points=9)
    values = [w.returns(FeedRule(w, rule).policy()) for rule in ("uniform", "watch", "quality")]
    for k, name in enumerate(("likes", "shares", "likes and shares")):
        at = found["reward"] == name
        level, bound = np.asarray(found["level"])[at], np.asarray(found["watch_time"])[at]
        assert at.sum() == 9
        assert bound[0] == pytest.approx(w.best_main())
        assert np.all(np.diff(bound) <= 0.0)
        for main, likes, shares in values:
            mine = (likes, shares, likes + shares)[k]
            lower = np.searchsorted(level, mine, side="right") - 1  # the bound falls: at a lower level it lies above
            assert main <= bound[lower] + 1e-9
    assert w.frontier_table(5)["watch_time"][1] == pytest.approx(w.most_main(float(found["level"][2]), 0.0))
    with pytest.raises(EquilibriaError, match="frontier"):
        FeedRule(w, "watch").table("fronteir")


def learner(w: FeedWorld, **settings: Any) -> FeedLearner:
    made = TSCACSettings(worlds=8, steps=4, hidden=8, **settings)
    return FeedLearner(w, made, seeds=SeedTree(2), budget=20)


@pytest.mark.parametrize("size", [1e5, 1e-4])
def test_weights_lead_to_the_mean_policy_at_large_and_the_greedy_one_at_small_multipliers(size: float) -> None:
    w = world()
    a = learner(w, multipliers=(size, size), weight_cap=1e6)
    for actor in a.actors:
        torch.nn.init.normal_(actor.direct.weight, generator=torch.Generator().manual_seed(1))
    a.actors[1].direct.weight.data.mul_(-1.0)
    look = np.random.default_rng(1).normal(size=(30, 6))
    seen = torch.as_tensor(look, dtype=torch.float32)
    advantage = torch.randn((30, 6), generator=torch.Generator().manual_seed(3)) * 5e-4
    logs = torch.log_softmax(a.actors[0](seen), -1).detach()
    assert isinstance(a.settings, TSCACSettings)
    with torch.no_grad():
        rows = [
            a._weights(seen, torch.full((30,), k), logs[:, k], advantage[:, k], a.settings) for k in range(6)
        ]  # of each action; the mean over the batch is taken per call, so undo it below
    raw = []
    others = [torch.log_softmax(a.actors[i](seen), -1).detach() for i in (1, 2)]
    for k, row in enumerate(rows):
        power = advantage[:, k] / (2 * size) + 0.5 * sum(o[:, k] - logs[:, k] for o in others)
        expected = torch.exp(power)
        np.testing.assert_allclose(row + 1.0, expected / expected.mean(), rtol=1e-3, atol=1e-6)
        raw.append(expected)
    target = logs.exp() * torch.stack(raw, 1)  # what maximum likelihood with these weights converges to
    target = target / target.sum(1, keepdim=True)
    if size > 1.0:
        mean = torch.softmax(0.5 * (others[0] + others[1]), -1)
        assert float((target * (target.log() - mean.log())).sum(1).max()) < 1e-3
    else:
        greedy = target.argmax(1) == advantage.argmax(1)
        assert float(greedy.float().mean()) > 0.6


@pytest.mark.heavy
def test_learners_approach_the_optimum_and_constraints_buy_likes() -> None:
    w = world(items=8, horizon=20)
    best = w.best_main()
    common: dict[str, Any] = {"worlds": 64, "steps": 10}
    plain = FeedLearner(w, FeedACSettings(**common), seeds=SeedTree(1), budget=80)
    start = plain.returns()[0]
    plain.step(80)
    assert plain.returns()[0] > start + 0.5 * (best - start)
    both = FeedLearner(w, TSCACSettings(first_stage=0.4, **common), seeds=SeedTree(1), budget=130)
    both.step(130)
    assert both.returns()[0] > start
    assert both.returns()[1:].sum() > plain.returns()[1:].sum()
    assert both.certificate().value < w.best_main() - start


def interval(values: Any) -> tuple[float, float]:
    """95 % t-interval of the mean of ten values."""
    half = 2.262 * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


@pytest.mark.slow
def test_constraints_buy_likes_and_shares_for_little_watch_time_on_ten_seeds() -> None:
    w = FeedWorld(seeds=SeedTree(1))
    found: dict[str, list[Any]] = {"plain": [], "both": []}
    for seed in range(1000, 1010):
        plain = FeedLearner(w, FeedACSettings(), seeds=SeedTree(seed), budget=293)
        plain.step(293)
        both = FeedLearner(w, TSCACSettings(), seeds=SeedTree(seed), budget=391)
        both.step(391)
        found["plain"].append(plain.returns())
        found["both"].append(both.returns())
    plain_returns, both_returns = np.array(found["plain"]), np.array(found["both"])
    kept = both_returns[:, 0] / plain_returns[:, 0].mean()
    assert interval(kept)[0] >= 0.97
    assert interval(both_returns[:, 1:].sum(axis=1))[0] > interval(plain_returns[:, 1:].sum(axis=1))[1]
    assert plain_returns[:, 0].mean() > 0.92 * w.best_main()
    gaps = [w.most_main(*r[1:]) - r[0] for r in both_returns]
    assert np.mean(gaps) < np.mean([w.most_main(*r[1:]) - r[0] for r in plain_returns])


def test_a_learner_goes_on_from_a_saved_state() -> None:
    w = world()
    whole, first, second = learner(w), learner(w), learner(w)
    whole.step(9)
    first.step(4)
    second.load(first.save())
    second.step(5)
    np.testing.assert_array_equal(second.returns(), whole.returns())


@pytest.mark.parametrize("agent", [{"use": "feed_rule"}, {"use": "tscac", "params": {"worlds": 4, "steps": 3}},
                                   {"use": "feed_actor_critic", "params": {"worlds": 4, "steps": 3}}])  # fmt: skip
def test_the_engine_keeps_its_contract(agent: dict[str, Any]) -> None:
    scenario = {
        "version": 1,
        "name": "feed",
        "game": {"use": "feed_cmdp", "params": SMALL},
        "agents": [agent],
        "metrics": [{"use": "session_return", "every": 3}],
        "run": {"budget": 7, "seed": 1},
    }
    check_engine(plan_from_bytes(json.dumps(scenario).encode(), "feed.yaml").build)


def test_bad_parameters_and_actions_are_named() -> None:
    with pytest.raises(ValueError, match=r"multipliers\[1\] must lie in"):
        TSCACSettings(multipliers=(0.1, 0.0))
    w = world()
    state = w.reset(1, 2)
    with pytest.raises(IllegalAction, match=r"must lie in 0\.\.5"):
        w.step(state, {"recommender": np.array([[0], [6]])})
    with pytest.raises(EquilibriaError, match="items"):
        plan_from_bytes(
            b"version: 1\nname: x\ngame: {use: feed_cmdp, params: {items: 1}}\nagents: [{use: feed_rule}]\n"
            b"metrics: []\nrun: {budget: 1}",
            "x.yaml",
        )
