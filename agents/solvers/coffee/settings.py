"""Settings of COffeE-PSRO and of the data it learns from."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class DataSettings(Settings):
    """How the offline data set is generated in simulation."""

    episodes: int = Field(default=2000, ge=1, le=10_000_000, description="Episodes.")
    coverage: float = Field(
        default=0.5, gt=0, le=1, description="Probability that all actions of an infoset are tried, not a random half."
    )


class CoffeeSettings(Settings):
    """COffeE-PSRO; zero for both penalties and for kappa gives plain offline PSRO.

    Defaults were chosen on Kuhn poker with half coverage (28 data sets).
    """

    members: int = Field(default=5, ge=2, le=100, description="Models in the ensemble.")
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
