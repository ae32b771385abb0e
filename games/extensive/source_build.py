"""Build functions of the registry entries for games from files, tables and seeds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.efg import load_efg
from equilibria.games.extensive.matrix import bayesian_matrix_game, matrix_game
from equilibria.games.extensive.nfg import load_nfg
from equilibria.games.extensive.random_games import random_game
from equilibria.games.extensive.source_settings import (
    BayesianMatrixGameSettings,
    GameFileSettings,
    MatrixGameSettings,
    RandomExtensiveSettings,
)
from equilibria.sim.errors import GameFileError
from equilibria.sim.seeds import SeedTree


def _check_hash(settings: GameFileSettings) -> None:
    if settings.sha256 is None:
        return
    try:
        found = hashlib.sha256(Path(settings.path).read_bytes()).hexdigest()
    except OSError as error:
        raise GameFileError(settings.path, f"cannot read the file: {error.strerror}") from error
    if found != settings.sha256:
        raise GameFileError(settings.path, f"the file has SHA-256 {found}, the scenario expects {settings.sha256}")


def build_efg(settings: GameFileSettings, *, seeds: SeedTree) -> ExtensiveGame:
    """Read a game in the .efg format."""
    del seeds
    _check_hash(settings)
    return load_efg(settings.path)


def build_nfg(settings: GameFileSettings, *, seeds: SeedTree) -> ExtensiveGame:
    """Read a game in the .nfg format."""
    del seeds
    _check_hash(settings)
    return load_nfg(settings.path)


def build_matrix(settings: MatrixGameSettings, *, seeds: SeedTree) -> ExtensiveGame:
    """Make a game from payoff tables."""
    del seeds
    return matrix_game(settings.payoffs, name=settings.name, actions=settings.actions)


def build_bayesian(settings: BayesianMatrixGameSettings, *, seeds: SeedTree) -> ExtensiveGame:
    """Make a game with private types from payoff tables and a prior."""
    del seeds
    return bayesian_matrix_game(
        settings.payoffs, settings.prior, name=settings.name, types=settings.types, actions=settings.actions
    )


def build_random(settings: RandomExtensiveSettings, *, seeds: SeedTree) -> ExtensiveGame:
    """Draw a game from its own seed."""
    del seeds
    return random_game(
        SeedTree(settings.game_seed),
        players=settings.players,
        depth=settings.depth,
        actions=(settings.least_actions, settings.most_actions),
        chance=settings.chance,
        observe=settings.observe,
        zero_sum=settings.zero_sum,
    )
