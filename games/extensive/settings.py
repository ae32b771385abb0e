"""Settings of the games this package compiles; light."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class OpenSpielSettings(Settings):
    """An OpenSpiel game by its string."""

    name: str = Field(
        min_length=1,
        description="OpenSpiel game string, for example leduc_poker(players=3); simultaneous games become turn-based",
    )
    recall: Literal["error", "refine", "history"] = Field(
        default="error",
        description="Infosets that join different own pasts: refuse them, split them by own sequence, or keep them "
        "(history-level solving, no exploitability)",
    )
    max_nodes: int = Field(
        default=50_000_000, ge=1, le=1_000_000_000, description="Largest number of histories to walk before giving up"
    )
