"""Settings of deep fictitious cross-play and the methods it is compared with; light."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.agents.learning.settings import MAPPOSettings


class DeepFXPSettings(MAPPOSettings):
    """Fictitious cross-play; the learners' own settings are those of MAPPO."""

    worlds: int = Field(default=128, ge=1, le=1_048_576, description="Parallel worlds B of each learner.")
    values: Literal["agent", "team"] = Field(
        default="team", description="agent: each agent learns from its reward; team: all from the mean reward."
    )
    p_self: float = Field(default=0.2, ge=0, le=1, description="Chance that the main team meets itself.")
    p_past_main: float = Field(default=0.4, ge=0, le=1, description="Chance that it meets a past main team.")
    p_past_counter: float = Field(default=0.4, ge=0, le=1, description="Chance that it meets a past counter team.")
    p_current_counter: float = Field(
        default=0.0, ge=0, le=1, description="Chance that it meets the counter team in training."
    )
    meta: Literal["uniform", "nash"] = Field(
        default="uniform",
        description="Who is met among the past: all alike by the chances above, or (but for p_self) the equilibrium of "
        "the sampled cross-play matrix; counter teams then meet the main teams' part of it.",
    )
    counter: bool = Field(default=True, description="Train counter teams.")
    snapshot_every: int = Field(default=50, ge=1, le=10_000_000, description="Updates between two snapshots.")
    reset_main: bool = Field(default=False, description="Train the main team anew after each snapshot.")
    reset_counter: bool = Field(default=False, description="Train the counter team anew after each snapshot.")
    match_episodes: int = Field(
        default=64, ge=2, le=1_000_000, description="Episodes per pair of snapshots in the cross-play matrix."
    )
    certify: Literal["main", "meta"] = Field(
        default="main", description="What the certificate is about: the main team, or the meta-strategy's mixture."
    )
    certificate_updates: int = Field(
        default=50, ge=1, le=100_000, description="Updates of each best response that the certificate trains."
    )

    @model_validator(mode="after")
    def _chances_fit(self) -> Self:
        total = self.p_self + self.p_past_main + self.p_past_counter + self.p_current_counter
        if abs(total - 1) > 1e-9:
            raise ValueError(f"p_self, p_past_main, p_past_counter and p_current_counter must sum to 1, got {total!r}")
        if not self.counter and self.p_past_counter + self.p_current_counter > 0:
            raise ValueError("without counter teams p_past_counter and p_current_counter must be 0")
        if self.meta == "nash" and self.p_current_counter > 0:
            raise ValueError("with meta 'nash' p_current_counter must be 0: the matrix holds past teams only")
        return self


class DeepSelfPlaySettings(DeepFXPSettings):
    """Self-play: the team meets its present self only."""

    p_self: float = Field(default=1.0, ge=0, le=1, description="Chance that the main team meets itself.")
    p_past_main: float = Field(default=0.0, ge=0, le=1, description="Chance that it meets a past main team.")
    p_past_counter: float = Field(default=0.0, ge=0, le=1, description="Chance that it meets a past counter team.")
    counter: bool = Field(default=False, description="Train counter teams.")


class DeepFictitiousSelfPlaySettings(DeepSelfPlaySettings):
    """Fictitious self-play: the team meets itself and its past selves."""

    p_self: float = Field(default=0.2, ge=0, le=1, description="Chance that the main team meets itself.")
    p_past_main: float = Field(default=0.8, ge=0, le=1, description="Chance that it meets a past main team.")


class DeepTeamPSROSettings(DeepSelfPlaySettings):
    """PSRO with trained team best responses: a fresh team against the past ones, snapshot after snapshot."""

    p_self: float = Field(default=0.0, ge=0, le=1, description="Chance that the main team meets itself.")
    p_past_main: float = Field(default=1.0, ge=0, le=1, description="Chance that it meets a past main team.")
    reset_main: bool = Field(default=True, description="Train the main team anew after each snapshot.")
