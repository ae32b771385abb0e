"""Settings of the payment bandits; light."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings

Scheme = Literal["uniform", "greedy", "epsilon_greedy", "softmax", "square_cb", "fast_cb"]


class PaymentBanditSettings(Settings):
    """Parameters of a bandit that learns predicted rewards by regression and explores by them."""

    exploration: Scheme = Field(
        default="square_cb",
        description="uniform; greedy: the action predicted best; epsilon_greedy; softmax; square_cb: inverse gap "
        "weighting; fast_cb: the same in units of the least predicted loss",
    )
    epsilon: float = Field(default=0.1, ge=0.0, le=1.0, description="Probability of a uniform action (epsilon_greedy)")
    temperature: float = Field(default=0.02, gt=0.0, le=100.0, description="Temperature of softmax")
    gamma: float = Field(default=1000.0, ge=0.0, le=1e12, description="gamma, or gamma_0 of the power schedule")
    schedule: Literal["constant", "power", "theory"] = Field(
        default="constant",
        description="gamma of square_cb and fast_cb: constant; power: gamma_0 t^power for transaction t from 1; theory: "
        "sqrt(K T / regression_regret) for all T transactions of the run",
    )
    power: float = Field(default=0.5, ge=0.0, le=2.0, description="Exponent of the power schedule")
    regression_regret: float = Field(
        default=1000.0, gt=0.0, le=1e12, description="Square-loss regret of the regression, for the theory schedule"
    )
    memory: int = Field(
        default=1, ge=1, le=1000, description="Generations whose arriving feedback the model is fitted to"
    )
    oracle: Literal["trees", "logistic"] = Field(
        default="trees", description="Gradient boosted trees, or a logistic regression per action around a common one"
    )
    iterations: int = Field(default=100, ge=1, le=10_000, description="Largest number of trees")
    rate: float = Field(default=0.1, gt=0.0, le=1.0, description="Shrinkage of each tree")
    leaves: int = Field(default=31, ge=2, le=1024, description="Leaves of a tree")
    least_samples: int = Field(default=20, ge=1, le=1_000_000, description="Least observations in a leaf")
    patience: int = Field(
        default=10, ge=0, le=10_000, description="Trees without a better held-out loss before the fit stops; 0: never"
    )
    held_out: float = Field(default=0.1, gt=0.0, lt=1.0, description="Share held out when patience is above 0")
    precision: float = Field(
        default=10.0, gt=0.0, le=1e6, description="Precision of an action's regression around the common one (logistic)"
    )
    judged: int = Field(default=20_000, ge=100, le=10_000_000, description="Fresh transactions behind the certificate")
