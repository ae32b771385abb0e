"""Metrics of the simulated advertising markets; one value per bidder, the key is its label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from equilibria.sim.plugin import NoSettings

Direction = Literal["lower", "higher", "none"]


class _Column:
    """A column of the world by bidder, of the last iteration or episode."""

    name: str
    unit: str
    direction: Direction
    columns: tuple[str, ...]

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the value by bidder."""
        values = np.asarray(view.column(self.columns[0]), np.float64)
        return dict(zip(view.game.labels, values.tolist(), strict=True))


class NetUtility(_Column):
    """Value of clicks minus payments."""

    name = "net_utility"
    unit = "value per iteration"
    direction: Direction = "higher"
    columns = ("net_utility",)


class GrossUtility(_Column):
    """Value of clicks."""

    name = "gross_utility"
    unit = "value per iteration"
    direction: Direction = "higher"
    columns = ("gross_utility",)


class AllocationRegret(_Column):
    """Expected value of the best ad minus that of the chosen one, summed over auctions taken part in."""

    name = "allocation_regret"
    unit = "value per iteration"
    direction: Direction = "lower"
    columns = ("allocation_regret",)


class EstimationRegret(_Column):
    """Estimated minus true value of the chosen ads, summed."""

    name = "estimation_regret"
    unit = "value per iteration"
    direction: Direction = "none"
    columns = ("estimation_regret",)


class OverbidRegret(_Column):
    """Price minus second bid, summed over auctions won."""

    name = "overbid_regret"
    unit = "value per iteration"
    direction: Direction = "lower"
    columns = ("overbid_regret",)


class UnderbidRegret(_Column):
    """Price minus own bid, summed over auctions lost at a price below the true value."""

    name = "underbid_regret"
    unit = "value per iteration"
    direction: Direction = "lower"
    columns = ("underbid_regret",)


class CTRError(_Column):
    """Root mean square error of click rates over auctions taken part in."""

    name = "ctr_rmse"
    unit = "click probability"
    direction: Direction = "lower"
    columns = ("ctr_rmse",)


class CTRBias(_Column):
    """Mean ratio of estimated to true click rate over auctions won; 1 without bias, 0 if nothing was won."""

    name = "ctr_bias"
    unit = "ratio"
    direction: Direction = "none"
    columns = ("ctr_bias",)


class Shading(_Column):
    """Mean bid over estimated value."""

    name = "shading"
    unit = "ratio"
    direction: Direction = "none"
    columns = ("shading",)


class Score(_Column):
    """Conversions times min(1, (CPA limit / CPA)^2)."""

    name = "bidder_score"
    unit = "conversions per episode"
    direction: Direction = "higher"
    columns = ("score",)


class Conversions(_Column):
    """Conversions."""

    name = "conversions"
    unit = "conversions per episode"
    direction: Direction = "higher"
    columns = ("conversions",)


class CPA(_Column):
    """Cost over conversions (over 1 if there are none)."""

    name = "cpa"
    unit = "money per conversion"
    direction: Direction = "lower"
    columns = ("cpa",)


class BudgetUse(_Column):
    """Cost over budget of an episode."""

    name = "budget_use"
    unit = "share of budget"
    direction: Direction = "none"
    columns = ("cost", "budget")

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the share by bidder."""
        share = np.asarray(view.column("cost"), np.float64) / np.asarray(view.column("budget"), np.float64)
        return dict(zip(view.game.labels, share.tolist(), strict=True))


class ExpectedScore(_Column):
    """Predicted conversions times min(1, (CPA limit / CPA)^2), without the luck of the draws."""

    name = "expected_score"
    unit = "expected conversions per trajectory"
    direction: Direction = "higher"
    columns = ("expected_score",)


class MeanScore(_Column):
    """Score, averaged over the trajectories so far."""

    name = "mean_score"
    unit = "conversions per trajectory"
    direction: Direction = "higher"
    columns = ("mean_score",)


class MarketTotals:
    """Revenue (payments), welfare (value of clicks) and surplus (welfare minus revenue), summed over bidders."""

    name: str = "market_totals"
    unit: str = "value per iteration"
    direction: Direction = "none"
    columns = ("paid", "gross_utility", "net_utility")

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the three sums."""
        keys = ("revenue", "welfare", "surplus")
        return {key: float(np.sum(view.column(c))) for key, c in zip(keys, self.columns, strict=True)}
