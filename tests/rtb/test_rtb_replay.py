"""Replay and market kernels against plain Python, budgets, bounds and each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.linear import Lin, Mcpc, tune_linear
from equilibria.agents.bidding.long import RLBLong
from equilibria.agents.bidding.ortb import ORTB, training_value
from equilibria.agents.bidding.pacing import AdaptivePacing, PIDPacing
from equilibria.agents.bidding.rlb import RLB, SSMDP, RLBTheta
from equilibria.agents.bidding.settings import LinSettings, LongSettings, PIDSettings
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.judging import hindsight_bound
from equilibria.games.auctions.rtb.requests import Requests, Training, training
from equilibria.games.auctions.rtb.rules import MAX_PRICE, TABLE, BidRule, pack
from equilibria.games.auctions.rtb.synthetic import Source
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.seeds import SeedTree

TREE = SeedTree(4)
T = 300


@pytest.fixture(scope="module")
def plan() -> Training:
    return training(Source("2997", "burst", TREE).train(12_000), length=T, budget_fraction=0.1, expected=True)


@pytest.fixture(scope="module")
def stream() -> Requests:
    return Source("2997", "burst", TREE).test(3_100)  # the last episode is incomplete


def bidders() -> dict[str, Any]:
    return {
        "lin": Lin(),
        "mcpc": Mcpc(),
        "ortb": ORTB(),
        "ss_mdp": SSMDP(),
        "rlb": RLB(),
        "rlb_theta": RLBTheta(),
        "map_action": RLBLong(LongSettings(base_requests=50)),
        "map_difference": RLBLong(LongSettings(base_requests=50, mapping="difference")),
        "segment": RLBLong(LongSettings(base_requests=50, mapping="segment")),
        "pid": PIDPacing(),
        "adaptive": AdaptivePacing(),
    }


def play(rules: tuple[BidRule, ...], r: Requests, budget: int, **change: Any) -> tuple[Any, Any]:
    """Run the market kernel; return results [E, N, 5] and what was seen [N, n, 3]."""
    options: dict[str, Any] = {"second": True, "reserve": 0, "correlation": 1.0, "by": "time"} | change
    p = pack(rules, by=options["by"])
    control = np.zeros((len(rules), 4))
    control[:, 0] = 1.0
    seen = np.zeros((len(rules), r.count, 3))
    out = np.zeros((-(-r.count // T), len(rules), 5))
    kernels.play(
        r.theta, r.price, r.click, r.truth, T, np.full(len(rules), budget, np.int64), p.integers, p.reals, p.parameters,
        p.tables, control, 0, options["second"], options["reserve"], options["correlation"], np.uint64(9), seen, out,
        0, r.count,
    )  # fmt: skip
    return out, seen


def plain_market(rules: tuple[BidRule, ...], r: Requests, budget: int, second: bool, reserve: int) -> Any:
    """Play with Python lists; all bidders see the shared click probability."""
    out = np.zeros((-(-r.count // T), len(rules), 5))
    steer = [Steering(rule, budget) for rule in rules]
    for e in range(out.shape[0]):
        left = [budget] * len(rules)
        for s in steer:
            s.begin()
        for i in range(e * T, min(r.count, (e + 1) * T)):
            bids = []
            for rule, s, b in zip(rules, steer, left, strict=True):
                theta = r.theta[i] if np.isnan(rule.theta) else rule.theta
                if rule.kind == TABLE:
                    bids.append(rule.table.bid(T - (i - e * T), b, float(theta)))
                else:
                    bids.append(min(int(rule.wish(r.theta[i], s.multiplier)), MAX_PRICE, b))
            order = [(i + k) % len(rules) for k in range(len(rules))]
            winner = max(order, key=lambda k: (bids[k], -order.index(k)))
            floor = max(int(r.price[i]), reserve)
            paid = 0
            if bids[winner] >= floor:
                others = [bids[k] for k in range(len(rules)) if k != winner]
                paid = max([floor, *others]) if second else bids[winner]
                left[winner] -= paid
                out[e, winner] += [1, r.click[i], paid, r.truth[i], r.theta[i]]
            for k, s in enumerate(steer):
                s.after(i - e * T + 1, paid if k == winner else 0, left[k])
    return out


class Steering:
    """The controllers of ``pacing``, one request at a time."""

    def __init__(self, rule: BidRule, budget: int) -> None:
        self.kind, self.p, self.rate = rule.control, rule.parameters, budget / T
        self.multiplier, self.mu, self.sum, self.error = 1.0, 0.0, 0.0, 0.0

    def begin(self) -> None:
        self.spent, self.since = 0, 0

    def after(self, done: int, paid: int, left: int) -> None:
        """Learn from request number ``done`` of the episode."""
        if self.kind == "adaptive" and left >= MAX_PRICE:
            self.mu = min(max(self.mu - self.p[0] * (self.rate / self.p[1] - paid / self.p[1]), 0.0), self.p[2])
            self.multiplier = 1.0 / (1.0 + self.mu)
        if self.kind != "pid":
            return
        self.spent += paid
        if done < min(T, self.since + int(self.p[0])):
            return
        planned = (left + self.spent) * (done - self.since) / (T - self.since)
        if left + self.spent >= MAX_PRICE and planned > 0.0:
            error = (planned - self.spent) / planned
            push = self.p[1] * error + self.p[2] * (self.sum + error) + self.p[3] * (error - self.error)
            wanted = self.multiplier * np.exp(push)
            self.multiplier = min(max(wanted, self.p[4]), self.p[5])
            self.sum += error if self.multiplier == wanted else 0.0
            self.error = error
        self.spent, self.since = 0, done


@pytest.mark.parametrize(("second", "reserve"), [(True, 0), (True, 40), (False, 0)])
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_the_market_kernel_equals_plain_python(
    plan: Training, stream: Requests, second: bool, reserve: int, share: float
) -> None:
    crowd = (
        RLB(),
        Lin(),
        SSMDP(),
        PIDPacing(),
        Mcpc(),
        AdaptivePacing(),
        RLBTheta(),
        PIDPacing(PIDSettings(interval=7)),
    )
    rules = tuple(b.prepare(plan, TREE) for b in crowd)
    budget = int(plan.budget * share)
    requests = stream.part(0, 700)
    expected = plain_market(rules, requests, budget, second, reserve)
    for by in ("time", "budget"):
        out, _ = play(rules, requests, budget, second=second, reserve=reserve, by=by)
        np.testing.assert_allclose(out, expected, atol=1e-12)
    assert (expected[:, :, 0].sum(axis=0) > 0).sum() >= 4
    assert len({tuple(row) for row in expected[:, :, 0].T}) > 4


@pytest.mark.parametrize("name", ["lin", "mcpc", "ortb", "ss_mdp", "rlb", "rlb_theta"])
def test_replay_without_bids_equals_replay_with_bids(plan: Training, stream: Requests, name: str) -> None:
    rule = bidders()[name].prepare(plan, TREE)
    out, _ = play((rule,), stream, plan.budget)
    fast = np.zeros((out.shape[0], 5))
    common = (stream.theta, stream.price, stream.click, stream.truth, T, plan.budget)
    if rule.kind == TABLE:
        p = pack((rule,))
        kernels.replay_table(*common, p.integers[0], p.reals[0], p.tables, fast)
    elif rule.curve > 0.0:
        kernels.replay_curve(*common, rule.scale, rule.curve, MAX_PRICE, fast)
    else:
        kernels.replay_linear(*common, rule.scale, MAX_PRICE, fast)
    np.testing.assert_allclose(out[:, 0], fast, atol=1e-12)
    np.testing.assert_array_equal(out[:, 0, : kernels.VALUE], fast[:, : kernels.VALUE])


def test_explicit_bids_win_exactly_the_requests_of_the_replay(plan: Training, stream: Requests) -> None:
    rule = RLB().prepare(plan, TREE)
    p = pack((rule,))
    bids = np.zeros(stream.count, np.int64)
    kernels.explicit_bids(stream.theta, T, plan.budget, p.integers, p.reals, p.tables, stream.price, bids)
    out = np.zeros((-(-stream.count // T), 5))
    kernels.replay_table(
        stream.theta, stream.price, stream.click, stream.truth, T, plan.budget, p.integers[0], p.reals[0], p.tables, out
    )
    won = bids >= stream.price
    episode = np.arange(stream.count) // T
    np.testing.assert_array_equal(np.bincount(episode, won), out[:, kernels.IMPRESSIONS])
    np.testing.assert_array_equal(np.bincount(episode, won * stream.price), out[:, kernels.COST])


@pytest.mark.parametrize("pricing", [True, False])
def test_nobody_spends_more_than_the_budget(plan: Training, stream: Requests, pricing: bool) -> None:
    rules = tuple(b.prepare(plan, TREE) for b in bidders().values())
    out, seen = play(rules, stream, plan.budget, second=pricing, correlation=0.3)
    assert (out[:, :, kernels.COST] <= plan.budget).all()
    assert (out >= 0).all()
    assert (out[:, :, kernels.IMPRESSIONS].sum(axis=1) <= T).all()
    assert (seen[:, :, 1] <= MAX_PRICE).all()


def test_no_policy_passes_the_hindsight_bound(plan: Training, stream: Requests) -> None:
    met = np.stack([stream.theta, stream.price.astype(float), stream.truth], axis=1)
    bound = hindsight_bound(met, T, plan.budget)
    earned = {}
    for name, bidder in bidders().items():
        out, _ = play((bidder.prepare(plan, TREE),), stream, plan.budget)
        earned[name] = float(out[:, 0, kernels.VALUE].sum())
        assert earned[name] <= bound + 1e-9, name
    assert earned["rlb"] > 0.7 * bound
    assert earned["rlb"] > earned["mcpc"] > 0


def test_hindsight_bound_of_a_worked_case() -> None:
    met = np.array([[0.5, 10.0, 0.5], [0.5, 5.0, 0.4], [0.5, 0.0, 0.1]])
    assert hindsight_bound(met, 3, 10) == pytest.approx(0.1 + 0.4 + 0.5 * 5 / 10)


def test_seen_prices_are_those_of_the_rivals(plan: Training, stream: Requests) -> None:
    rules = tuple(BidRule(kind=0, scale=s / plan.theta_mean) for s in (50.0, 30.0))
    r = stream.part(0, 50)
    _, seen = play(rules, r, 10**6)
    bids = np.minimum(np.floor(np.outer(r.theta, [50.0, 30.0]) / plan.theta_mean), MAX_PRICE)
    np.testing.assert_array_equal(seen[0, :, 1], np.maximum(bids[:, 1], r.price))
    np.testing.assert_array_equal(seen[1, :, 1], np.maximum(bids[:, 0], r.price))


def test_own_click_probabilities_keep_the_distribution_and_the_correlation(stream: Requests) -> None:
    rules = (BidRule(kind=0, scale=1.0), BidRule(kind=0, scale=1.0))
    big = Source("3358", "stationary", TREE).test(100_000)
    for correlation in (0.0, 0.6):
        _, seen = play(rules, big, 100, correlation=correlation)
        ranks = [np.argsort(np.argsort(seen[k, :, 0])) for k in range(2)]
        matrix = np.asarray(np.corrcoef(ranks))
        assert matrix[0, 1] == pytest.approx(correlation**2, abs=0.02)
        assert seen[0, :, 0].mean() == pytest.approx(big.theta.mean(), rel=0.05)


def test_tuned_base_bid_is_the_best_of_its_grid(plan: Training) -> None:
    base = tune_linear(plan)
    r = plan.requests
    values = {}
    for b in np.arange(5.0, 301.0, 5.0):
        out = np.zeros((r.count // T, 5))
        kernels.replay_linear(r.theta, r.price, r.click, r.truth, T, plan.budget, b / plan.theta_mean, MAX_PRICE, out)
        values[b] = out[:, kernels.VALUE].sum()
    assert values[base] == max(values.values())
    assert Lin(LinSettings(base_bid=12.0)).prepare(plan, TREE).scale == pytest.approx(12.0 / plan.theta_mean)


def test_value_tables_refuse_first_price_auctions(plan: Training) -> None:
    first = training(plan.requests, length=T, budget_fraction=0.1, expected=True, first_price=True)
    with pytest.raises(Unsupported, match="second-price"):
        RLB().prepare(first, TREE)
    assert Lin().prepare(first, TREE).scale > 0


def test_objectives_change_what_is_bought(plan: Training, stream: Requests) -> None:
    def results(objective: str, bidder: Any) -> Any:
        p = training(plan.requests, length=T, budget_fraction=0.1, objective=objective, expected=True)
        out, _ = play((bidder.prepare(p, TREE),), stream, p.budget)
        return out[:, 0].sum(axis=0)

    clicks, impressions = results("clicks", RLB()), results("impressions", RLB())
    assert impressions[kernels.IMPRESSIONS] > clicks[kernels.IMPRESSIONS]
    assert impressions[kernels.VALUE] < clicks[kernels.VALUE]
    profit = results("profit", RLB())
    assert plan.cpc * profit[kernels.VALUE] - profit[kernels.COST] > 0


def test_no_budget_buys_free_requests_only(plan: Training) -> None:
    r = plan.requests.part(0, 600)
    free = Requests(r.theta, np.where(np.arange(600) % 3 == 0, 0, r.price).astype(np.uint16), r.click, r.truth)
    p = training(r, length=T, budget_fraction=0.0, expected=True)
    for bidder in (RLB(), Lin(), RLBTheta()):
        out, _ = play((bidder.prepare(p, TREE),), free, p.budget)
        assert out[:, 0, kernels.COST].sum() == 0
        assert out[:, 0, kernels.IMPRESSIONS].sum() == np.count_nonzero(free.price == 0)


def test_bad_plans_and_rules_are_refused_by_name(plan: Training) -> None:
    with pytest.raises(InvalidValue, match="episode_length"):
        training(plan.requests, length=0, budget_fraction=0.1)
    with pytest.raises(InvalidValue, match="budget_fraction"):
        training(plan.requests, length=10, budget_fraction=-0.1)
    with pytest.raises(InvalidValue, match="no click"):
        r = plan.requests
        training(Requests(r.theta, r.price, np.zeros_like(r.click), r.truth), length=10, budget_fraction=0.1)
    with pytest.raises(InvalidValue, match="scale"):
        BidRule(kind=0, scale=float("nan"))
    with pytest.raises(InvalidValue, match="kind"):
        BidRule(kind=7)
    with pytest.raises(InvalidValue, match="equally long"):
        Requests(np.zeros(2), np.zeros(3, np.uint16), np.zeros(2, np.uint8), np.zeros(2))


def test_concave_bids_are_tuned_to_the_training_requests(plan: Training) -> None:
    bidder = ORTB()
    rule = bidder.prepare(plan, TREE)
    assert rule.wish(np.array([plan.theta_mean]))[0] == pytest.approx(bidder.base_bid)
    own = training_value(plan, bidder.c, bidder.base_bid)
    lin = Lin()
    lin.prepare(plan, TREE)
    assert own >= training_value(plan, 1e4, lin.base_bid) * 0.98  # nearly linear bids are on the grid
    assert all(own >= training_value(plan, c, 50.0) for c in (10.0, 80.0, 320.0))
    with pytest.raises(InvalidValue, match="curve of a bid rule"):
        BidRule(kind=0, scale=1.0, curve=1.0, control="pid")
