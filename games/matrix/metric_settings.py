"""Settings of the metric of this package."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class SolverNumbersSettings(Settings):
    """Which of the solver's own numbers to record."""

    keys: list[str] = Field(default=[], description="Keys to record, empty for all.")
