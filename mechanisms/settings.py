"""Settings of the rules; light, so that descriptors can import them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from equilibria.sim.errors import InvalidValue
from equilibria.sim.plugin import Settings


class RuleSettings(Settings):
    """What every rule has."""

    tie: Literal["random", "lowest_index"] = Field(
        default="random", description="who wins a tie: by a hash of (seed, auction, bidder), or the lowest index"
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="seed of the random ties")
    on_over_budget: Literal["clip", "reject", "error"] = Field(
        default="clip", description="a bid above the remaining budget is lowered to it, taken as 0, or refused"
    )

    @property
    def random_ties(self) -> bool:
        """Whether ties are broken by hash."""
        return self.tie == "random"


class ReserveSettings(RuleSettings):
    """A sealed-bid auction of one item with reserve prices."""

    reserve: float | list[float] = Field(
        default=0.0, description="reserve price >= 0, or one per bidder; a bid equal to it wins"
    )
    reserve_mode: Literal["eager", "lazy"] = Field(
        default="eager",
        description="personal reserves: drop bidders below their own first, or let the top bidder clear it",
    )

    @model_validator(mode="after")
    def _check_reserve(self) -> ReserveSettings:
        values = self.reserve if isinstance(self.reserve, list) else [self.reserve]
        for k, value in enumerate(values):
            if not 0 <= value < float("inf"):
                raise InvalidValue(f"reserve[{k}] must be a finite number of at least 0, got {value!r}")
        return self


class SecondPriceSettings(ReserveSettings):
    """The second-price auction, with the soft floor of ad exchanges as an option."""

    soft_floor: float = Field(
        default=0.0,
        ge=0,
        description="above the reserve: winners from here on pay at least this much, lower ones their bid",
    )

    @model_validator(mode="after")
    def _check_floor(self) -> SecondPriceSettings:
        top = max(self.reserve, default=0.0) if isinstance(self.reserve, list) else self.reserve
        if self.soft_floor and self.soft_floor < top:
            raise InvalidValue(f"soft_floor must be 0 (none) or at least the reserve {top!r}, got {self.soft_floor!r}")
        return self


class PostedPriceSettings(RuleSettings):
    """A take-it-or-leave-it price."""

    price: float = Field(default=0.5, ge=0, description="price; buyers are asked in random order until one accepts")


class ClockSettings(RuleSettings):
    """An auction by a clock that moves in steps."""

    reserve: float = Field(default=0.0, ge=0, description="lowest price of the clock")
    clock_step: float = Field(default=0.01, gt=0, description="step of the clock, in money")


class MyersonSettings(RuleSettings):
    """The optimal auction of one item."""

    priors: list[dict[str, Any]] = Field(
        default=[{"family": "uniform", "low": 0.0, "high": 1.0}],
        min_length=1,
        description=(
            "value distribution of each bidder, or one for all: {family: uniform, low, high}, "
            "{family: power, exponent, high}, {family: exponential, mean}, "
            "{family: mixture, weights, lows, highs}"
        ),
    )
    seller_value: float = Field(default=0.0, ge=0, description="value of the unsold item to the seller")


class MultiUnitSettings(RuleSettings):
    """Identical units; each bidder names a non-increasing vector of marginal values."""

    units: int = Field(
        default=2, ge=1, le=1000, description="number k of units for sale, the length of every bid vector"
    )
    monotonise: bool = Field(
        default=False, description="sort vectors that are not non-increasing instead of refusing them"
    )


class UniformPriceSettings(MultiUnitSettings):
    """All units at one price."""

    price_rule: Literal["highest_losing", "lowest_winning"] = Field(
        default="highest_losing", description="which bid makes the price per unit"
    )


class PositionSettings(RuleSettings):
    """Slots with click-through rates, bidders ranked by quality x bid."""

    ctr: list[float] = Field(
        default=[1.0, 0.5], min_length=1, description="click-through rate of each slot, in [0, 1], not increasing"
    )
    quality: list[float] | None = Field(default=None, description="quality > 0 of each bidder; empty ranks by bid")
    reserve: float = Field(default=0.0, ge=0, description="reserve price")
    reserve_kind: Literal["score", "per_click"] = Field(
        default="score", description="the reserve is a least score (quality x bid), or a least bid per click"
    )

    @model_validator(mode="after")
    def _check_slots(self) -> PositionSettings:
        for k, rate in enumerate(self.ctr):
            if not 0 <= rate <= 1:
                raise InvalidValue(f"ctr[{k}] must lie in [0, 1], got {rate!r}")
            if k and rate > self.ctr[k - 1]:
                raise InvalidValue(f"ctr must not increase: ctr[{k}] = {rate!r} is above ctr[{k - 1}]")
        for k, q in enumerate(self.quality or []):
            if not 0 < q < float("inf"):
                raise InvalidValue(f"quality[{k}] must be a finite number above 0, got {q!r}")
        return self


class CombinatorialSettings(RuleSettings):
    """Bundles of different items, XOR bids."""

    items: int = Field(
        default=2, ge=1, le=62, description="number m of items; up to 16 are solved by dynamic programming"
    )
    payment: Literal["vcg", "nearest_vcg", "nearest_zero", "nearest_bid", "first_price"] = Field(
        default="vcg", description="VCG payments, a core-selecting payment by its reference point, or pay as bid"
    )


class LLGSettings(RuleSettings):
    """Two items, two local bidders that want one each, a global bidder that wants both."""

    payment: Literal["vcg", "nearest_vcg", "nearest_zero", "nearest_bid", "first_price"] = Field(
        default="nearest_vcg", description="payment of winning locals"
    )


class DoubleSettings(RuleSettings):
    """Buyers and sellers of single units; the first ``buyers`` participants of a report are buyers."""

    buyers: int = Field(
        default=1, ge=0, le=10**6, description="number of buyers among the participants of a direct report"
    )


class KDoubleSettings(DoubleSettings):
    """Double auction at one price inside the clearing interval."""

    k: float = Field(
        default=0.5, ge=0, le=1, description="weight of the upper end of the clearing interval in the price"
    )
