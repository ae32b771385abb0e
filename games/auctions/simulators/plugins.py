"""Descriptors of the simulated advertising markets and their metrics."""

from __future__ import annotations

from typing import Literal

from equilibria.games.auctions.simulators.gym_settings import AuctionGymSettings
from equilibria.games.auctions.simulators.net_settings import AuctionNetSettings
from equilibria.sim.plugin import Plugin

_HERE = "equilibria.games.auctions.simulators"
CONTEXTUAL, AUTOBIDDING = ("contextual_auctions",), ("autobidding",)

auction_gym = Plugin(
    kind="game",
    name="auction_gym",
    summary="Repeated ad auctions with contextual click rates (AuctionGym's model)",
    target=f"{_HERE}.gym:build",
    settings=AuctionGymSettings,
    engines=("population",),
    forms=CONTEXTUAL,
    reference="Jeunen, Murphy, Allison (2023), Off-Policy Learning-to-Bid with AuctionGym, KDD",
)
auction_net = Plugin(
    kind="game",
    name="auction_net",
    summary="48 advertisers with budgets and CPA limits in a three-slot auction (AuctionNet's model)",
    target=f"{_HERE}.net:build",
    settings=AuctionNetSettings,
    engines=("population",),
    forms=AUTOBIDDING,
    reference="Su et al. (2024), AuctionNet, NeurIPS Datasets and Benchmarks, arXiv 2412.10798",
)


def _metric(
    name: str, attribute: str, forms: tuple[str, ...], summary: str, unit: str,
    direction: Literal["lower", "higher", "none"],
) -> Plugin:  # fmt: skip
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{attribute}",
        engines=("population",),
        forms=forms,
        unit=unit,
        direction=direction,
    )


_VALUE = "value per iteration"
net_utility = _metric(
    "net_utility", "NetUtility", CONTEXTUAL, "Value of clicks minus payments, by bidder", _VALUE, "higher"
)
gross_utility = _metric("gross_utility", "GrossUtility", CONTEXTUAL, "Value of clicks, by bidder", _VALUE, "higher")
allocation_regret = _metric("allocation_regret", "AllocationRegret", CONTEXTUAL,
                            "Value lost by choosing other ads than the best, by bidder", _VALUE, "lower")  # fmt: skip
estimation_regret = _metric("estimation_regret", "EstimationRegret", CONTEXTUAL,
                            "Estimated minus true value of chosen ads, by bidder", _VALUE, "none")  # fmt: skip
overbid_regret = _metric("overbid_regret", "OverbidRegret", CONTEXTUAL,
                         "Price above the second bid in auctions won, by bidder", _VALUE, "lower")  # fmt: skip
underbid_regret = _metric("underbid_regret", "UnderbidRegret", CONTEXTUAL,
                          "Price above the own bid in auctions lost below value, by bidder", _VALUE, "lower")  # fmt: skip
ctr_rmse = _metric("ctr_rmse", "CTRError", CONTEXTUAL, "Error of click rates, by bidder", "click probability", "lower")
ctr_bias = _metric("ctr_bias", "CTRBias", CONTEXTUAL, "Estimated over true click rate, by bidder", "ratio", "none")
shading = _metric("shading", "Shading", CONTEXTUAL, "Mean bid over estimated value, by bidder", "ratio", "none")
market_totals = _metric("market_totals", "MarketTotals", CONTEXTUAL, "Revenue, welfare and surplus", _VALUE, "none")
bidder_score = _metric("bidder_score", "Score", AUTOBIDDING, "Conversions, discounted beyond the CPA limit, by bidder",
                       "conversions per episode", "higher")  # fmt: skip
conversions = _metric("conversions", "Conversions", AUTOBIDDING, "Conversions, by bidder",
                      "conversions per episode", "higher")  # fmt: skip
cpa = _metric("cpa", "CPA", AUTOBIDDING, "Cost over conversions, by bidder", "money per conversion", "lower")
budget_use = _metric("budget_use", "BudgetUse", AUTOBIDDING, "Cost over budget, by bidder", "share of budget", "none")
