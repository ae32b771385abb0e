"""Descriptors of games from files, tables and seeds; imports no kernels."""

from __future__ import annotations

from equilibria.games.extensive.source_settings import (
    BayesianMatrixGameSettings,
    GameFileSettings,
    MatrixGameSettings,
    RandomExtensiveSettings,
)
from equilibria.sim.plugin import Plugin

_BUILD = "equilibria.games.extensive.source_build"
_ENGINES = ("extensive",)

efg_file = Plugin(
    kind="game",
    name="efg_file",
    summary="An extensive-form game in Gambit's .efg format",
    target=f"{_BUILD}:build_efg",
    settings=GameFileSettings,
    engines=_ENGINES,
    forms=("extensive",),
    reference="Gambit project, game representation formats",
)
nfg_file = Plugin(
    kind="game",
    name="nfg_file",
    summary="A strategic-form game in Gambit's .nfg format",
    target=f"{_BUILD}:build_nfg",
    settings=GameFileSettings,
    engines=_ENGINES,
    forms=("extensive",),
    reference="Gambit project, game representation formats",
)
matrix_game = Plugin(
    kind="game",
    name="matrix_game",
    summary="A simultaneous-move game given by payoff tables",
    target=f"{_BUILD}:build_matrix",
    settings=MatrixGameSettings,
    engines=_ENGINES,
    forms=("extensive",),
)
bayesian_matrix_game = Plugin(
    kind="game",
    name="bayesian_matrix_game",
    summary="A simultaneous-move game in which players know their own type only",
    target=f"{_BUILD}:build_bayesian",
    settings=BayesianMatrixGameSettings,
    engines=_ENGINES,
    forms=("extensive",),
    reference="Harsanyi (1967), Management Science 14",
)
random_extensive = Plugin(
    kind="game",
    name="random_extensive",
    summary="A random extensive-form game of perfect recall",
    target=f"{_BUILD}:build_random",
    settings=RandomExtensiveSettings,
    engines=_ENGINES,
    forms=("extensive",),
)
