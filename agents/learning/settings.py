"""Settings of the learning core; the defaults are those for small tasks.

Source: Yu et al. (2022), MAPPO, arXiv 2103.01955, and its code; Tomar et al. (2022), MDPO, arXiv 2005.09814.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings


class PPOSettings(Settings):
    """One update: collect ``worlds`` x ``steps`` samples, then ``epochs`` passes of gradient steps."""

    worlds: int = Field(default=256, ge=1, le=1_048_576, description="Parallel worlds B.")
    steps: int = Field(default=32, ge=1, le=100_000, description="Steps T of every world between two updates.")
    epochs: int = Field(default=4, ge=1, le=10_000, description="Passes over the collected samples.")
    minibatches: int = Field(
        default=4, ge=1, le=100_000, description="Minibatches per pass; the last one may be smaller."
    )
    actor_lr: float = Field(default=7e-4, gt=0, description="Adam learning rate of the policy.")
    critic_lr: float = Field(default=7e-4, gt=0, description="Adam learning rate of the critic.")
    lr_decay: Literal["none", "linear"] = Field(
        default="none", description="linear: both learning rates fall to 0 over the run's budget."
    )
    discount: float = Field(default=0.99, ge=0, le=1, description="Discount factor gamma.")
    trace: float = Field(default=0.95, ge=0, le=1, description="Lambda of generalised advantage estimation.")
    clip: float = Field(default=0.2, gt=0, description="Half width epsilon of the trusted probability ratios.")
    entropy_weight: float = Field(default=0.01, ge=0, description="Weight of the entropy bonus.")
    value_clip: float | None = Field(
        default=0.2, gt=0, description="Half width of the clipped value predictions; none: no clipping."
    )
    huber: float = Field(default=10.0, gt=0, description="Error at which the value loss turns linear.")
    max_grad_norm: float = Field(default=10.0, gt=0, description="Gradient norm limit, for actor and critic apart.")
    target_kl: float | None = Field(
        default=None, gt=0, description="Stop the passes of an update at 1.5 times this KL; none: never."
    )
    hidden: int = Field(default=64, ge=1, le=65_536, description="Units of a hidden layer.")
    layers: int = Field(default=2, ge=1, le=16, description="Hidden layers.")
    activation: Literal["tanh", "relu"] = Field(default="tanh", description="Activation of hidden layers.")
    input_norm: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Layer normalisation of observations; auto: on from 3 entries up unless they lie in [0, 1].",
    )
    recurrent: bool = Field(default=False, description="A GRU after the hidden layers of actor and critic.")
    chunk: int = Field(default=8, ge=1, description="Steps through which gradients of the GRU flow; divides steps.")
    share: Literal["all", "by_type", "none"] = Field(
        default="all", description="Which agents share weights: all, those of one role, or none."
    )
    agent_ids: bool = Field(default=True, description="Agents that share weights see a one-hot agent number.")
    critic: Literal["central", "own"] = Field(
        default="central", description="Critic input: observations of all agents (MAPPO) or the own one (IPPO)."
    )
    values: Literal["agent", "team"] = Field(
        default="agent", description="agent: each agent learns from its reward; team: all from the mean reward."
    )
    value_norm_decay: float = Field(
        default=0.99, gt=0, lt=1, description="Decay of the return statistics; .99999 as published for long runs."
    )
    value_norm: Literal["shared", "per_agent"] = Field(
        default="shared", description="One set of return statistics, or one per agent (rewards of different scale)."
    )
    advantage_norm: Literal["buffer", "minibatch", "per_agent", "none"] = Field(
        default="buffer", description="Where advantages get mean 0 and deviation 1."
    )
    time_limit: Literal["bootstrap", "terminal"] = Field(
        default="bootstrap", description="terminal: treat truncation as an end, as published MAPPO numbers do."
    )
    update: Literal["ppo", "mdpo"] = Field(
        default="ppo", description="Clipped ratios, or mirror descent with a KL term whose weight grows."
    )
    reference_decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Clip ratios to an average of past policies with this decay per gradient step (PPO-EWMA); none: off.",
    )
    base_worlds: int | None = Field(
        default=None,
        ge=1,
        description="Worlds that minibatches and rates are meant for; with more worlds they are adapted by scaling.",
    )
    scaling: Literal["minibatches", "sqrt_rate"] = Field(
        default="minibatches",
        description="minibatches: their number grows with the worlds, all else stays (the recipe); sqrt_rate: "
        "their size grows and the rates with its root (for comparison).",
    )
    certificate_updates: int = Field(
        default=10, ge=1, le=100_000, description="Updates of each best response that the certificate trains."
    )
    certificate_episodes: int = Field(
        default=512, ge=2, le=1_000_000, description="Episodes on each side of the certificate's comparison."
    )

    @property
    def scale(self) -> float:
        """Number of worlds in units of ``base_worlds``; 1 when that is not given."""
        return self.worlds / self.base_worlds if self.base_worlds else 1.0

    @property
    def parts(self) -> int:
        """Minibatches per pass after scaling."""
        return max(1, round(self.minibatches * self.scale)) if self.scaling == "minibatches" else self.minibatches

    @property
    def rate_factor(self) -> float:
        """Factor of both learning rates after scaling."""
        return float(self.scale**0.5) if self.scaling == "sqrt_rate" else 1.0

    @model_validator(mode="after")
    def _chunks_fit(self) -> Self:
        if self.recurrent and self.steps % self.chunk:
            raise ValueError(f"chunk ({self.chunk}) must divide steps ({self.steps})")
        return self


class MAPPOSettings(PPOSettings):
    """PPO for teams: the critic sees all observations."""


class IPPOSettings(PPOSettings):
    """Independent PPO: the critic sees the own observation only."""

    critic: Literal["central", "own"] = Field(
        default="own", description="Critic input: observations of all agents (MAPPO) or the own one (IPPO)."
    )


class MDPOSettings(PPOSettings):
    """Mirror descent policy optimisation: several full-batch steps on ratio times advantage minus KL / t_k."""

    epochs: int = Field(default=10, ge=1, le=10_000, description="Gradient steps m per update.")
    minibatches: int = Field(
        default=1, ge=1, le=100_000, description="Minibatches per pass; the last one may be smaller."
    )
    entropy_weight: float = Field(default=0.0, ge=0, description="Weight of the entropy bonus.")
    update: Literal["ppo", "mdpo"] = Field(
        default="mdpo", description="Clipped ratios, or mirror descent with a KL term whose weight grows."
    )
