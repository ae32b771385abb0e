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

    method: Literal["bc", "iql", "td3_bc"] = Field(
        default="iql", description="bc: behaviour cloning; iql: implicit Q-learning; td3_bc: TD3 with cloning"
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
    seed: int = Field(default=1, ge=0, le=2**31, description="Seed of the recorded days and of learning")
