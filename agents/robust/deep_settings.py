"""Settings of deep IWOCS."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from equilibria.agents.learning.settings import PPOSettings


class DeepIWOCSSettings(PPOSettings):
    """PPO for one model after the other; the worst model of a grid comes next."""

    worlds: int = Field(default=64, ge=1, le=1_048_576, description="Parallel worlds B.")
    updates: int = Field(default=60, ge=1, le=1_000_000, description="PPO updates per model.")
    most: int = Field(default=5, ge=1, le=100, description="Models that are solved at most.")
    search_episodes: int = Field(
        default=256, ge=2, le=1_000_000, description="Episodes per model of the search for the worst one."
    )
    tolerance: float = Field(
        default=0.0, ge=0, description="Gap between promise and worst case to stop at; two standard errors at least."
    )
    discount: float = Field(default=0.95, ge=0, lt=1, description="Discount factor gamma; that of the game.")
    certificate_updates: int = Field(
        default=50, ge=1, le=100_000, description="Updates of the response that the certificate trains."
    )

    @model_validator(mode="after")
    def _no_memory(self) -> Self:
        if self.recurrent:
            raise ValueError("recurrent must be false: the candidate chooses between policies without memory")
        return self

    def learning(self) -> PPOSettings:
        """Return the settings of one learner."""
        return PPOSettings.model_validate(self.model_dump(include=set(PPOSettings.model_fields)))
