"""Settings of the agents for decision environments; light."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings


class CascadingVISettings(Settings):
    """Parameters of CascadingVI."""

    scale: float = Field(default=0.1, ge=0.0, le=100.0, description="Factor c of the bonuses; 1 is the theory")
    delta: float = Field(default=0.05, gt=0.0, lt=1.0, description="Probability with which the bounds may fail")


class CascadingGreedySettings(Settings):
    """Parameters of epsilon-greedy learning of cascading processes."""

    epsilon: float = Field(default=0.1, ge=0.0, le=1.0, description="Probability of a random list in a step")


class RestlessRuleSettings(Settings):
    """Which rule pulls the arms."""

    rule: Literal["null", "random", "sampling", "iterative", "myopic", "whittle", "lagrangian", "optimal"] = Field(
        default="myopic",
        description="null: nobody; random: a random maximal feasible set; sampling: best of 100 random sets; iterative: "
        "greedy by one-step gain; myopic: best one-step gain; whittle, lagrangian: best sum of indices; optimal: "
        "exact programme (at most 6 arms)",
    )


class SequoiaSettings(Settings):
    """Parameters of SEQUOIA: a cost network inside the choice of feasible actions."""

    hidden: tuple[int, int] = Field(default=(8, 8), description="Units of the two hidden layers")
    decide: Literal["enumerate", "milp", "iterative"] = Field(
        default="enumerate",
        description="Minimise the network over all feasible sets; milp: by an integer program; iterative: add the "
        "control that lowers the cost most, one after the other (the baseline iterative DQN)",
    )
    discount: float = Field(default=0.99, ge=0.0, le=1.0, description="Discount")
    rate: float = Field(default=2.5e-4, gt=0.0, le=1.0, description="Step size of AdamW")
    rate_decay: float = Field(default=0.9, gt=0.0, le=1.0, description="Factor of the step size after each episode")
    batch: int = Field(default=32, ge=1, le=100_000, description="Transitions per gradient step")
    buffer: int = Field(default=10_000, ge=100, le=10_000_000, description="Transitions kept; a tenth is filled first")
    target_rate: float = Field(default=1e-6, gt=0.0, le=1.0, description="Soft update of the target network")
    pretrain: int = Field(default=300, ge=0, le=100_000, description="Epochs of myopic pre-training")
    explore: float = Field(default=0.9, ge=0.0, le=1.0, description="First exploration probability")
    explore_end: float = Field(default=0.05, ge=0.0, le=1.0, description="Last exploration probability")
    explore_decay: float = Field(default=1000.0, gt=0.0, le=1e9, description="Steps of its exponential decay")


class FeedRuleSettings(Settings):
    """Which rule recommends."""

    rule: Literal["uniform", "watch", "quality"] = Field(
        default="watch", description="uniform; watch: the most watch time of the next item; quality: the best item"
    )


class FeedACSettings(Settings):
    """Parameters of actor-critics for the feed."""

    worlds: int = Field(default=64, ge=1, le=100_000, description="Users served in parallel")
    steps: int = Field(default=16, ge=1, le=10_000, description="Items shown to each user per update")
    hidden: int = Field(default=32, ge=1, le=4096, description="Units of the hidden layer")
    rate: float = Field(default=1e-2, gt=0.0, le=1.0, description="Step size of actors")
    critic_rate: float = Field(default=1e-2, gt=0.0, le=1.0, description="Step size of critics")
    discount: float = Field(default=0.99, ge=0.0, le=1.0, description="Discount of the main reward")
    auxiliary_discount: float = Field(default=0.95, ge=0.0, le=1.0, description="Discount of auxiliary rewards")
    trace: float = Field(default=0.5, ge=0.0, le=1.0, description="Trace decay of advantages")
    critic_trace: float = Field(default=0.95, ge=0.0, le=1.0, description="Trace decay of the critic's targets")
    passes: int = Field(default=4, ge=1, le=1000, description="Gradient steps per update")
    clip: float = Field(default=0.2, gt=0.0, lt=1.0, description="Clip of the probability ratio in later passes")
    entropy: float = Field(default=0.001, ge=0.0, le=10.0, description="Weight of the entropy bonus")


class TSCACSettings(FeedACSettings):
    """Parameters of two-stage constrained actor-critic."""

    multipliers: tuple[float, float] = Field(
        default=(0.0125, 0.0125),
        description="lambda of likes and shares, above 0, against main advantages of unit deviation",
    )
    first_stage: float = Field(
        default=0.25, ge=0.0, lt=1.0, description="Part of the budget spent on the auxiliary policies"
    )
    auxiliary_entropy: float = Field(
        default=0.02, ge=0.0, le=10.0, description="Weight of the entropy bonus of the auxiliary policies"
    )
    weight_cap: float = Field(default=20.0, gt=0.0, le=1e6, description="Largest weight of a sample")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        for k, value in enumerate(self.multipliers):
            if not 0.0 < value <= 1e6:
                raise ValueError(f"multipliers[{k}] must lie in (0, 1e6], got {value!r}")
        return self
