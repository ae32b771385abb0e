"""The scenario schema, version 1, as frozen models.

``params`` of each entry are checked separately, by the settings model of the plugin that ``use``
names (see ``resolve``).
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from equilibria.sim.plugin import Settings
from equilibria.sim.seeds import MAX_SEED

SCHEMA_VERSION: Final = 1
MAX_MEMBERS: Final = 100_000
_PARAMS = "Parameters of the part; `equilibria describe NAME` lists them."


class GameEntry(Settings):
    """The world in which agents meet."""

    use: str = Field(description="Name of the game; `equilibria list games` shows all.")
    params: dict[str, Any] = Field(default_factory=dict, description=_PARAMS)
    engine: str | None = Field(default=None, description="Engine that hosts the game; the game's default if left out.")


class AgentEntry(Settings):
    """Who plays which roles."""

    role: str = Field(default="all", min_length=1, description="Role of the game this entry plays, or `all`.")
    use: str = Field(description="Name of the agent or solver; `equilibria list agents` shows all.")
    params: dict[str, Any] = Field(default_factory=dict, description=_PARAMS)


class MechanismEntry(Settings):
    """Rules a designer chooses."""

    use: str = Field(description="Name of the mechanism; `equilibria list mechanisms` shows all.")
    params: dict[str, Any] = Field(default_factory=dict, description=_PARAMS)


class MetricEntry(Settings):
    """A number to record."""

    use: str = Field(description="Name of the metric; `equilibria list metrics` shows all.")
    params: dict[str, Any] = Field(default_factory=dict, description=_PARAMS)
    every: int = Field(default=1, ge=1, description="Record at units 0, every, 2*every, ... and at the last unit.")


class TableEntry(Settings):
    """A wide table to record."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", max_length=64, description="Name of a table that the engine offers."
    )
    every: int = Field(default=1, ge=1, description="Record at units 0, every, 2*every, ...")
    sample: int | None = Field(default=None, ge=1, description="Rows drawn once per run; all if left out.")


class RunEntry(Settings):
    """How long, from which seed, with how many threads."""

    budget: int = Field(ge=1, le=2**53, description="Units to run (iterations, periods, episodes or updates).")
    seed: int = Field(default=0, ge=0, le=MAX_SEED, description="Root of every random number of the run.")
    checkpoint_every: int | None = Field(
        default=None, ge=1, description="Units between checkpoints; a tenth of the budget if left out."
    )
    threads: int = Field(default=1, ge=1, le=1024, description="Threads of compiled kernels; never changes results.")


class SeedRange(Settings):
    """Seed numbers of a sweep; number i stands for the i-th member seed derived from ``run.seed``."""

    start: int = Field(default=0, ge=0, le=2**31, description="First seed number.")
    count: int = Field(ge=1, le=MAX_MEMBERS, description="Number of seeds.")


class SweepEntry(Settings):
    """Many runs from one scenario: the product of the grid, each with every seed."""

    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="Dotted path to the values it takes, for example agents.0.use: [cfr, dcfr]."
    )
    seeds: SeedRange | None = Field(default=None, description="Seeds of each grid point; the run's seed if left out.")


class Scenario(Settings):
    """A scenario file."""

    version: int = Field(description="Version of the scenario schema; 1.")
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="Name of the experiment; letters, digits, '.', '_' and '-', starting with a letter or digit.",
    )
    description: str = Field(default="", description="What the scenario shows.")
    game: GameEntry = Field(description="The game.")
    agents: list[AgentEntry] = Field(default_factory=list, description="Who plays; empty for built-in rules.")
    mechanisms: list[MechanismEntry] = Field(default_factory=list, description="Rules a designer chooses.")
    metrics: list[MetricEntry] = Field(default_factory=list, description="Numbers to record.")
    tables: list[TableEntry] = Field(default_factory=list, description="Wide tables to record.")
    run: RunEntry = Field(description="Budget, seed, checkpoints, threads.")
    sweep: SweepEntry | None = Field(default=None, description="Many runs from this scenario.")
