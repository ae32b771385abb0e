"""Settings of meta representations for agents; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from equilibria.sim.plugin import Settings

Attend = Literal["others", "entities"]
"""What latents choose among: the other agents, or the other agents and the sites."""


class MRASettings(Settings):
    """Multi-modal latent policies for population-varying games, trained on all populations in turn."""

    latents: int = Field(default=6, ge=1, le=64, description="Number of latent modes H; 1 is a shared single policy.")
    attend: Attend = Field(
        default="entities",
        description="What a latent's pattern of attention chooses among: others as published, or others and sites.",
    )
    worlds: int = Field(default=96, ge=1, le=65_536, description="Parallel worlds per population; one episode each.")
    reward: Literal["team", "individual", "difference"] = Field(
        default="difference",
        description="What agents learn from: the team's sum, their share, or what the team would lose without them.",
    )
    discount: float = Field(default=0.95, ge=0, le=1, description="Discount factor gamma.")
    trace: float = Field(default=0.95, ge=0, le=1, description="Trace lambda of the advantage estimate.")
    actor_rate: float = Field(default=1e-2, gt=0, description="Learning rate of policy and relation networks.")
    critic_rate: float = Field(default=5e-3, gt=0, description="Learning rate of the critic.")
    weight_decay: float = Field(default=0.0, ge=0, description="Weight decay of all optimisers; 3e-4 as published.")
    epochs: int = Field(default=3, ge=1, le=100, description="Passes over the data of an update.")
    minibatches: int = Field(default=3, ge=1, le=1000, description="Gradient steps per population and pass.")
    clip: float = Field(default=0.2, gt=0, description="Half width of the trusted probability ratios.")
    entropy_weight: float = Field(default=0.003, ge=0, description="Weight of the entropy bonus.")
    max_grad_norm: float = Field(default=0.5, gt=0, description="Largest norm of a gradient.")
    relation_return: bool = Field(
        default=True, description="Whether the return trains the relation network too, not only the information."
    )
    information_steps: int = Field(
        default=2, ge=0, le=1000, description="Relation updates for mutual information per update; 0 for none."
    )
    information_rate: float = Field(default=1e-2, gt=0, description="Learning rate of those updates.")
    information_target: float | None = Field(
        default=0.3,
        ge=0,
        description="Level of information in nats at which they pause; none for never.",
    )
    resamples: int = Field(default=5, ge=2, le=1000, description="Latents K behind an information estimate.")
    information_batch: int = Field(default=64, ge=1, description="Joint samples per population of such an update.")
    task_rate: float = Field(default=3e-4, gt=0, description="Learning rate of task encoder and predictor.")
    task_steps: int = Field(default=1, ge=0, le=1000, description="Encoder updates per update; 0 for none.")
    embed_self: bool = Field(
        default=True, description="Whether the policy sees its own state beside the attended others."
    )
    meta_rate: float = Field(
        default=0.0,
        ge=0,
        description="Step of the inner adaptation of the relation network in first-order meta training; 0 for none.",
    )
    evaluation_worlds: int = Field(default=200, ge=2, le=1_000_000, description="Episodes per population to evaluate.")
    greedy: bool = Field(default=True, description="Evaluate and adapt with the likeliest actions, not drawn ones.")
    adaptation_steps: int = Field(default=20, ge=0, le=1000, description="Gradient steps m of a few-shot adaptation.")
    adaptation_rate: float = Field(default=0.05, gt=0, description="Learning rate of the latent logits.")
    adaptation_worlds: int = Field(default=12, ge=2, le=100_000, description="Episodes per adaptation step.")
    adaptation_relation_rate: float = Field(
        default=0.0, ge=0, description="Learning rate of the relation network when adapting; 0 freezes it."
    )
    adaptation_policy_rate: float = Field(
        default=0.0, ge=0, description="Learning rate of the policy network when adapting; 0 freezes it."
    )


class PopulationReturnSettings(Settings):
    """Which populations to evaluate."""

    agents: list[int] = Field(
        default_factory=list, description="Numbers of agents, each at least 2; empty for all of the family."
    )

    @field_validator("agents")
    @classmethod
    def _large_enough(cls, agents: list[int]) -> list[int]:
        for n in agents:
            if not 2 <= n <= 128:
                raise ValueError(f"numbers of agents must lie in 2..128, got {n}")
        return agents
