"""Settings of the learning oracles; light, because the plugin descriptor refers to them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class LearnedOracleSettings(Settings):
    """What both learning oracles share."""

    steps: int = Field(default=50_000, ge=1, le=10**10, description="Own decisions sampled per response.")
    hidden: int = Field(default=128, ge=1, le=65_536, description="Units of a hidden layer.")
    layers: int = Field(default=2, ge=1, le=16, description="Hidden layers.")
    features: Literal["auto", "tensor", "one_hot"] = Field(
        default="auto",
        description="What the network sees: OpenSpiel's information-state tensors, or the infoset's number; auto: "
        "tensors where OpenSpiel has them",
    )
    output: Literal["greedy", "sampled"] = Field(
        default="greedy", description="The response plays the best-looking actions, or the trained probabilities."
    )
    warm_start: bool = Field(
        default=False, description="Begin with the network of the population's policy that the selector names."
    )
    discount: float = Field(default=1.0, gt=0, le=1, description="Discount factor gamma.")


class PPOOracleSettings(LearnedOracleSettings):
    """Best responses by PPO."""

    batch: int = Field(default=2048, ge=1, description="Decisions per update.")
    lanes: int = Field(default=64, ge=1, description="Episodes side by side.")
    epochs: int = Field(default=4, ge=1, description="Passes over a batch.")
    minibatch: int = Field(default=256, ge=1, description="Decisions per gradient step.")
    lr: float = Field(default=3e-4, gt=0, description="Adam learning rate of policy and value.")
    clip: float = Field(default=0.2, gt=0, description="Half width of the trusted probability ratios.")
    trace: float = Field(default=0.95, ge=0, le=1, description="Lambda of generalised advantage estimation.")
    entropy_start: float = Field(default=0.01, ge=0, description="Entropy weight at the start.")
    entropy_end: float = Field(default=0.001, ge=0, description="Entropy weight at the end, reached linearly.")


class DQNOracleSettings(LearnedOracleSettings):
    """Best responses by deep Q-learning; responses are greedy, or epsilon-greedy with ``output: sampled``."""

    lanes: int = Field(default=64, ge=1, description="Episodes side by side.")
    replay: int = Field(default=100_000, ge=1, description="Transitions kept.")
    minibatch: int = Field(default=128, ge=1, description="Transitions per gradient step.")
    train_every: int = Field(default=16, ge=1, description="Decisions per gradient step.")
    target_every: int = Field(default=500, ge=1, description="Decisions between copies to the target network.")
    lr: float = Field(default=1e-3, gt=0, description="Adam learning rate.")
    epsilon_start: float = Field(default=1.0, ge=0, le=1, description="Exploration at the start.")
    epsilon_end: float = Field(default=0.05, ge=0, le=1, description="Exploration after the decay.")
    epsilon_decay: float = Field(default=0.2, gt=0, le=1, description="Share of the steps over which it decays.")


MODELS: dict[str, type[LearnedOracleSettings]] = {"ppo": PPOOracleSettings, "dqn": DQNOracleSettings}


def oracle_settings(name: str, params: dict[str, Any]) -> LearnedOracleSettings | None:
    """Return the settings of a learning oracle, ``None`` for the exact ones.

    Raises:
        ValueError: If an exact oracle is given parameters, or a parameter is wrong (pydantic's error).
    """
    if name in MODELS:
        return MODELS[name].model_validate(params)
    if params:
        raise ValueError(f"oracle_params belong to the oracles {', '.join(MODELS)}; oracle {name!r} has none")
    return None
