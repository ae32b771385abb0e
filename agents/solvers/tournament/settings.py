"""Settings of the tournament solver."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class TournamentSettings(Settings):
    """Round-robin tournament followed by replicator dynamics."""

    horizon: float = Field(
        default=1000.0, gt=0, le=1e6, description="Time of the replicator dynamics; one unit per payoff unit per turn."
    )
