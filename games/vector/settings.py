"""Settings of the cooperative games that scenarios name."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.games.vector.payoffs import reward_by_ones
from equilibria.sim.plugin import Settings


class CoordinationSettings(Settings):
    """The coordination game with its valley between all ones and all zeros."""

    agents: int = Field(default=3, ge=2, le=10, description="Number of agents n; there are 2^n states.")
    noise: float = Field(default=0.1, ge=0, le=0.5, description="Probability that an agent's bit flips.")
    margin: int | None = Field(
        default=None, ge=0, description="Largest narrow majority; none: 1, 1, 2, 3 for 2, 3, 5, 10 agents."
    )
    discount: float = Field(default=0.95, ge=0, lt=1, description="Discount factor gamma.")
    start: Literal["uniform", "published"] = Field(
        default="uniform", description="Weight of each start state: 2^-n, or the 1/n of the published code."
    )

    @model_validator(mode="after")
    def _margin_fits(self) -> Self:
        reward_by_ones(self.agents, self.margin)
        return self


class PenaltySettings(Settings):
    """The penalty game."""

    penalty: float = Field(default=-10.0, le=0, description="Payoff k of the two miscoordinated corners.")


class TeamMatrixSettings(Settings):
    """A common-payoff matrix game of two agents."""

    payoffs: list[list[float]] = Field(min_length=1, description="Payoff of both agents, by row and column action.")
