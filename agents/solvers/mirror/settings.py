"""Settings of magnetic mirror descent; light, so that descriptors can import it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings

Form = Literal["behavioural", "sequence"]
Schedule = Literal["constant", "annealing"]
Objective = Literal["standard", "maxent", "minimaxent"]


class MMDSettings(Settings):
    """Parameters of magnetic mirror descent; i is the iteration, counted from 1."""

    form: Form = Field(
        "behavioural",
        description="behavioural: a step at every infoset (any number of players, agent QRE); sequence: dilated "
        "entropy on realisation plans (two-player zero-sum, reduced-normal-form QRE)",
    )
    schedule: Schedule = Field(
        "annealing", description="constant: alpha and eta fixed (QRE); annealing: both divided by sqrt(i) (Nash)"
    )
    alpha: float = Field(1.0, ge=0.0, description="temperature, payoff units per nat; its start when annealing")
    eta: float | None = Field(
        None,
        gt=0.0,
        description="step size; its start when annealing. Default: alpha/10 (constant), 1 (annealing), and in "
        "sequence form alpha / max|A|^2 with A the chance-weighted payoffs",
    )
    magnet_rate: float = Field(
        0.0, ge=0.0, le=1.0, description="rate eta~ at which the magnet moves to the policy; 0 keeps it uniform"
    )
    floor: float = Field(
        1e-10, ge=0.0, lt=0.1, description="least action probability relative to the largest; 0 for exact QRE"
    )
    objective: Objective = Field(
        "standard",
        description="standard: no entropy in the action values; maxent: own later entropy added; minimaxent: own "
        "added and the opponent's subtracted (two players)",
    )


class SearchSettings(Settings):
    """Parameters of update-equivalent search at decision points from a uniform blueprint."""

    eta: float = Field(1.0, gt=0.0, description="step size of the update at the decision point")
    floor: float = Field(1e-10, ge=0.0, lt=0.1, description="least action probability relative to the largest")
    particles: int = Field(
        0, ge=0, description="belief particles per decision point; 0 uses exact beliefs and exact action values"
    )
    rollouts: int = Field(1, ge=1, description="rollouts per particle and action (sampled search)")


class MagneticSearchSettings(SearchSettings):
    """Parameters of magnetic mirror-descent search."""

    alpha: float = Field(0.05, ge=0.0, description="temperature of the pull towards the uniform magnet")
