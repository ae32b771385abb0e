"""AuctionNet's model: a plain Python copy, budgets, independence of draws, certificate, strategies, refusals."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.autobidding.bidders import (
    ConstantBidder,
    OnlineProgramBidder,
    PIDBidder,
    dual_multiplier,
)
from equilibria.agents.bidding.autobidding.settings import ConstantSettings
from equilibria.games.auctions.simulators import net_judging
from equilibria.games.auctions.simulators import net_kernels as kernels
from equilibria.games.auctions.simulators.environments import AuctionNetEnv
from equilibria.games.auctions.simulators.net import AuctionNet, EpisodeRun
from equilibria.games.auctions.simulators.net_bidders import NetProfile, NetView, score
from equilibria.games.auctions.simulators.net_settings import BUDGETS, CPA_LIMITS, EXPOSURE, TRAFFIC, AuctionNetSettings
from equilibria.sim.errors import EquilibriaError, IllegalAction, InvalidValue
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.scenario.plan import Plan
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine, check_env, check_game

SMALL = {"impressions": 5000, "budget_scale": 0.01, "grid": 20}


def world(make: Any = PIDBidder, seed: int = 1, **settings: Any) -> AuctionNet:
    made = AuctionNet(AuctionNetSettings(**{**SMALL, **settings}))
    made.use({f"b{i}": make() for i in range(48)})
    made.reset(SeedTree(seed))
    return made


def test_the_published_constants_are_complete() -> None:
    assert (len(TRAFFIC), len(CPA_LIMITS), len(BUDGETS)) == (48, 48, 48)
    assert sum(TRAFFIC) == pytest.approx(1.0, abs=0.02)
    assert (min(CPA_LIMITS), max(CPA_LIMITS), min(BUDGETS), max(BUDGETS)) == (60, 130, 2000, 4850)


def test_traffic_and_values_have_the_stated_laws() -> None:
    drawn = world(impressions=500_000).episode(1)
    base = np.array(TRAFFIC)
    assert drawn.impressions.sum() == pytest.approx(500_000 * base.sum(), abs=48)
    factor = drawn.impressions / base
    assert np.allclose(factor[:4] / factor[0], 1.0, atol=0.01)
    assert 5e-4 * 0.3 * 0.5 <= drawn.mean.min()
    assert drawn.mean.max() <= 5e-4 * 1.7 * 1.5
    assert (drawn.mean[:8] == drawn.mean[0]).all()
    assert drawn.ratio.max() <= 0.3
    out = np.empty((48, 20_001), np.float32)
    kernels.values(np.uint64(7), 3, drawn.mean[3], drawn.std[3], out)
    thick = drawn.std[3] < 0.3 * drawn.mean[3]  # elsewhere the cut at 0 moves the mean
    error = 4 * drawn.std[3] / math.sqrt(20_001)
    assert (np.abs(out.mean(axis=1) - drawn.mean[3])[thick] < error[thick]).all()
    assert out.min() >= 0.0
    part = np.empty((48, 8), np.float32)
    kernels.values(np.uint64(7), 3, drawn.mean[3], drawn.std[3], part)
    np.testing.assert_array_equal(part, out[:, :8])


def test_a_step_equals_plain_python() -> None:
    w = world(lambda: ConstantBidder(ConstantSettings(multiplier=40.0)))
    run = EpisodeRun(w, 1)
    run.open()
    for i in range(48):
        run.place(i, "b", 40.0 * run.predicted[i].astype(np.float64) * (1 + i % 3))
    bids = run.bids.copy()
    step = run.close()
    totals = np.zeros((48, 4))
    for i in range(bids.shape[1]):
        order = sorted(range(48), key=lambda a: (-bids[a, i], a))
        for k in range(3):
            a, nxt = order[k], bids[order[k + 1], i]
            if bids[a, i] <= 0.0 or nxt <= w.settings.reserve:
                continue
            assert step.who[k, i] == a
            assert step.paid[k, i] == nxt
            totals[a, kernels.WINS] += 1
            if k < step.shown[i]:
                totals[a, kernels.EXPOSED] += 1
                totals[a, kernels.COST] += nxt
                totals[a, kernels.CONVERSIONS] += step.converted[k, i]
    np.testing.assert_allclose(step.totals, totals, rtol=1e-12)
    np.testing.assert_allclose([step.cost(a).sum() for a in range(48)], totals[:, kernels.COST], rtol=1e-12)
    assert [(step.slot(a) > 0).sum() for a in range(48)] == totals[:, kernels.WINS].tolist()


def test_slots_are_shown_and_converted_with_their_probabilities_anew_in_every_step() -> None:
    n = 40_000
    bids = np.full((48, n), 0.0)
    bids[:4] = np.array([4.0, 3.0, 2.0, 1.0])[:, None]
    predicted = np.full((48, n), 0.05, np.float32)
    patterns, rate = [], []
    for number in (1, 2):
        top, who = np.empty((4, n)), np.empty((4, n), np.int16)
        kernels.rank(bids, top, who)
        totals, shown = np.empty((48, 4)), np.empty(n, np.int8)
        paid, converted = np.empty((3, n)), np.empty((3, n), np.int8)
        kernels.settle(
            np.uint64(1), number, predicted, np.full(48, 0.15), np.full(48, 0.02275), np.full(48, 0.97725), 1e-4,
            np.array(EXPOSURE), top, who, totals, shown, paid, converted,
        )  # fmt: skip
        patterns.append(shown)
        share = totals[:3, kernels.EXPOSED] / n
        np.testing.assert_allclose(share, [1.0, 0.8, 0.48], atol=0.011)
        rate.append(totals[:3, kernels.CONVERSIONS].sum() / totals[:3, kernels.EXPOSED].sum())
    assert (patterns[0] != patterns[1]).mean() > 0.2
    np.testing.assert_allclose(rate, 0.05, atol=0.004)


def test_a_price_at_the_reserve_is_unsold() -> None:
    bids = np.zeros((48, 3))
    bids[:2] = np.array([[1.0, 1.0, 1.0], [0.5, 1e-4, 0.0]])
    top, who = np.empty((4, 3)), np.empty((4, 3), np.int16)
    kernels.rank(bids, top, who)
    totals, shown = np.empty((48, 4)), np.empty(3, np.int8)
    kernels.settle(
        np.uint64(1), 0, np.zeros((48, 3), np.float32), np.zeros(48), np.full(48, 0.1), np.full(48, 0.9), 1e-4,
        np.array(EXPOSURE), top, who, totals, shown, np.empty((3, 3)), np.empty((3, 3), np.int8),
    )  # fmt: skip
    assert totals[:2, kernels.WINS].tolist() == [1.0, 0.0]
    assert totals[0, kernels.COST] == 0.5


def test_the_repair_drops_wins_of_the_offender_only_until_it_can_pay() -> None:
    rng = np.random.default_rng(1)
    bids = rng.random((48, 2000)) * 0.01
    bids[5] = 0.05
    before = bids.copy()
    left = np.full(48, 1e9)
    left[5] = 3.0
    top, who, cost = np.empty((4, 2000)), np.empty((4, 2000), np.int16), np.empty(48)
    kernels.rank(bids, top, who)
    rounds = kernels.repair(np.uint64(1), 0, bids, left, 1e-4, np.array(EXPOSURE), top, who, cost)
    assert rounds >= 1
    assert 2.0 < cost[5] <= 3.0
    np.testing.assert_array_equal(np.delete(bids, 5, axis=0), np.delete(before, 5, axis=0))
    dropped = bids[5] == 0.0
    assert 0.5 < dropped.mean() < 1.0
    assert abs(np.flatnonzero(dropped).mean() - 1000) < 100  # at random, not the first ones


@pytest.mark.parametrize("make", [PIDBidder, OnlineProgramBidder, ConstantBidder])
def test_nobody_overspends_and_the_score_is_the_formula(make: Any) -> None:
    w = world(make)
    for episode in (1, 2, 3):
        w.run(episode, 1)
        c = {k: np.asarray(v, np.float64) for k, v in w.columns().items()}
        assert (c["cost"] <= c["budget"] + 1e-9).all()
        cpa = c["cost"] / np.maximum(c["conversions"], 1e-12)
        expected = c["conversions"] * np.minimum(1.0, (c["cpa_limit"] / np.maximum(cpa, 1e-12)) ** 2)
        np.testing.assert_allclose(c["score"], expected, rtol=1e-9)
    assert score(0.0, 5.0, 100.0) == 0.0
    assert score(2.0, 400.0, 100.0) == pytest.approx(0.5)


def test_the_certificate_is_the_best_constant_multiplier_by_plain_replay() -> None:
    w = world(ConstantBidder, impressions=1500)
    w.run(1, 1)
    grid = np.geomspace(net_judging.LOWEST, net_judging.HIGHEST, 20)
    own, gains, best = net_judging.values(w, 1, grid)
    steps: list[Any] = []
    w.play(1, lambda predicted, bids, step, t: steps.append((predicted.copy(), step)))
    for a in (0, 17):
        found = []
        for g in grid:
            cost = gain = 0.0
            for predicted, step in steps:
                c = v = 0.0
                for i in range(predicted.shape[1]):
                    rivals = [step.top[k, i] for k in range(4) if step.who[k, i] != a]
                    bid = g * float(predicted[a, i])
                    slot = next((k for k in range(3) if bid > rivals[k]), None)
                    if slot is not None and rivals[slot] > w.settings.reserve:
                        chance = (1.0, 0.8, 0.48)[slot]
                        c += chance * rivals[slot]
                        v += chance * float(predicted[a, i])
                part = min(1.0, max(0.0, w.budgets[a] - cost) / max(c, 1e-12))
                cost, gain = cost + part * c, gain + part * v
            found.append(float(score(gain, cost, w.limits[a])))
        assert own[a] + gains[a] == pytest.approx(max(max(found), own[a]), rel=1e-9)
        if gains[a] > 0:
            assert best[a] == grid[int(np.argmax(found))]


def test_the_controller_follows_its_published_rule() -> None:
    bidder = PIDBidder()
    bidder.begin(NetProfile(agent=0, category=0, budget=100.0, cpa_limit=50.0, reserve=1e-4))

    def view(step: int, spent: float, left: float) -> NetView:
        totals = np.zeros((48, 4))
        totals[0, 0] = spent
        history = (type("Past", (), {"totals": totals})(),) if step else ()
        return NetView(
            step=step, agent=0, predicted=np.ones(1, np.float32), left=left, history=history,
            noise=lambda a: np.zeros(1),
        )  # fmt: skip

    assert bidder.bid(view(0, 0.0, 100.0)) == pytest.approx(15.0)
    assert bidder.bid(view(1, 0.0, 100.0)) == pytest.approx(18.0)
    assert bidder.bid(view(2, 60.0, 40.0)) == pytest.approx(12.6)
    spent = 0.9 * 20.0 * TRAFFIC[2] / sum(TRAFFIC[3:])
    assert bidder.bid(view(3, min(spent, 1.1 * 20.0 / 45 * 0.99), 20.0)) == pytest.approx(12.6, rel=0.3)


def test_the_dual_price_spends_the_money() -> None:
    value, cost = np.array([1.0, 1.0, 1.0, 0.0]), np.array([3.0, 1.0, 2.0, 1.0])
    assert dual_multiplier(value, cost, 3.0) == 3.0
    assert dual_multiplier(value, cost, 0.5) == 1.0
    assert dual_multiplier(value, cost, 100.0) == 1e6


def test_the_world_keeps_the_promises_of_a_population() -> None:
    check_game(lambda: world(OnlineProgramBidder, impressions=1000), steps=3)


def plan(agents: list[Any], **params: Any) -> Plan:
    scenario = {
        "version": 1,
        "name": "net",
        "game": {"use": "auction_net", "params": {**SMALL, "impressions": 1000, **params}},
        "agents": agents,
        "metrics": [{"use": m, "every": 1} for m in ("bidder_score", "conversions", "cpa", "budget_use")],
        "run": {"budget": 3, "seed": 1},
    }
    return plan_from_bytes(json.dumps(scenario).encode(), "net.yaml")


def test_the_engine_keeps_its_contract() -> None:
    check_engine(plan([{"use": "auto_pid"}]).build)


@pytest.mark.parametrize(
    ("agents", "params", "says"),
    [
        ([{"use": "auto_pid"}] * 3, {}, "one entry for all bidders or 48 entries"),
        ([{"use": "truthful_bidder"}], {}, "truthful_bidder"),
        ([{"use": "auto_pid"}], {"budget_scale": -1}, "budget_scale"),
        ([{"use": "auto_pid", "role": "seller"}], {}, "role must be 'bidder'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(agents: list[Any], params: dict[str, Any], says: str) -> None:
    with pytest.raises(EquilibriaError, match=says):
        plan(agents, **params).build().start(SeedTree(1))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda n: np.zeros(n + 1), r"b7 \(bidder 7\), step 0: bids must have shape"),
        (lambda n: np.full(n, math.nan), r"b7 \(bidder 7\), step 0: bid 0 must be a finite number"),
        (lambda n: np.where(np.arange(n) == 3, -1.0, 0.0), "bid 3 must be"),
    ],
)
def test_bad_bids_name_bidder_and_step(broken: Any, says: str) -> None:
    class Bad(PIDBidder):
        def bid(self, view: NetView) -> Any:
            return broken(view.predicted.size) if view.agent == 7 else np.zeros(view.predicted.size)

    with pytest.raises(InvalidValue, match=says):
        world(Bad).run(1, 1)


def test_bids_of_the_broke_are_ignored_and_counted() -> None:
    w = world(lambda: ConstantBidder(ConstantSettings(multiplier=1000.0)))
    w.run(1, 1)
    c = w.columns()
    assert np.asarray(c["ignored_bids"], np.float64).sum() > 0
    env = AuctionNetEnv(AuctionNetSettings(impressions=1000, budget_scale=0.001))
    env.reset(seed=1)
    ignored = 0
    while env.agents:
        *_, infos = env.step(dict.fromkeys(env.agents, np.array([1000.0])))
        ignored += sum(i["ignored_bids"] for i in infos.values())
    assert ignored > 0


def test_the_pettingzoo_view_plays_whole_episodes() -> None:
    check_env(lambda: AuctionNetEnv(AuctionNetSettings(impressions=1000, budget_scale=0.01)))
    env = AuctionNetEnv(AuctionNetSettings(impressions=1000))
    env.reset(seed=1)
    with pytest.raises(IllegalAction, match="no action of bidder_0"):
        env.step({})
