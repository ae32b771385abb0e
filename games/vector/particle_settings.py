"""Settings of population-varying worlds; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings

_REWARD = "Who earns what: the team's sum for everybody, own shares, or what the team would lose without the agent."


class ParticleSettings(Settings):
    """A particle world with a fixed number of agents."""

    agents: int = Field(default=6, ge=2, le=128, description="Number of agents N.")
    sites: int = Field(default=6, ge=1, le=20, description="Number of resources or treasures L.")
    reward: Literal["team", "individual", "difference"] = Field(default="team", description=_REWARD)
    horizon: int | None = Field(default=None, ge=1, le=1_000_000, description="Steps of an episode; none: 20 or 50.")


class FamilySettings(Settings):
    """A particle world for several numbers of agents."""

    train: list[int] = Field(default=[6, 9, 12], min_length=1, description="Numbers of agents to train on.")
    unseen: list[int] = Field(default=[3, 15, 18, 24], description="Numbers of agents for evaluation only.")
    sites: int = Field(default=6, ge=1, le=20, description="Number of resources or treasures L.")
    horizon: int | None = Field(default=None, ge=1, le=1_000_000, description="Steps of an episode; none: 20 or 50.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        everything = [*self.train, *self.unseen]
        for n in everything:
            if everything.count(n) > 1:
                raise ValueError(f"train and unseen: {n} agents are listed more than once")
            if not 2 <= n <= 128:
                raise ValueError(f"train and unseen: numbers of agents must lie in 2..128, got {n}")
        return self
