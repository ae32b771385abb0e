"""Descriptors of the bidding worlds and their metrics."""

from __future__ import annotations

from typing import Literal

from equilibria.games.auctions.rtb.settings import CampaignSettings, MarketSettings, StepMarketSettings
from equilibria.sim.plugin import Plugin

_HERE = "equilibria.games.auctions.rtb"
FORMS = ("bidding",)
_REFERENCE = "Cai et al. (2017), Real-Time Bidding by Reinforcement Learning in Display Advertising, WSDM"

rtb_campaign = Plugin(
    kind="game",
    name="rtb_campaign",
    summary="Bidders replayed one by one against the recorded prices of an advertising campaign",
    target=f"{_HERE}.world:build_campaign",
    settings=CampaignSettings,
    engines=("population",),
    forms=FORMS,
    reference=_REFERENCE,
)
rtb_market = Plugin(
    kind="game",
    name="rtb_market",
    summary="Budgeted bidders who meet in every request of a campaign's traffic",
    target=f"{_HERE}.world:build_market",
    settings=MarketSettings,
    engines=("population",),
    forms=FORMS,
    reference=_REFERENCE + "; the market of several bidders is ours",
)
rtb_steps = Plugin(
    kind="game",
    name="rtb_steps",
    summary="Budgeted bidders who choose a bid multiplier per control interval, for learners and PettingZoo",
    target=f"{_HERE}.steps:build",
    settings=StepMarketSettings,
    engines=("training",),
    forms=("vector",),
    reference=_REFERENCE + "; the market and its steps are ours",
)


def _metric(
    name: str, attribute: str, summary: str, unit: str, direction: Literal["lower", "higher", "none"]
) -> Plugin:
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{attribute}",
        engines=("population",),
        forms=FORMS,
        unit=unit,
        direction=direction,
    )


campaign_clicks = _metric(
    "campaign_clicks", "CampaignClicks", "Expected clicks won so far, by bidder", "clicks", "higher"
)
win_rate = _metric("win_rate", "WinRate", "Impressions over requests, by bidder", "share of requests", "none")
cpm = _metric("cpm", "CPM", "Mean price paid, by bidder", "fen per thousand impressions", "lower")
ecpc = _metric("ecpc", "ECPC", "Cost over expected clicks, by bidder", "fen per click", "lower")
budget_spent = _metric("budget_spent", "BudgetSpent", "Cost over budget, by bidder", "share of budget", "none")
bid_multiplier = _metric("bid_multiplier", "BidMultiplier", "Present multiplier of steered bidders", "ratio", "none")
