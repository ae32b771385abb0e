"""Settings of the body-reservoir agent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equilibria.sim.errors import InvalidValue
from equilibria.sim.plugin import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class BodySettings(Settings):
    """The echo state network and how it is trained and habituated."""

    dimension: int = Field(default=30, ge=1, le=2000, description="Number of units d.")
    radius: float = Field(default=0.9, gt=0, lt=2, description="Spectral radius of the initial recurrent weights.")
    radius_method: Literal["eigenvalue", "power"] = Field(
        default="eigenvalue",
        description="How the radius is measured; power (300 products) is biased for complex leading eigenvalues.",
    )
    state_noise: float = Field(default=0.15, ge=0, description="Deviation of the noise added outside the tanh.")
    habituation: int = Field(default=200, ge=0, le=10_000, description="Epochs of mutual cooperation before play.")
    epoch: int = Field(default=500, ge=1, description="Steps per epoch.")
    learning: float = Field(default=0.01, ge=0, le=1, description="Rate of Oja's rule after each epoch.")
    ridge: float = Field(
        default=4.0, ge=0, description="Ridge penalty of the readout's weights (0.001 * 4000 samples)."
    )


class SentinelSettings(Settings):
    """How receptivity follows discomfort."""

    rest: Share = Field(default=0.85, description="Receptivity alpha at rest and at the start.")
    minimum: Share = Field(default=0.05, description="Lowest receptivity.")
    recovery: float = Field(default=0.05, ge=0, le=1, description="Rate of return to rest.")
    drop: float = Field(default=0.5, ge=0, description="Fall per unit of discomfort above the threshold.")
    threshold: float = Field(default=0.1, ge=0, description="Discomfort theta that is tolerated.")
    weights: tuple[Share, Share, Share] = Field(
        default=(0.3, 0.3, 0.4), description="Weights of state drift, habit drift and conflict; they sum to 1."
    )
    memory: float = Field(default=0.98, ge=0, lt=1, description="Memory of the running baselines.")

    @model_validator(mode="after")
    def _check(self) -> SentinelSettings:
        if abs(sum(self.weights) - 1) > 1e-9:
            raise InvalidValue(f"weights must sum to 1, got {self.weights} with sum {sum(self.weights)!r}")
        if self.minimum > self.rest:
            raise InvalidValue(f"minimum must not exceed rest = {self.rest!r}, got {self.minimum!r}")
        return self


class BRGSettings(Settings):
    """The body-reservoir agent in a repeated dilemma."""

    body: BodySettings = Field(default_factory=BodySettings, description="The reservoir.")
    sentinel: SentinelSettings = Field(default_factory=SentinelSettings, description="The sentinel.")
    alpha: Share | None = Field(
        default=None, description="Fixed receptivity (0 tit-for-tat, 1 body alone); empty: the sentinel decides."
    )
    replicas: int = Field(default=20, ge=1, le=10_000, description="Independent agents (and opponents) run together.")
    complexity: Literal["none", "gaussian", "neighbours"] = Field(
        default="none",
        description="Also report action variance, complexity cost and free energies after the burn-in, and how the cost "
        "is estimated: fitted normals or 5 nearest neighbours (0.1 s per replica and 1500 rounds).",
    )
    burn_in: int = Field(default=500, ge=0, description="Rounds that variance, complexity and free energy leave out.")
