"""Settings of the decision environments; light."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class CascadingSettings(Settings):
    """Parameters of a random cascading decision process."""

    states: int = Field(default=5, ge=1, le=1000, description="States S")
    items: int = Field(default=8, ge=1, le=1000, description="Items N")
    longest: int = Field(default=3, ge=1, le=50, description="Longest list m")
    horizon: int = Field(default=3, ge=1, le=1000, description="Steps H of an episode")
    attraction: float = Field(default=0.6, gt=0.0, le=1.0, description="Attraction probabilities are U[0, this]")


class RestlessSettings(Settings):
    """Parameters of coupled restless bandits."""

    arms: int = Field(default=5, ge=1, le=1000, description="Arms J")
    workers: int = Field(default=2, ge=1, le=1000, description="Workers n, also the number of good arms B")
    horizon: int = Field(default=20, ge=1, le=1000, description="Steps H of an episode")
    coupling: Literal["capacity", "schedule", "path", "interventions"] = Field(
        default="capacity",
        description="capacity: pulled arms are packed into the workers' capacities; schedule: each pulled arm needs a "
        "worker of its own with a common time slot; path: a closed walk through a graph visits the pulled arms, as many "
        "as workers; interventions: as many as workers act, each on several arms, through a sigmoid",
    )
    walk: int = Field(default=0, ge=0, le=10_000, description="path: most edges of the walk; 0: twice the workers")
    interventions: int = Field(
        default=0, ge=0, le=62, description="interventions: how many there are to choose from; 0: twice the workers"
    )
    episodes: int = Field(default=50, ge=1, le=100_000, description="Episodes that an iteration evaluates")


class FeedSettings(Settings):
    """Parameters of the recommendation feed."""

    items: int = Field(default=20, ge=2, le=1000, description="Items K")
    horizon: int = Field(default=50, ge=1, le=1000, description="Longest session")
    clickbait: float = Field(default=1.5, ge=0.0, le=10.0, description="Weight of clickbait in the watch time")
    fatigue: float = Field(default=0.05, ge=0.0, le=1.0, description="Fatigue that full clickbait adds")
    recovery: float = Field(default=0.1, ge=0.0, le=1.0, description="Fatigue that full quality takes away")
    leaving: float = Field(default=0.03, ge=0.0, le=0.5, description="Probability of leaving without fatigue, per item")
    tired_leaving: float = Field(default=0.1, ge=0.0, le=0.5, description="Further probability at full fatigue")
