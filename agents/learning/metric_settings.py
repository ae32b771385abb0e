"""Settings of the metrics of training runs."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class EvaluationSettings(Settings):
    """Fresh episodes with frozen policies."""

    episodes: int = Field(default=256, ge=1, le=1_000_000, description="Episodes to play.")
    greedy: bool = Field(default=False, description="Play the likeliest actions instead of drawing them.")


class LearningNumbersSettings(Settings):
    """Which numbers to record."""

    names: list[str] = Field(
        default=["entropy", "approx_kl", "clip_fraction", "explained_variance", "policy_loss", "value_loss"],
        min_length=1,
        description="Names of numbers of the learner, such as entropy, last_kl or data_to_divergence.",
    )
