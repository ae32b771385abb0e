"""Settings of the auto-bidders; light."""

from __future__ import annotations

from typing import Literal

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


class OfflineSettings(Settings):
    """Parameters of bidders that learn from logged days."""

    method: Literal["bc", "iql", "td3_bc", "bcq", "cql", "mopo", "combo"] = Field(
        default="iql",
        description="bc: behaviour cloning; iql: implicit Q-learning; td3_bc: TD3 with cloning; bcq: batch-constrained "
        "Q-learning; cql: conservative Q-learning; mopo, combo: with rollouts of learned models",
    )
    log: str | None = Field(
        default=None,
        description="AuctionNet csv file or folder to learn from; null: recorded days of the simulated market, or the "
        "periods of a replayed log that are not evaluated",
    )
    periods: tuple[int, ...] | None = Field(
        default=None, min_length=1, description="Delivery periods of log to learn from; null: all"
    )
    days: int = Field(default=20, ge=1, le=10_000, description="Days that are recorded, 48 trajectories each")
    updates: int = Field(default=4000, ge=0, le=10_000_000, description="Gradient steps")
    batch: int = Field(default=512, ge=1, le=1_000_000, description="Transitions per gradient step")
    rate: float = Field(default=1e-3, gt=0.0, le=1.0, description="Step size of Adam")
    hidden: int = Field(default=64, ge=1, le=4096, description="Units of the two hidden layers")
    expectile: float = Field(default=0.8, gt=0.0, lt=1.0, description="iql: expectile of V")
    temperature: float = Field(
        default=3.0, ge=0.0, le=1000.0, description="iql: sharpness beta of the policy's weights"
    )
    ambition: float = Field(default=2.5, ge=0.0, le=1000.0, description="td3_bc: weight alpha of Q against cloning")
    target_rate: float = Field(default=0.05, gt=0.0, le=1.0, description="Step of slow target networks per update")
    caution: float | None = Field(
        default=None,
        ge=0.0,
        le=1000.0,
        description="cql, combo: weight of pushing values outside the log down; null: 1 for cql, 0.1 for combo",
    )
    doubt: float = Field(
        default=0.1,
        ge=0.0,
        le=1000.0,
        description="mopo: penalty per deviation of the models, in deviations of returns",
    )
    members: int = Field(default=4, ge=1, le=100, description="mopo, combo: models of the ensemble")
    model_updates: int = Field(
        default=1500, ge=0, le=10_000_000, description="mopo, combo: gradient steps of the models"
    )
    horizon: int = Field(default=3, ge=1, le=1000, description="mopo, combo: steps of a rollout")
    seed: int = Field(default=1, ge=0, le=2**31, description="Seed of the recorded days and of learning")
