"""Bidding worlds: contract, pacing against closed forms, long episodes, certificates, learners, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.bandit import BidBandit
from equilibria.agents.bidding.linear import Lin, Mcpc
from equilibria.agents.bidding.long import RLBLong
from equilibria.agents.bidding.network import ValueNetwork, fitted, fitted_table
from equilibria.agents.bidding.pacing import AdaptivePacing, PIDPacing
from equilibria.agents.bidding.rlb import RLB, RLBTheta
from equilibria.agents.bidding.settings import AdaptiveSettings, BanditSettings, LinSettings, LongSettings, PIDSettings
from equilibria.agents.bidding.value import solve
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.judging import hindsight_bound
from equilibria.games.auctions.rtb.rules import TABLE, BidRule, pack
from equilibria.games.auctions.rtb.settings import CampaignSettings, MarketSettings
from equilibria.games.auctions.rtb.table_kernels import mapped_bid
from equilibria.games.auctions.rtb.world import Campaign, Market
from equilibria.sim.errors import EquilibriaError, InvalidValue, ScenarioError, Unsupported, UnsupportedGame
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.scenario.plan import Plan
from equilibria.sim.seeds import SeedTree
from equilibria.testing import Recording, check_engine, check_game

SMALL = {"train_requests": 5000, "test_requests": 1700, "episode_length": 250, "window": 3}


def world(settings: dict[str, Any], market: bool = False, **bidders: Any) -> Campaign:
    made = Market(MarketSettings(**settings)) if market else Campaign(CampaignSettings(**settings))
    made.use(bidders)
    made.reset(SeedTree(3))
    return made


def numbers(w: Campaign, column: str) -> Any:
    """Return a column as float64 [N]."""
    return np.asarray(w.columns()[column], np.float64)


def plan(game: str, agents: list[Any], budget: int = 9, **params: Any) -> Plan:
    scenario = {
        "version": 1,
        "name": "bids",
        "game": {"use": game, "params": {**SMALL, **params}},
        "agents": [{"use": a} if isinstance(a, str) else a for a in agents],
        "metrics": [{"use": m, "every": 2} for m in ("campaign_clicks", "win_rate", "cpm", "ecpc", "budget_spent")],
        "tables": [{"name": "agents", "every": 3}],
        "run": {"budget": budget, "seed": 1},
    }
    return plan_from_bytes(json.dumps(scenario).encode(), "bids.yaml")


@pytest.mark.parametrize("market", [False, True])
def test_worlds_keep_the_promises_of_a_population(market: bool) -> None:
    check_game(lambda: world(SMALL, market, rlb=RLB(), lin=Lin(), pid=PIDPacing(), bandit=BidBandit()), steps=10)


@pytest.mark.parametrize("game", ["rtb_campaign", "rtb_market"])
def test_the_engine_keeps_its_contract_over_batches(game: str) -> None:
    agents = [
        "rlb",
        "lin",
        "adaptive_pacing",
        {"use": "bid_bandit", "params": {"context": True}},
        {"use": "rlb_long", "params": {"base_requests": 50}},
    ]
    check_engine(plan(game, agents).build)


def test_learners_forget_when_the_world_is_reset() -> None:
    w = world(SMALL, lin=Lin(), bandit=BidBandit(BanditSettings(method="ucb")))
    w.run(1, 6)
    first = w.columns()["expected_clicks"].copy()
    w.reset(SeedTree(3))
    w.run(1, 6)
    np.testing.assert_array_equal(w.columns()["expected_clicks"], first)


def test_columns_add_up_over_an_incomplete_last_episode(tmp_path: Path) -> None:
    lines = "".join(f"{k % 7 == 0:d} {k % 100} 0.{k % 9 + 1}\n" for k in range(1100))
    for phase in ("train", "test"):
        (tmp_path / f"{phase}.theta.txt").write_text(lines)
    w = world({**SMALL, "log": str(tmp_path), "budget_fraction": 10.0}, mcpc=Mcpc(), lin=Lin())
    w.run(1, 10)  # five episodes, the last one of 100 requests; then the log is over
    columns = w.columns()
    assert columns["requests"].tolist() == [1100, 1100]
    assert columns["budget"].tolist() == [5 * w.plan.budget] * 2
    assert (numbers(w, "impressions") <= 1100).all()
    assert w.certificate().details["episodes_judged"] == 3


def test_adaptive_pacing_finds_the_closed_form_multiplier() -> None:
    settings = {"campaign": "uniform", "budget_fraction": 1 / 12, "episode_length": 100_000, "train_requests": 100_000,
                "test_requests": 1_000_000, "window": 1}  # fmt: skip
    bidder = AdaptivePacing(AdaptiveSettings(value_per_click=300.0, money_unit=300.0))
    w = world(settings, adaptive=bidder)
    multipliers = []
    for episode in range(1, 11):
        w.run(episode, 1)
        multipliers.append(float(w.columns()["multiplier"][0]))
    details = w.certificate().details
    best = float(str(details["fluid_scale"])) / 300.0
    assert best == pytest.approx(np.sqrt(6 * w.plan.budget / (300 * 100_000)))
    assert np.mean(multipliers[5:]) == pytest.approx(best, rel=0.03)
    columns = w.columns()
    assert columns["cost"][0] <= 10 * w.plan.budget
    assert columns["expected_clicks"][0] / 10 == pytest.approx(
        float(str(details["fluid_clicks_per_episode"])), rel=0.02
    )


def test_pid_pacing_spends_nearly_the_budget() -> None:
    settings = {
        **SMALL,
        "campaign": "uniform",
        "episode_length": 5000,
        "test_requests": 100_000,
        "budget_fraction": 0.1,
    }
    w = world(settings, pid=PIDPacing(PIDSettings(interval=100)))
    w.run(1, 20)
    assert 0.95 < int(w.columns()["cost"][0]) / int(w.columns()["budget"][0]) <= 1.0


@pytest.mark.parametrize("aware", [False, True])
def test_mapped_tables_win_nearly_the_clicks_of_the_exact_one(aware: bool) -> None:
    settings = {"campaign": "2997", "mode": "stationary", "episode_length": 5000, "train_requests": 50_000,
                "test_requests": 250_000, "window": 1}  # fmt: skip
    exact = RLBTheta() if aware else RLB()
    mapped: dict[str, Any] = {
        kind: RLBLong(LongSettings.model_validate({"base_requests": 500, "mapping": kind, "aware": aware}))
        for kind in ("action", "difference", "segment")
    }
    w = world(settings, exact=exact, **mapped)
    w.run(1, 20)
    clicks = dict(zip(w.labels, w.columns()["expected_clicks"], strict=True))
    assert clicks["action"] == pytest.approx(clicks["exact"], rel=0.01)
    assert clicks["difference"] == pytest.approx(clicks["exact"], rel=0.01)
    assert clicks["segment"] == pytest.approx(clicks["exact"], rel=0.02)


def test_late_demand_meets_budgets_beyond_the_table() -> None:
    # B0 covers twice the mean budget per request; with almost nothing sold early the state leaves the table.
    settings = {**SMALL, "campaign": "2997", "episode_length": 1000, "test_requests": 20_000, "budget_fraction": 0.5}
    w = world(settings, exact=RLB(), action=RLBLong(LongSettings(base_requests=20)))
    w.run(1, 20)
    spent = numbers(w, "cost") / numbers(w, "budget")
    assert spent[1] > 0.9 * spent[0]


def test_network_tables_bid_like_the_exact_ones() -> None:
    m = np.concatenate([[0.0], np.full(300, 1 / 300)])
    table = solve(m, 1e-3, 150, 4000)
    network = ValueNetwork(np.random.default_rng(1), scale=1e-3, rate=3e-3)
    assert network.fit(table, 150) < 0.05  # in units of the mean click probability
    assert (network.differences(np.full(5, 100.0), np.linspace(801, 3900, 5)) >= 0).all()
    fitted = fitted_table(table, 1e-3, steps=250, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(fitted.values[:51], table.values[:51])
    np.testing.assert_array_equal(fitted.values[:, :801], table.values[:, :801])
    assert fitted.value(150, 3000) == pytest.approx(table.value(150, 3000), rel=0.03)
    with pytest.raises(InvalidValue, match="use the table itself"):
        network.fit(solve(m, 1e-3, 40, 4000), 1)


def test_a_network_reads_and_gives_tables_with_a_stride() -> None:
    m = np.concatenate([[0.0], np.full(300, 1 / 300)])
    table = solve(m, 1e-3, 90, 6000, budget_stride=8)
    strided = fitted_table(table, 1e-3, steps=250, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(strided.values[:, :801], table.values[:, :801])
    assert (np.diff(strided.values[90]) >= 0.0).all()
    for b in (3000, 4096, 5001, 6000):
        assert strided.value(90, b) == pytest.approx(table.value(90, b), rel=0.03)


def test_extrapolated_bids_are_those_of_the_network() -> None:
    m = np.concatenate([[0.0], np.full(300, 1 / 300)])
    table = solve(m, 1e-3, 120, 3000)
    exact, network = fitted(table, 1e-3, steps=60, rng=np.random.default_rng(2))
    rule = BidRule(kind=TABLE, table=exact, mapping="extrapolate", network=network.packed())
    p = pack((rule,))
    parts = np.zeros((1, 2), np.int64)
    for t, b, theta in ((200, 2000, 1e-3), (121, 3500, 4e-4), (900, 20_000, 3e-3), (130, 40, 1.0)):
        d = np.arange(1, min(b, 300) + 1)
        states = np.full(d.size, t - 1.0), (b - d).astype(np.float64)
        left = theta - np.cumsum(network.differences(*states))
        wanted = int((np.minimum.accumulate(left) >= 0.0).sum())
        bid = mapped_bid(p.tables, p.integers, p.reals, 0, t, b, theta, parts, 0)
        assert abs(bid - wanted) <= (1 if wanted < d.size else 0)
    with pytest.raises(ValueError, match="set network: true"):
        LongSettings(mapping="extrapolate")
    with pytest.raises(InvalidValue, match="has no network"):
        BidRule(kind=TABLE, mapping="extrapolate")


@pytest.mark.heavy
def test_network_rlb_wins_nearly_the_clicks_of_the_table() -> None:
    settings = {"campaign": "2997", "mode": "burst", "episode_length": 1000, "train_requests": 50_000,
                "test_requests": 100_000, "window": 1}  # fmt: skip
    w = world(settings, exact=RLB(), network=RLBLong(LongSettings(base_requests=1000, network=True, network_steps=600)))
    w.run(1, 100)
    clicks = w.columns()["expected_clicks"]
    assert clicks[1] == pytest.approx(clicks[0], rel=0.01)


def test_certificate_is_the_gain_of_the_best_linear_bid() -> None:
    w = world({**SMALL, "window": 5}, low=Lin(LinSettings(base_bid=1.0)), lin=Lin())
    w.run(1, 6)
    certificate = w.certificate()
    count, results, met = w.judged()
    assert count == 5
    best = 0.0
    for b0 in range(1, 301):  # the grid, by plain Python
        total, left = 0.0, 0
        for i, (theta, price, truth) in enumerate(met[0]):
            left = w.plan.budget if i % 250 == 0 else left
            bid = min(int(b0 / w.plan.theta_mean * theta), 300, left)
            if bid >= price:
                left -= int(price)
                total += truth
        best = max(best, total)
    own = float(results[0, :, kernels.VALUE].sum())
    gains = certificate.details["gains"]
    assert isinstance(gains, dict)
    assert gains["low"] == pytest.approx((best - own) / 5)
    assert certificate.value == max(gains.values())  # type: ignore[type-var]
    assert 0.0 <= float(str(gains["lin"])) < float(str(gains["low"]))
    assert best <= hindsight_bound(met[0], 250, w.plan.budget) + 1e-9


def test_competition_raises_prices_and_lowers_clicks() -> None:
    settings = {**SMALL, "correlation": 1.0, "budget_fraction": 0.5}
    alone = world(settings, True, a=Lin(LinSettings(base_bid=100.0)))
    crowd = world(settings, True, **{k: Lin(LinSettings(base_bid=100.0)) for k in "abcd"})
    for w in (alone, crowd):
        w.run(1, 6)
    a, c = alone.columns(), crowd.columns()
    assert c["expected_clicks"][0] < a["expected_clicks"][0]
    assert c["cost"].sum() / c["impressions"].sum() > a["cost"].sum() / a["impressions"].sum()
    assert c["impressions"].sum() <= 1500


def test_bandits_learn_the_arm_that_earns_most() -> None:
    for method in ("ucb", "squarecb", "exp3"):
        bandit = BidBandit(BanditSettings(method=method, multipliers=(0.25, 0.5, 1.0, 2.0, 4.0), exploration=1.0))
        w = world(SMALL, lin=Lin())
        bandit.prepare(w.plan, SeedTree(1))
        rewards = {0.25: 0.2, 0.5: 0.9, 1.0: 0.7, 2.0: 0.3, 4.0: 0.1}
        rng = np.random.default_rng(4)
        earned = [rewards[bandit.begin(k)] for k in range(1)]
        bandit.end(earned[0])
        for k in range(1, 3000):
            r = rewards[bandit.begin(k)]
            earned.append(r)
            bandit.end(r + 0.1 * float(rng.standard_normal()))
        assert np.mean(earned[-500:]) > 0.75, method
        p = bandit.probabilities()
        assert p.sum() == pytest.approx(1.0)
        assert (p >= 0).all()


def test_a_bandit_with_context_learns_which_arm_fits_it() -> None:
    earned = {}
    for context in (False, True):
        bandit = BidBandit(BanditSettings(multipliers=(0.5, 1.0, 2.0), exploration=3.0, context=context))
        bandit.prepare(world(SMALL, lin=Lin()).plan, SeedTree(2))
        rng = np.random.default_rng(4)
        rewards = []
        for k in range(1500):
            high = float(rng.random() < 0.5)  # after a good episode bid high, else low
            arm = bandit.begin(k, np.array([high, 0.0, 0.0]))
            rewards.append(1.0 + (high - 0.5) * np.log(arm))
            bandit.end(rewards[-1] + 0.05 * float(rng.standard_normal()))
        earned[context] = float(np.mean(rewards[-500:]))
    assert earned[True] > 1.25  # the best is 1 + ln(2) / 2 = 1.35
    assert earned[False] < 1.1
    with pytest.raises(ValueError, match="context needs method: squarecb"):
        BanditSettings(method="ucb", context=True)


def test_bidders_are_told_what_the_last_episode_brought() -> None:
    w = world({**SMALL, "window": 2}, bandit=BidBandit(BanditSettings(context=True)))
    w.run(1, 1)
    row = w.judged()[1][0, 0]
    np.testing.assert_allclose(
        w._context(0, 1),
        [
            row[kernels.COST] / w.plan.budget,
            row[kernels.IMPRESSIONS] / 250,
            row[kernels.COST] / row[kernels.IMPRESSIONS] / w.plan.cpm,
        ],
    )
    assert w._context(0, 0).tolist() == [0.0, 0.0, 0.0]


def test_metrics_are_ratios_of_sums_and_leave_out_what_is_undefined() -> None:
    engine = plan("rtb_campaign", ["lin", {"use": "lin", "params": {"base_bid": 0.001}}], budget=4).build()
    engine.start(SeedTree(1))
    out = Recording()
    engine.advance(4, out)
    last = {(n, k): v for n, k, u, v in out.metrics if u == 4}
    table = {k: np.concatenate(v) for k, v in out.tables["agents"].items()}
    assert ("cpm", "lin") in last
    assert ("cpm", "lin_2") not in last
    assert last["win_rate", "lin_2"] == 0.0
    at = table["unit"] == 3
    assert table["agent"][at].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("game", "agents", "params", "says"),
    [
        ("rtb_campaign", [], {}, "at least one bidder"),
        ("rtb_campaign", [{"use": "lin", "role": "seller"}], {}, "role must be 'bidder'"),
        ("rtb_campaign", ["cfr"], {}, "cfr"),
        ("rtb_campaign", ["lin"], {"campaign": "1"}, "campaign"),
        ("rtb_campaign", ["lin"], {"log": "no/such/folder"}, "no file of the train phase"),
        ("rtb_campaign", ["lin"], {"budget_fraction": -1}, "budget_fraction"),
        ("rtb_market", ["rlb"], {"pricing": "first"}, "second-price"),
        ("wealth_exchange", ["lin"], {}, "train_requests"),
    ],
)
def test_bad_company_is_refused_by_name(game: str, agents: list[Any], params: dict[str, Any], says: str) -> None:
    with pytest.raises(EquilibriaError, match=says) as caught:
        engine = plan(game, agents, **params).build()
        engine.start(SeedTree(1))
    assert isinstance(caught.value, ScenarioError | UnsupportedGame | Unsupported | ValueError)


def test_an_auction_rule_of_the_mechanisms_sets_price_and_reserve() -> None:
    from equilibria.sim import registry

    rule = registry.find("mechanism", "second_price")
    made = rule.load()(rule.settings.model_validate({"reserve": 30.0}))
    w = Market(MarketSettings.model_validate({**SMALL, "residual": False}))
    w.attach([], [made])
    w.use({"a": Mcpc(), "b": Mcpc()})
    w.reset(SeedTree(1))
    w.run(1, 4)
    assert (numbers(w, "cost") >= 30 * numbers(w, "impressions")).all()
    assert numbers(w, "impressions").sum() > 0
    with pytest.raises(UnsupportedGame, match="whole number"):
        w.attach([], [rule.load()(rule.settings.model_validate({"reserve": 0.5}))])


def test_pid_pacing_steers_down_when_an_interval_takes_the_whole_budget() -> None:
    settings = {**SMALL, "campaign": "2997", "episode_length": 500, "test_requests": 5000, "budget_fraction": 0.02}
    w = world(settings, pid=PIDPacing(PIDSettings(interval=250)), mcpc=Mcpc())
    w.run(1, 10)
    assert float(w.columns()["multiplier"][0]) < 1.0
    assert numbers(w, "expected_clicks")[0] > numbers(w, "expected_clicks")[1]
