"""Settings of the bidding worlds; light."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings

CampaignName = Literal["1458", "2259", "2261", "2821", "2997", "3358", "3386", "3427", "3476", "uniform"]


class CampaignSettings(Settings):
    """Parameters of a campaign replayed against recorded prices."""

    campaign: CampaignName = Field(
        default="2997", description="Calibrated synthetic campaign, or uniform (theta and price uniform, independent)"
    )
    mode: Literal["burst", "drift", "stationary"] = Field(
        default="burst", description="Movement of synthetic traffic over blocks of 500 requests, and between phases"
    )
    calibrated: bool = Field(default=False, description="Predict the true click probabilities (synthetic campaigns)")
    log: str | None = Field(
        default=None,
        description="Folder with train and test files (.theta.txt, .csv, .parquet or .yzx.txt) instead of a synthetic campaign",
    )
    budget_fraction: float = Field(
        default=0.0625, ge=0.0, le=10.0, description="c0: budget over the cost of all requests at the mean price"
    )
    episode_length: int = Field(default=1000, ge=1, le=1_000_000, description="T, requests per episode")
    train_requests: int = Field(default=400_000, ge=1000, le=50_000_000, description="Training requests (synthetic)")
    test_requests: int = Field(
        default=200_000, ge=1000, le=50_000_000, description="Requests per test batch (synthetic); batches follow"
    )
    objective: Literal["clicks", "profit", "impressions"] = Field(
        default="clicks", description="What bidders maximise; profit values a click at the training cost per click"
    )
    pricing: Literal["second", "first"] = Field(
        default="second", description="What winners pay: the price, or their bid"
    )
    reserve: int = Field(default=0, ge=0, le=300, description="Least price, in the unit of the prices")
    window: int = Field(default=20, ge=1, le=1000, description="Last episodes that the certificate judges")


class MarketSettings(CampaignSettings):
    """Parameters of a market in which bidders meet each other and a residual price."""

    correlation: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Probability that a bidder sees the shared click probability"
    )
    residual: bool = Field(
        default=True, description="A competitor bids the recorded price; false leaves the reserve only"
    )


class StepMarketSettings(Settings):
    """Parameters of a market whose bidders choose a multiplier once per control interval."""

    campaign: CampaignName = Field(default="2997", description="Calibrated synthetic campaign, or uniform")
    mode: Literal["burst", "drift", "stationary"] = Field(default="burst", description="Movement of synthetic traffic")
    bidders: int = Field(default=4, ge=1, le=64, description="Number N of bidders")
    budget_fraction: float = Field(
        default=0.0625, ge=0.0, le=10.0, description="Budget of each over the cost of all requests at the mean price"
    )
    episode_length: int = Field(default=10_000, ge=1, le=1_000_000, description="T, requests per episode")
    interval: int = Field(default=1000, ge=1, le=1_000_000, description="Requests between two decisions; divides T")
    multipliers: tuple[float, ...] = Field(
        default=(0.0, 0.125, 0.25, 0.35, 0.5, 0.71, 1.0, 1.41, 2.0, 4.0),
        min_length=2,
        max_length=100,
        description="Increasing multipliers of the bid that pays the training cost per click",
    )
    correlation: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Probability that a bidder sees the shared click probability"
    )
    train_requests: int = Field(default=100_000, ge=1000, le=50_000_000, description="Training requests")
    test_requests: int = Field(
        default=200_000, ge=1000, le=50_000_000, description="Requests that episodes are cut from"
    )

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        for k, value in enumerate(self.multipliers):
            if not 0.0 <= value <= 1000.0 or (k and value <= self.multipliers[k - 1]):
                raise ValueError(f"multipliers[{k}] must lie in [0, 1000] and above the one before it, got {value!r}")
        return self
