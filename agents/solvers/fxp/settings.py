"""Settings of the team solvers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings

Rule = Literal["sp", "fp", "fsp", "replicator", "mwu", "forel", "rm"]
Meta = Literal["lp", "fp"]


class LearningSettings(Settings):
    """How a team policy is trained against a mixture of opponents."""

    rate: float = Field(
        default=0.1, gt=0, le=0.5, description="Step size; one member per iteration moves by twice that."
    )
    minimum: int = Field(default=50, ge=0, description="Iterations before convergence is accepted.")
    limit: int = Field(default=1000, ge=1, description="Iterations at most per training.")


class FXPSettings(LearningSettings):
    """Fictitious cross-play."""

    self_weight: float = Field(
        default=0.3, ge=0, le=1, description="Weight eta of self-play in the main team's training."
    )
    meta: Meta = Field(default="lp", description="Meta-solver: linear program, or 999 rounds of fictitious play.")
    reset_main: bool = Field(default=False, description="Train the main team from uniform in every generation.")


class TeamPSROSettings(LearningSettings):
    """Policy-space response oracles with team best responses."""

    meta: Literal["lp", "fp", "uniform"] = Field(
        default="lp", description="Whom to respond to: Nash by lp or fp, or uniform."
    )


class TeamODOSettings(LearningSettings):
    """Online double oracle."""

    step: float = Field(default=1.0, gt=0, description="Step size of the multiplicative weights update.")


class SelfPlaySettings(Settings):
    """Simultaneous learning of all members in self-play."""

    rate: float = Field(default=0.1, gt=0, le=0.5, description="Step size.")
    self_weight: float = Field(
        default=0.99, ge=0, le=1, description="Weight of the present team as opponent (fsp only)."
    )
    sampled: int = Field(default=20, ge=1, description="Past selves drawn per iteration (fp and fsp only).")
    output: Literal["last", "average"] = Field(
        default="last", description="Report the last policy or the mixture of all."
    )
