"""Metrics of bidding worlds, one value per bidder; the key is the bidder's label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from equilibria.sim.plugin import NoSettings
from equilibria.sim.types import FloatArray

Direction = Literal["lower", "higher", "none"]


class _PerBidder:
    """A ratio of totals; bidders for whom it is undefined so far (nothing won, no click) are left out."""

    name: str
    unit: str
    direction: Direction
    columns: tuple[str, ...]
    factor: float = 1.0

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the value by bidder."""
        values = [np.asarray(view.column(c), np.float64) for c in self.columns]
        over: FloatArray = values[1] if len(values) > 1 else np.ones_like(values[0])
        return {
            label: self.factor * float(values[0][i] / over[i])
            for i, label in enumerate(getattr(view.game, "labels", ()))
            if over[i] > 0.0
        }


class CampaignClicks(_PerBidder):
    """Expected clicks won so far: the sum of true click probabilities over wins (clicks, for logs)."""

    name = "campaign_clicks"
    unit = "clicks"
    direction: Direction = "higher"
    columns = ("expected_clicks",)


class WinRate(_PerBidder):
    """Impressions over requests."""

    name = "win_rate"
    unit = "share of requests"
    direction: Direction = "none"
    columns = ("impressions", "requests")


class CPM(_PerBidder):
    """Cost over impressions: the mean price paid, in money per thousand impressions."""

    name = "cpm"
    unit = "fen per thousand impressions"
    direction: Direction = "lower"
    columns = ("cost", "impressions")


class ECPC(_PerBidder):
    """Cost per click, as the ratio of sums."""

    name = "ecpc"
    unit = "fen per click"
    direction: Direction = "lower"
    columns = ("cost", "expected_clicks")
    factor = 1e-3


class BudgetSpent(_PerBidder):
    """Cost over the budgets of the episodes played."""

    name = "budget_spent"
    unit = "share of budget"
    direction: Direction = "none"
    columns = ("cost", "budget")


class BidMultiplier(_PerBidder):
    """Present multiplier of steered bidders, 1 for others."""

    name = "bid_multiplier"
    unit = "ratio"
    direction: Direction = "none"
    columns = ("multiplier",)
