"""Settings of COffeE-PSRO and of the data it learns from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class DataSettings(Settings):
    """How the offline data set is generated in simulation."""

    episodes: int = Field(default=2000, ge=1, le=10_000_000, description="Episodes.")
    coverage: float = Field(
        default=0.5, gt=0, le=1, description="Probability that all actions of an infoset are tried, not a random half."
    )


class NetworkSettings(Settings):
    """Networks of the neural ensemble."""

    hidden: int = Field(default=128, ge=1, le=4096, description="Units of each of the two hidden layers.")
    epochs: int = Field(default=200, ge=1, le=100_000, description="Epochs at most; training stops early.")
    rate: float = Field(default=1e-3, gt=0, le=1, description="Adam's learning rate.")
    batch: int = Field(default=256, ge=1, description="Decision steps per gradient step.")


class CoffeeSettings(Settings):
    """COffeE-PSRO; zero for both penalties and for kappa gives plain offline PSRO.

    Defaults were chosen on Kuhn poker with half coverage (28 data sets).
    """

    members: int = Field(default=5, ge=2, le=100, description="Models in the ensemble.")
    model: Literal["tabular", "neural"] = Field(
        default="tabular",
        description="What stands for actions that were never tried: payoffs drawn from the observed range and the "
        "largest uncertainty, or what an ensemble of networks predicts (extra: learn).",
    )
    network: NetworkSettings = Field(default_factory=NetworkSettings, description="Used by model: neural.")
    prior: float = Field(default=0.1, gt=0, description="Dirichlet weight of every observed and the unknown successor.")
    kappa: float = Field(default=0.3, ge=0, description="Width of the payoff bounds in deviations.")
    step_uncertainty: float = Field(default=0.05, ge=0, description="Weight c_u of step uncertainty in the deviation.")
    own_penalty: float = Field(
        default=0.02, ge=0, description="lambda_r in units of the payoff range: own uncertainty."
    )
    strategic_penalty: float = Field(default=1.0, ge=0, description="lambda_s: uncertainty of opponents' deviations.")
    explore: float = Field(
        default=0.25, ge=0, le=1, description="Probability of responding to the exploration mixture."
    )
    data: DataSettings = Field(default_factory=DataSettings, description="Data set, when made from the game.")
