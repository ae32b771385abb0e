"""Descriptors of the bidding worlds and their metrics."""

from __future__ import annotations

from equilibria.games.auctions.rtb.settings import CampaignSettings, MarketSettings, StepMarketSettings
from equilibria.sim.plugin import Family

FORMS = ("bidding",)
_REFERENCE = "Cai et al. (2017), Real-Time Bidding by Reinforcement Learning in Display Advertising, WSDM"

_FAMILY = Family(package="equilibria.games.auctions.rtb", engines=("population",), forms=FORMS)

rtb_campaign = _FAMILY.game(
    "rtb_campaign",
    "Bidders replayed one by one against the recorded prices of an advertising campaign",
    "world:build_campaign",
    CampaignSettings,
    reference=_REFERENCE,
)
rtb_market = _FAMILY.game(
    "rtb_market",
    "Budgeted bidders who meet in every request of a campaign's traffic",
    "world:build_market",
    MarketSettings,
    reference=_REFERENCE + "; the market of several bidders is ours",
)
rtb_steps = _FAMILY.game(
    "rtb_steps",
    "Budgeted bidders who choose a bid multiplier per control interval, for learners and PettingZoo",
    "steps:build",
    StepMarketSettings,
    engines=("training",),
    forms=("vector",),
    reference=_REFERENCE + "; the market and its steps are ours",
)

campaign_clicks = _FAMILY.metric(
    "campaign_clicks", "Expected clicks won so far, by bidder", "metrics:CampaignClicks", "clicks", "higher"
)
win_rate = _FAMILY.metric(
    "win_rate", "Impressions over requests, by bidder", "metrics:WinRate", "share of requests", "none"
)
cpm = _FAMILY.metric("cpm", "Mean price paid, by bidder", "metrics:CPM", "fen per thousand impressions", "lower")
ecpc = _FAMILY.metric("ecpc", "Cost over expected clicks, by bidder", "metrics:ECPC", "fen per click", "lower")
budget_spent = _FAMILY.metric(
    "budget_spent", "Cost over budget, by bidder", "metrics:BudgetSpent", "share of budget", "none"
)
bid_multiplier = _FAMILY.metric(
    "bid_multiplier", "Present multiplier of steered bidders", "metrics:BidMultiplier", "ratio", "none"
)
