"""Settings of sealed-bid auctions on grids; light, so that descriptors can import them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from equilibria.sim.plugin import Settings

RuleName = Literal["first_price", "second_price", "all_pay", "war_of_attrition"]


class SealedBidSettings(Settings):
    """One item, private values on a grid, bids on a grid, ties split evenly."""

    rule: RuleName = Field(default="first_price", description="payment rule")
    bidders: int = Field(default=2, ge=1, le=12, description="number of bidders")
    priors: list[dict[str, Any]] = Field(
        default=[{"family": "uniform", "low": 0.0, "high": 1.0}],
        min_length=1,
        description="value distribution of each bidder, or one for all, as in the mechanism myerson",
    )
    types: int = Field(default=21, ge=2, le=5000, description="number K of values of each bidder's grid")
    bids: int = Field(default=21, ge=2, le=5000, description="number of bids of the common grid")
    top_bid: float | None = Field(default=None, gt=0, description="highest bid; empty for the highest value")
    reserve: float = Field(default=0.0, ge=0, description="reserve price; lower bids do not take part")
    allowed: Literal["any", "at_most_value", "below_value"] = Field(
        default="any", description="which bids a type may make; a type without such a bid may bid the lowest"
    )


class SealedBidTreeSettings(Settings):
    """The same auction as an extensive-form game; small grids only."""

    rule: RuleName = Field(default="first_price", description="payment rule")
    bidders: int = Field(default=2, ge=1, le=6, description="number of bidders")
    priors: list[dict[str, Any]] = Field(
        default=[{"family": "uniform", "low": 0.0, "high": 1.0}],
        min_length=1,
        description="value distribution of each bidder, or one for all, as in the mechanism myerson",
    )
    types: int = Field(default=6, ge=2, le=100, description="number K of values of each bidder's grid")
    bids: int = Field(default=6, ge=2, le=100, description="number of bids of the common grid")
    top_bid: float | None = Field(default=None, gt=0, description="highest bid; empty for the highest value")
    reserve: float = Field(default=0.0, ge=0, description="reserve price; lower bids do not take part")
