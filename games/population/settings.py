"""Settings of the population worlds; light, so that ``list`` and ``describe`` need no compiler."""

from __future__ import annotations

import math
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings

Activation = Literal["random-sequential", "simultaneous"]
ACTIVATION = (
    "random-sequential: one agent after the other, in a fresh random order per period; "
    "simultaneous: all on the state at the start of the period"
)
MAX_AGENTS = 100_000_000
MAX_TOTAL = 2**31 - 1
"""Wealth is held in 32 bits."""


def check_total(agents: int, initial_wealth: int) -> None:
    """Raise ``ValueError`` (pydantic reports it with the position) when total wealth needs more than 32 bits."""
    total = agents * initial_wealth
    if total > MAX_TOTAL:
        raise ValueError(f"agents * initial_wealth must be at most {MAX_TOTAL}, got {total}; lower one of them")


def check_cells(width: int, height: int) -> None:
    """Raise ``ValueError`` when a grid has more cells than a world may have agents."""
    if width * height > MAX_AGENTS:
        raise ValueError(f"width * height must be at most {MAX_AGENTS} cells, got {width * height}")


class WealthSettings(Settings):
    """Parameters of the well-mixed wealth exchange."""

    agents: int = Field(default=1000, ge=2, le=MAX_AGENTS, description="Number of agents")
    initial_wealth: int = Field(default=1, ge=0, le=10_000, description="Units of money of every agent at period 0")
    activation: Literal["random-sequential", "simultaneous", "random-scan"] = Field(
        description=ACTIVATION + "; random-scan: as many givers as agents, each drawn uniformly anew"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        check_total(self.agents, self.initial_wealth)
        return self


class WealthGridSettings(Settings):
    """Parameters of the wealth exchange on a torus grid."""

    agents: int = Field(default=1000, ge=1, le=MAX_AGENTS, description="Number of agents")
    width: int = Field(default=32, ge=3, le=1_000_000, description="Cells per row of the torus")
    height: int = Field(default=32, ge=3, le=1_000_000, description="Rows of the torus")
    initial_wealth: int = Field(default=1, ge=0, le=10_000, description="Units of money of every agent at period 0")
    activation: Activation = Field(description=ACTIVATION)

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        check_total(self.agents, self.initial_wealth)
        check_cells(self.width, self.height)
        return self


class SchellingSettings(Settings):
    """Parameters of the segregation world."""

    width: int = Field(default=50, ge=3, le=1_000_000, description="Cells per row of the torus")
    height: int = Field(default=50, ge=3, le=1_000_000, description="Rows of the torus")
    density: float = Field(
        default=0.8,
        gt=0.0,
        lt=1.0,
        description="Share of cells that are occupied; the number of agents is rounded down",
    )
    shares: tuple[float, ...] = Field(
        default=(0.5, 0.5),
        min_length=2,
        max_length=100,
        description="Share of each group, positive numbers that sum to 1",
    )
    homophily: float = Field(
        default=0.4,
        ge=0.0,
        le=1.0,
        description="Share of like neighbours, among the occupied ones, that an agent wants",
    )
    radius: int = Field(
        default=1, ge=1, le=10, description="Neighbourhood: the square of side 2 * radius + 1 without its centre"
    )
    activation: Activation = Field(description=ACTIVATION)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_cells(self.width, self.height)
        if min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(
                f"shares must be positive and sum to 1, got {list(self.shares)} with sum {sum(self.shares):g}"
            )
        side = 2 * self.radius + 1
        if min(self.width, self.height) < side:
            raise ValueError(
                f"width and height must be at least 2 * radius + 1 = {side}, got {self.width} x {self.height}: "
                "a neighbourhood would meet itself around the torus"
            )
        agents = math.floor(self.density * self.width * self.height)
        if agents < len(self.shares) or agents >= self.width * self.height:
            raise ValueError(
                f"density {self.density:g} gives {agents} agents on {self.width * self.height} cells; needed are at "
                f"least {len(self.shares)} agents and one empty cell"
            )
        return self


GraphParameter: TypeAlias = int | float | bool | list[int] | list[float]


class GraphSettings(Settings):
    """A graph by the name of its generator in networkx."""

    generator: str = Field(
        default="barabasi_albert_graph",
        min_length=1,
        description="Function of networkx that returns a graph, for example gnp_random_graph, "
        "watts_strogatz_graph, barabasi_albert_graph, star_graph, complete_graph, path_graph, empty_graph",
    )
    params: dict[str, GraphParameter] = Field(
        default={"n": 1000, "m": 2},
        description="Keyword arguments of the generator; its seed comes from the run's seed",
    )


class ContagionSettings(Settings):
    """Parameters of the contagion worlds."""

    model: Literal["sis", "sir"] = Field(
        description="sis: the recovered are susceptible again; sir: the recovered are immune"
    )
    graph: GraphSettings = Field(default=GraphSettings(), description="Who meets whom")
    infection: float = Field(
        ge=0.0, le=1.0, description="Probability that an infected agent infects one susceptible neighbour in a period"
    )
    recovery: float = Field(ge=0.0, le=1.0, description="Probability that an infected agent recovers in a period")
    initial_infected: int = Field(default=1, ge=0, description="Number of agents infected at period 0, drawn uniformly")
    activation: Activation = Field(description=ACTIVATION)
