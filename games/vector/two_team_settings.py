"""Settings of the two-team worlds; light."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class MiniBattleSettings(Settings):
    """A small battle on a square field."""

    members: int = Field(default=2, ge=1, le=8, description="Members N of a team.")
    size: int = Field(default=7, ge=3, le=100, description="Side of the field, with room for N where red starts.")
    start: Literal["apart", "close"] = Field(
        default="apart", description="Red starts in its third of the field, or in the column left of the middle."
    )
    health: int = Field(default=3, ge=1, le=1000, description="Hits that kill.")
    horizon: int = Field(default=30, ge=1, le=100_000, description="Steps of an episode.")
    hit: float = Field(default=0.1, ge=0, description="Team reward of a hit.")
    kill: float = Field(default=1.0, ge=0, description="Team reward of a kill.")
    win: float = Field(default=1.0, ge=0, description="Team reward of more survivors at the end.")
