"""Settings of the AuctionGym world; light."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings


class AuctionGymSettings(Settings):
    """Parameters of AuctionGym's model: repeated single-slot auctions with contextual click rates."""

    agents: int = Field(default=6, ge=1, le=1000, description="Bidders N")
    participants: int = Field(default=2, ge=1, le=1000, description="Bidders P drawn per auction, at most N")
    items: int = Field(default=12, ge=1, le=1000, description="Ads per bidder")
    embedding_size: int = Field(default=5, ge=1, le=256, description="Entries d of the context")
    embedding_var: float = Field(
        default=1.0, gt=0.0, le=100.0, description="Standard deviation sigma of contexts and ads"
    )
    observed_size: int = Field(
        default=4, ge=1, le=256, description="Entries of the context that bidders see, at most d"
    )
    rounds: int = Field(default=10_000, ge=1, le=10_000_000, description="Auctions per iteration")
    pricing: Literal["second", "first"] = Field(
        default="second", description="What winners pay: second bid or their own"
    )
    grid: int = Field(
        default=150, ge=1, le=10_000, description="Shading factors up to 1.5 that the certificate tries, beside 0"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.participants > self.agents:
            raise ValueError(f"participants must be at most agents ({self.agents}), got {self.participants}")
        if self.observed_size > self.embedding_size:
            raise ValueError(
                f"observed_size must be at most embedding_size ({self.embedding_size}), got {self.observed_size}"
            )
        return self


class AuctionGymViewSettings(AuctionGymSettings):
    """Parameters of the model as a PettingZoo environment; episodes are short by default."""

    rounds: int = Field(default=100, ge=1, le=10_000_000, description="Auctions per episode")
