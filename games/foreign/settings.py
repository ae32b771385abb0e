"""Settings of environments of other libraries."""

from __future__ import annotations

from pydantic import Field, JsonValue

from equilibria.sim.plugin import Settings


class PettingZooSettings(Settings):
    """A PettingZoo environment of any installed package."""

    environment: str = Field(
        pattern=r"^[A-Za-z_][\w.]*$",
        description="Module with parallel_env() or env(), for example mpe2.simple_spread_v3.",
    )
    options: dict[str, JsonValue] = Field(default_factory=dict, description="Keyword arguments of that function.")
    horizon: int = Field(default=1000, ge=1, le=100_000, description="Steps after which an episode is cut.")


class OpenSpielWorldSettings(Settings):
    """An OpenSpiel game played move by move."""

    name: str = Field(min_length=1, description="Game string, for example leduc_poker(players=3).")
    horizon: int = Field(default=1000, ge=1, le=100_000, description="Moves after which an episode is cut.")


class MAgentBattleSettings(Settings):
    """MAgent's battle of two small teams."""

    map_size: int = Field(default=15, ge=12, le=200, description="Side of the field; 15 gives teams of three.")
    horizon: int = Field(default=200, ge=1, le=100_000, description="Steps of an episode after the opening.")
    opening: bool = Field(default=True, description="Begin with the two scripted steps of the published experiments.")
