"""Settings of the auto-bidders; light."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class AutoPIDSettings(Settings):
    """Parameters of the multiplicative controller."""

    start: float = Field(default=15.0, gt=0.0, le=1e6, description="First bid per predicted conversion")
    up: float = Field(default=1.2, ge=1.0, le=10.0, description="Factor when spend is too slow")
    down: float = Field(default=0.7, gt=0.0, le=1.0, description="Factor when spend is too fast")
    slow: float = Field(
        default=0.7, ge=0.0, le=10.0, description="Projected over remaining money below which spend is slow"
    )
    fast: float = Field(
        default=1.1, ge=0.0, le=10.0, description="Projected over remaining money above which it is fast"
    )


class ConstantSettings(Settings):
    """Parameters of constant bids per value."""

    multiplier: float | None = Field(
        default=None, gt=0.0, le=1e6, description="Bid per predicted conversion; null: the CPA limit"
    )


class OnlineProgramSettings(Settings):
    """Parameters of bidding by the dual price of a program over past impressions."""

    start: float = Field(default=50.0, gt=0.0, le=1e6, description="Bid per predicted conversion in the first step")
    window: int = Field(default=4, ge=1, le=48, description="Past steps that stand for the rest of the day")
    sample: int = Field(default=8000, ge=100, le=10_000_000, description="About so many past impressions are used")
    respect_limit: bool = Field(default=True, description="Never bid more than the CPA limit per conversion")
