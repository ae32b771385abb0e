"""Settings of the preference solvers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from equilibria.sim.errors import InvalidValue
from equilibria.sim.plugin import Settings


class SPPOSettings(Settings):
    """Self-play preference optimisation: multiplicative weights against the present policy."""

    step: float | None = Field(
        default=None, gt=0, le=1e4, description="Step size eta; empty for sqrt(8 ln n / budget)."
    )
    output: Literal["average", "last"] = Field(default="average", description="Which policy is reported.")


class SPOSettings(Settings):
    """Self-play preference optimisation from sampled responses that judge each other."""

    step: float = Field(default=0.1, gt=0, le=1e3, description="Step size of the policy-gradient step on log weights.")
    samples: int = Field(default=8, ge=2, description="Responses drawn per step; each is judged by the others.")
    output: Literal["average", "last"] = Field(default="average", description="Which policy is reported.")


class INPOSettings(Settings):
    """Iterative Nash policy optimisation: mirror descent on the game regularised towards a reference."""

    tau: float = Field(default=0.1, gt=0, le=1e3, description="Weight of the KL regularisation.")
    step: float | None = Field(
        default=None, gt=0, description="Inverse step eta >= tau, constant; empty for the schedule tau (t + 2) / 2."
    )
    reference: list[float] | None = Field(
        default=None, description="Reference policy, all entries > 0; empty: uniform."
    )

    @model_validator(mode="after")
    def _check_step(self) -> INPOSettings:
        if self.step is not None and self.step < self.tau:
            # a ValueError, so that pydantic reports it with its place
            raise InvalidValue(f"step (eta) must be at least tau = {self.tau!r}, got {self.step!r}")
        return self
