"""Settings of the bidders of contextual auctions; light."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class TruthfulSettings(Settings):
    """Parameters of truthful bidding."""

    allocator: Literal["oracle", "logistic"] = Field(
        default="oracle",
        description="oracle knows click rates; logistic learns them from its clicks and chooses ads by Thompson sampling",
    )
    prior_precision: float = Field(
        default=1.0, gt=0.0, le=1e6, description="Precision of the normal prior of the learned ads, mean 0"
    )


class ShadingSettings(TruthfulSettings):
    """Parameters of empirical shading."""

    gamma_sigma: float = Field(default=0.02, gt=0.0, le=1.0, description="Standard deviation of the shading factor")
    initial: float = Field(default=1.0, ge=0.0, le=1.0, description="First shading factor")
    bucket: float = Field(default=0.005, gt=0.0, le=0.5, description="Width of the buckets of factors")
    least: int = Field(default=10, ge=2, le=100_000, description="Auctions that a bucket needs to count")


class ValueSettings(TruthfulSettings):
    """Parameters of value learning: a win-rate network and a search for the best factor."""

    gamma_sigma: float = Field(
        default=0.02, gt=0.0, le=1.0, description="Standard deviation of the factor around 1 before the first fit"
    )
    epochs: int = Field(default=40, ge=1, le=32_768, description="Passes over the data of an iteration")
    batch: int = Field(default=128, ge=1, le=1_000_000, description="Auctions per gradient step")
    rate: float = Field(default=3e-3, gt=0.0, le=1.0, description="Step size of AMSGrad")
    decay: float = Field(default=1e-6, ge=0.0, le=1.0, description="Weight decay")


class PolicySettings(ValueSettings):
    """Parameters of policy learning."""

    loss: Literal["reinforce", "ips", "ppo", "doubly_robust"] = Field(
        default="doubly_robust",
        description="reinforce: logged data as if on-policy; ips: importance weights; ppo: clipped ratio; "
        "doubly_robust: utility model plus weighted residual",
    )
    gamma_sigma: float = Field(default=0.02, gt=0.0, le=1.0, description="Standard deviation of the factor")
    policy_epochs: int = Field(default=10, ge=1, le=32_768, description="Passes of policy gradients per iteration")
    policy_rate: float = Field(default=2e-3, gt=0.0, le=1.0, description="Step size of the policy")
    ratio_clip: float = Field(default=0.2, gt=0.0, lt=1.0, description="Clip of the probability ratio (ppo)")
    weight_cap: float = Field(default=10.0, gt=0.0, le=1e6, description="Largest importance weight")
