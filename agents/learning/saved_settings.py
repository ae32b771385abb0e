"""Settings of players that come from runs."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class FromRunSettings(Settings):
    """A frozen policy of an earlier training run."""

    run: str = Field(min_length=1, description="Run directory, relative to the working directory.")
    role: str = Field(default="", description="Role of the learner in that run; empty when only one learned.")
    greedy: bool = Field(default=False, description="Play the likeliest actions instead of drawing them.")
