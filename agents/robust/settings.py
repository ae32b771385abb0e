"""Settings of the robust solvers."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class IWOCSSettings(Settings):
    """A growing list of worst-case models."""

    tolerance: float = Field(default=1e-9, ge=0, description="Largest gap between promise and worst case to stop at.")


class Exp3IXSettings(Settings):
    """A bandit over discovered policies."""

    rate: float = Field(default=2.0, gt=0, description="Multiplier of the learning rate sqrt(ln K / (K T)).")
    delta: float = Field(default=0.0, ge=0, description="Gain that is not worth another policy.")
    first: int = Field(default=0, ge=0, description="Policy the discovery begins with.")


class EnsembleSettings(Settings):
    """A bandit over the policies of earlier runs; a round is an episode."""

    runs: list[str] = Field(
        min_length=1, max_length=100, description="Run directories whose last policies are the arms."
    )
    role: str = Field(default="", description="Role of the learner in those runs; empty when only one learned.")
    low: float = Field(description="Return that counts as reward 0.")
    high: float = Field(description="Return that counts as reward 1.")
    rate: float = Field(default=2.0, gt=0, description="Multiplier of the learning rate sqrt(ln K / (K T)).")
    greedy: bool = Field(default=False, description="Arms choose their likeliest actions.")
    certificate_episodes: int = Field(default=256, ge=2, le=1_000_000, description="Episodes per policy at the end.")


class DesignerSettings(Settings):
    """Projected Adam ascent of a designer's payoff."""

    rate: float = Field(default=0.05, gt=0, description="First learning rate; falls to a hundredth.")
    temperature: float = Field(default=0.5, gt=0, description="First temperature of the agents' response.")
    final_temperature: float = Field(default=0.05, gt=0, description="Last temperature.")
    ignore_response: bool = Field(default=False, description="Follow the naive gradient as if agents did not react.")
    samples: int | None = Field(
        default=None, ge=2, le=10_000_000, description="Roll-outs per step to estimate the gradient from; none: exact."
    )
