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


class DesignerSettings(Settings):
    """Projected Adam ascent of a designer's payoff."""

    rate: float = Field(default=0.05, gt=0, description="First learning rate; falls to a hundredth.")
    temperature: float = Field(default=0.5, gt=0, description="First temperature of the agents' response.")
    final_temperature: float = Field(default=0.05, gt=0, description="Last temperature.")
    ignore_response: bool = Field(default=False, description="Follow the naive gradient as if agents did not react.")
    samples: int | None = Field(
        default=None, ge=2, le=10_000_000, description="Roll-outs per step to estimate the gradient from; none: exact."
    )
