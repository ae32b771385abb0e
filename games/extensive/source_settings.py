"""Settings of games from files, tables and seeds; light, so that descriptors can import it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from equilibria.sim.plugin import Settings


class GameFileSettings(Settings):
    """A game in a file."""

    path: str = Field(min_length=1, description="path of the file, relative to the working directory")
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the file; when given, a file that has changed since is refused",
    )


class MatrixGameSettings(Settings):
    """A simultaneous-move game given by its payoffs."""

    payoffs: list[Any] = Field(
        min_length=1,
        description="one matrix (row player of a two-player zero-sum game) or one table per player, nested lists",
    )
    name: str = Field("matrix game", description="name for reports")
    actions: list[list[str]] | None = Field(None, description="action names per player")


class BayesianMatrixGameSettings(Settings):
    """A simultaneous-move game with private types."""

    payoffs: list[Any] = Field(
        min_length=1, description="nested lists [types of each player..., player, actions of each player...]"
    )
    prior: list[Any] = Field(min_length=1, description="nested lists [types of each player...], summing to 1")
    name: str = Field("Bayesian matrix game", description="name for reports")
    types: list[list[str]] | None = Field(None, description="type names per player")
    actions: list[list[str]] | None = Field(None, description="action names per player")


class RandomExtensiveSettings(Settings):
    """A random extensive-form game."""

    game_seed: int = Field(0, ge=0, description="seed of the game; the run's seed does not change it")
    players: int = Field(2, ge=1, le=8, description="number of players")
    depth: int = Field(4, ge=1, le=40, description="moves of every history")
    least_actions: int = Field(2, ge=1, le=100, description="least actions per move")
    most_actions: int = Field(3, ge=1, le=100, description="most actions per move")
    chance: float = Field(0.25, ge=0.0, lt=1.0, description="probability that a move belongs to chance")
    observe: float = Field(0.5, ge=0.0, le=1.0, description="probability that a player sees a move of somebody else")
    zero_sum: bool = Field(True, description="payoffs sum to zero")
