"""Descriptors of the simulated advertising markets and their metrics."""

from __future__ import annotations

from equilibria.games.auctions.simulators.gym_settings import AuctionGymSettings, AuctionGymViewSettings
from equilibria.games.auctions.simulators.net_settings import (
    AuctionNetLogSettings,
    AuctionNetSettings,
    AuctionNetViewSettings,
)
from equilibria.sim.plugin import Family

CONTEXTUAL, AUTOBIDDING, LOGGED = ("contextual_auctions",), ("autobidding",), ("autobidding_log",)

_FAMILY = Family(package="equilibria.games.auctions.simulators", engines=("population",), forms=CONTEXTUAL)

auction_gym = _FAMILY.game(
    "auction_gym",
    "Repeated ad auctions with contextual click rates (AuctionGym's model)",
    "gym:build",
    AuctionGymSettings,
    reference="Jeunen, Murphy, Allison (2023), Off-Policy Learning-to-Bid with AuctionGym, KDD",
    view="environments:build_gym",
    view_settings=AuctionGymViewSettings,
)
auction_net = _FAMILY.game(
    "auction_net",
    "48 advertisers with budgets and CPA limits in a three-slot auction (AuctionNet's model)",
    "net:build",
    AuctionNetSettings,
    forms=AUTOBIDDING,
    reference="Su et al. (2024), AuctionNet, NeurIPS Datasets and Benchmarks, arXiv 2412.10798",
    view="environments:build_net",
    view_settings=AuctionNetViewSettings,
)
auction_net_log = _FAMILY.game(
    "auction_net_log",
    "Replay of AuctionNet's csv logs, one advertiser at a time against the least winning costs",
    "net_replay:build",
    AuctionNetLogSettings,
    forms=AUTOBIDDING + LOGGED,
    reference="Su et al. (2024), AuctionNet, NeurIPS Datasets and Benchmarks, arXiv 2412.10798, offline evaluation",
)

_VALUE = "value per iteration"
net_utility = _FAMILY.metric(
    "net_utility", "Value of clicks minus payments, by bidder", "metrics:NetUtility", _VALUE, "higher"
)
gross_utility = _FAMILY.metric("gross_utility", "Value of clicks, by bidder", "metrics:GrossUtility", _VALUE, "higher")
allocation_regret = _FAMILY.metric(
    "allocation_regret",
    "Value lost by choosing other ads than the best, by bidder",
    "metrics:AllocationRegret",
    _VALUE,
    "lower",
)
estimation_regret = _FAMILY.metric(
    "estimation_regret",
    "Estimated minus true value of chosen ads, by bidder",
    "metrics:EstimationRegret",
    _VALUE,
    "none",
)
overbid_regret = _FAMILY.metric(
    "overbid_regret", "Price above the second bid in auctions won, by bidder", "metrics:OverbidRegret", _VALUE, "lower"
)
underbid_regret = _FAMILY.metric(
    "underbid_regret",
    "Price above the own bid in auctions lost below value, by bidder",
    "metrics:UnderbidRegret",
    _VALUE,
    "lower",
)
ctr_rmse = _FAMILY.metric(
    "ctr_rmse", "Error of click rates, by bidder", "metrics:CTRError", "click probability", "lower"
)
ctr_bias = _FAMILY.metric("ctr_bias", "Estimated over true click rate, by bidder", "metrics:CTRBias", "ratio", "none")
shading = _FAMILY.metric("shading", "Mean bid over estimated value, by bidder", "metrics:Shading", "ratio", "none")
market_totals = _FAMILY.metric("market_totals", "Revenue, welfare and surplus", "metrics:MarketTotals", _VALUE, "none")
bidder_score = _FAMILY.metric(
    "bidder_score",
    "Conversions, discounted beyond the CPA limit, by bidder",
    "metrics:Score",
    "conversions per episode",
    "higher",
    forms=AUTOBIDDING,
)
conversions = _FAMILY.metric(
    "conversions",
    "Conversions, by bidder",
    "metrics:Conversions",
    "conversions per episode",
    "higher",
    forms=AUTOBIDDING,
)
cpa = _FAMILY.metric(
    "cpa", "Cost over conversions, by bidder", "metrics:CPA", "money per conversion", "lower", forms=AUTOBIDDING
)
budget_use = _FAMILY.metric(
    "budget_use", "Cost over budget, by bidder", "metrics:BudgetUse", "share of budget", "none", forms=AUTOBIDDING
)
expected_score = _FAMILY.metric(
    "expected_score",
    "Predicted conversions, discounted beyond the CPA limit, by bidder",
    "metrics:ExpectedScore",
    "expected conversions per trajectory",
    "higher",
    forms=LOGGED,
)
mean_score = _FAMILY.metric(
    "mean_score",
    "Mean score over the trajectories replayed so far, by bidder",
    "metrics:MeanScore",
    "conversions per trajectory",
    "higher",
    forms=LOGGED,
)
