"""Tables of bidding worlds: bids beside the fluid optimum, pacing without a trace, prices to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.bandit import BidBandit
from equilibria.agents.bidding.linear import Lin, Mcpc
from equilibria.agents.bidding.pacing import AdaptivePacing, PIDPacing
from equilibria.agents.bidding.rlb import RLB, RLBTheta
from equilibria.agents.bidding.settings import AdaptiveSettings
from equilibria.games.auctions.rtb import tables
from equilibria.games.auctions.rtb.settings import CampaignSettings, MarketSettings
from equilibria.games.auctions.rtb.world import Campaign, Market
from equilibria.sim.errors import ScenarioError, UnknownName
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree

SMALL: dict[str, Any] = {"train_requests": 5000, "test_requests": 1700, "episode_length": 250, "window": 3}


def world(market: bool = False, **more: Any) -> Campaign:
    made = Market(MarketSettings(**SMALL | more)) if market else Campaign(CampaignSettings(**SMALL | more))
    made.use({"rlb": RLB(), "lin": Lin(), "pid": PIDPacing(), "adaptive": AdaptivePacing(), "bandit": BidBandit()})
    made.reset(SeedTree(3))
    return made


def test_the_fluid_optimum_of_uniform_traffic_is_the_closed_form() -> None:
    made = Campaign(
        CampaignSettings(campaign="uniform", budget_fraction=0.0833, train_requests=100_000, episode_length=1000)
    )
    made.use({"lin": Lin()})
    made.reset(SeedTree(1))
    rate = made.plan.budget / made.plan.length
    found = tables.fluid_scale(made, tables._met(made)[0], rate)
    assert found == pytest.approx(300 * np.sqrt(6 * rate / 300), rel=0.02)  # theta and price / 300 uniform


def test_bids_in_the_table_are_those_of_the_rules() -> None:
    made = world()
    rows = made.table("bid_curves")
    mine = (rows["bidder"] == "rlb") & (rows["time_left"] == 0.5) & (rows["budget_left"] == 0.25)
    rule, _ = made.rule(0)
    wanted = [rule.table.bid(125, int(0.25 * made.plan.budget), float(x)) for x in rows["theta"][mine]]
    assert rows["bid"][mine].tolist() == wanted
    linear = (rows["bidder"] == "lin") & (rows["time_left"] == 1.0)
    scale = made.rule(1)[0].scale
    top = min(300, made.plan.budget)
    assert np.array_equal(rows["bid"][linear], np.floor(np.minimum(scale * rows["theta"][linear], top)))
    assert (np.diff(rows["theory"][mine]) >= 0).all()


def test_a_bidder_who_knows_the_distribution_bids_near_the_fluid_optimum() -> None:
    made = Campaign(CampaignSettings(campaign="2997", train_requests=20_000, episode_length=500))
    made.use({"rlb_theta": RLBTheta()})
    made.reset(SeedTree(1))
    rows = made.table("bid_curves")
    start = rows["time_left"] == 1.0
    distance = np.abs(rows["bid"][start] - rows["theory"][start]).max()
    assert distance <= 0.15 * rows["theory"][start].max()


@pytest.mark.parametrize("market", [False, True])
def test_recording_leaves_no_trace_and_pacing_ends_with_the_episode(market: bool) -> None:
    one, other = world(market), world(market)
    one.run(1, 4)
    other.run(1, 4)
    before = {k: np.array(v) for k, v in one.save().arrays.items()}
    recorded = {name: one.table(name) for name in tables.TABLES}
    after = one.save().arrays
    assert all(np.array_equal(before[k], after[k]) for k in before)
    one.run(5, 3)
    other.run(5, 3)
    assert all(np.array_equal(v, other.columns()[k]) for k, v in one.columns().items())
    rows = recorded["pacing"]
    per = rows["spent"].reshape(one.agents, -1)
    assert (np.diff(per, axis=1) >= 0).all()
    assert per[:, 0].tolist() == [0.0] * one.agents
    assert per.max() <= 1.0


def test_a_market_without_learners_may_be_cut_anywhere() -> None:
    whole, cut = (Market(MarketSettings(**SMALL)) for _ in range(2))
    for made in (whole, cut):
        made.use({"lin": Lin(), "mcpc": Mcpc(), "pid": PIDPacing()})
        made.reset(SeedTree(3))
    whole.run(1, 9)
    cut.run(1, 2)
    cut.run(3, 1)
    cut.run(4, 6)
    assert all(np.array_equal(v, cut.columns()[k]) for k, v in whole.columns().items())


def test_a_bidder_without_a_controller_replays_exactly_its_last_episode() -> None:
    made = world()
    made.run(1, 4)
    rows = made.table("pacing")
    last = (rows["request"] == made.plan.length) & np.isin(rows["bidder"], ["rlb", "lin"])
    assert rows["spent"][last].tolist() == (made._recent[:2, 3 % 3, 2] / made.plan.budget).tolist()


def test_chances_to_win_rise_with_the_bid_and_a_market_is_dearer_than_its_residual() -> None:
    campaign, market = world(), world(True)
    market.run(1, 4)
    rows = campaign.table("landscape")
    assert set(rows["stream"]) == {"training", "test"}
    met = market.table("landscape")
    assert set(met["stream"]) == {"training", *market.labels}
    chance = {s: met["win_probability"][met["stream"] == s] for s in dict.fromkeys(met["stream"])}
    assert all((np.diff(c) >= 0).all() and c[-1] == 1.0 for c in chance.values())
    assert chance["lin"].mean() < chance["training"].mean()


def test_first_prices_have_no_fluid_theory_and_profit_never_bids_above_the_value() -> None:
    first = Campaign(CampaignSettings(**SMALL, pricing="first"))
    first.use({"lin": Lin()})
    first.reset(SeedTree(3))
    assert np.isnan(first.table("bid_curves")["theory"]).all()
    profit = Campaign(CampaignSettings(**SMALL, objective="profit", budget_fraction=2.0))
    profit.use({"mcpc": Mcpc()})
    profit.reset(SeedTree(3))
    rows = profit.table("bid_curves")
    theory, theta = (np.asarray(rows[name], np.float64) for name in ("theory", "theta"))
    assert (theory <= profit.plan.cpc * theta + 1e-9).all()


def test_an_unknown_table_and_a_sampled_one_are_named_errors() -> None:
    with pytest.raises(UnknownName, match="bid_curves"):
        world().table("bids")
    text = b"""
version: 1
name: x
game: {use: rtb_campaign, params: {train_requests: 5000, test_requests: 1000, episode_length: 250}}
agents: [{use: lin}]
tables: [{name: TABLE, every: 1 MORE}]
run: {budget: 1, seed: 1}
"""
    with pytest.raises(ScenarioError, match="did you mean 'pacing'"):
        plan_from_bytes(text.replace(b"TABLE", b"pacin").replace(b"MORE", b""), "x").build()
    with pytest.raises(ScenarioError, match="cannot be sampled"):
        plan_from_bytes(text.replace(b"TABLE", b"pacing").replace(b"MORE", b", sample: 3"), "x").build()


def test_the_multiplier_of_a_paced_bidder_moves_its_curve() -> None:
    made = Campaign(CampaignSettings(**SMALL))
    made.use({"adaptive": AdaptivePacing(AdaptiveSettings())})
    made.reset(SeedTree(3))
    first = made.table("bid_curves")["bid"].sum()
    made.run(1, 3)
    assert made.table("bid_curves")["bid"].sum() < first
