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


class SpreadSettings(Settings):
    """Cooperative navigation."""

    agents: int = Field(default=3, ge=1, le=1000, description="Number of agents and of landmarks.")
    local_ratio: float = Field(default=0.5, ge=0, le=1, description="Weight of own collisions in the reward.")
    horizon: int = Field(default=25, ge=1, le=1_000_000, description="Steps of an episode.")


class AlohaSettings(Settings):
    """Slotted Aloha on a ladder of agents."""

    rows: int = Field(default=2, ge=1, le=8, description="Rows of the ladder.")
    columns: int = Field(default=5, ge=1, le=8, description="Columns of the ladder.")
    arrival: float = Field(default=0.6, ge=0, le=1, description="Probability of an arrival per agent and slot.")
    capacity: int = Field(default=5, ge=1, le=1000, description="Largest backlog.")
    horizon: int = Field(default=20, ge=1, le=1_000_000, description="Slots of an episode.")


class CoordinationWorldSettings(Settings):
    """The coordination game, sampled."""

    agents: int = Field(default=3, ge=2, le=1000, description="Number of agents n.")
    noise: float = Field(default=0.1, ge=0, le=0.5, description="Probability that an agent's bit flips.")
    margin: int | None = Field(
        default=None, ge=0, description="Largest narrow majority; none: 1, 1, 2, 3 for 2, 3, 5, 10 agents."
    )
    horizon: int = Field(default=25, ge=1, le=1_000_000, description="Steps of an episode.")


class TeamMatrixWorldSettings(Settings):
    """A common-payoff matrix game, sampled."""

    payoffs: list[list[float]] = Field(
        default=[[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]],
        min_length=1,
        description="Payoff of both agents, by row and column action; the default is the climbing game.",
    )
    horizon: int = Field(default=1, ge=1, le=1_000_000, description="Plays of an episode.")


class ChainSettings(Settings):
    """The chain process."""

    states: int = Field(default=5, ge=2, le=10_000, description="Number of states.")
    discount: float = Field(default=0.95, ge=0, lt=1, description="Discount factor of the exact values.")
    horizon: int = Field(default=32, ge=1, le=1_000_000, description="Steps until an episode is cut.")


class LinearQuadraticSettings(Settings):
    """A linear state with quadratic costs."""

    pull: float = Field(default=1.0, description="Factor a of the state.")
    push: float = Field(default=0.5, description="Effect b of an action, not 0.")
    state_cost: float = Field(default=1.0, gt=0, description="Cost q of the squared state.")
    action_cost: float = Field(default=0.2, gt=0, description="Cost r of the squared action.")
    noise: float = Field(default=0.3, ge=0, description="Standard deviation of the noise on the state.")
    discount: float = Field(default=0.9, ge=0, lt=1, description="Discount factor of the exact values.")
    horizon: int = Field(default=32, ge=1, le=1_000_000, description="Steps until an episode is cut.")


class RandomProcessSettings(Settings):
    """A dense random Markov decision process."""

    states: int = Field(default=10, ge=1, le=1000, description="Number of states.")
    actions: int = Field(default=5, ge=1, le=1000, description="Number of actions.")
    discount: float = Field(default=0.95, ge=0, lt=1, description="Discount factor of the exact values.")
    horizon: int = Field(default=32, ge=1, le=1_000_000, description="Steps until an episode is cut.")


class BanditSettings(Settings):
    """A contextual bandit."""

    contexts: int = Field(default=8, ge=1, le=10_000, description="Number of contexts.")
    arms: int = Field(default=4, ge=1, le=10_000, description="Number of arms.")
    noise: float = Field(default=0.5, ge=0, description="Standard deviation of the rewards.")


class RecallSettings(Settings):
    """The memory task."""

    delay: int = Field(default=5, ge=0, le=10_000, description="Steps between the bit and the question.")
