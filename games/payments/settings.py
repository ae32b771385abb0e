"""Settings of the payment world; light."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings


class PaymentsSettings(Settings):
    """Parameters of a payment processor's transactions."""

    batch: int = Field(default=20_000, ge=10, le=10_000_000, description="Transactions per generation")
    features: int = Field(default=8, ge=1, le=256, description="Numeric features d, standard normal")
    issuers: int = Field(default=20, ge=1, le=255, description="Card issuers, equally frequent")
    actions: int = Field(default=10, ge=2, le=255, description="Optimisations K")
    availability: float = Field(
        default=0.7, gt=0.0, le=1.0, description="Probability that an action is feasible, independently"
    )
    least_actions: int = Field(default=2, ge=1, le=255, description="Least number of feasible actions")
    base: float = Field(default=2.0, ge=-20.0, le=20.0, description="Log-odds beta_0 of an average transaction")
    issuer_deviation: float = Field(default=0.5, ge=0.0, le=20.0, description="Standard deviation of issuer effects")
    weight_deviation: float = Field(
        default=0.3, ge=0.0, le=20.0, description="Standard deviation of the score w_a . x of an action"
    )
    pair_deviation: float = Field(
        default=0.4, ge=0.0, le=20.0, description="Standard deviation of effects of action and issuer"
    )
    late: float = Field(
        default=0.1, ge=0.0, lt=1.0, description="Share of the feedback that arrives one generation late"
    )
    drift: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Standard deviation of each weight's step from one generation to the next",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.least_actions > self.actions:
            raise ValueError(f"least_actions must be at most actions ({self.actions}), got {self.least_actions}")
        k, p = self.actions, self.availability
        enough = sum(math.comb(k, j) * p**j * (1.0 - p) ** (k - j) for j in range(self.least_actions, k + 1))
        if enough < 0.01:  # sets are drawn until they are large enough
            raise ValueError(
                f"only {enough:.1e} of the drawn sets have least_actions {self.least_actions}; raise availability"
            )
        return self


class PaymentsViewSettings(PaymentsSettings):
    """Parameters of the world as a PettingZoo environment; generations are short by default."""

    batch: int = Field(default=200, ge=10, le=10_000_000, description="Transactions per generation")
    generations: int = Field(default=5, ge=1, le=1_000_000, description="Generations of an episode")
