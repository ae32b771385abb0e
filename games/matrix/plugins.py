"""Registry descriptors of the matrix games; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.matrix.metric_settings import SolverNumbersSettings
from equilibria.games.matrix.settings import (
    ClimbSettings,
    IteratedGameSettings,
    MatrixSettings,
    PreferenceSettings,
    ScheduledDilemmaSettings,
    SeekAttackDefendSettings,
)
from equilibria.sim.plugin import Family, NoSettings

_FXP = "Xu, Liang, Yu, Wang, Wu (2023), Fictitious Cross-Play, arXiv 2310.03354"

_FAMILY = Family(package="equilibria.games.matrix", engines=("extensive", "training"), forms=("team",))

climb = _FAMILY.game(
    "climb", "Team game: members prefer 1, the team should play 0.", "build:climb", ClimbSettings, reference=_FXP
)
seek_attack_defend = _FAMILY.game(
    "seek_attack_defend",
    "Team game: gather together, attack gatherers, defend",
    "build:seek_attack_defend",
    SeekAttackDefendSettings,
    reference=_FXP,
)
team_rock_paper_scissors = _FAMILY.game(
    "team_rock_paper_scissors",
    "Rock-paper-scissors of two-member teams",
    "build:team_rock_paper_scissors",
    NoSettings,
    reference=_FXP,
)
symmetric_matrix = _FAMILY.game(
    "symmetric_matrix", "Symmetric zero-sum matrix game given by its payoffs", "build:symmetric_matrix", MatrixSettings
)
preference = _FAMILY.game(
    "preference",
    "General preferences between items; the goal is the minimax winner",
    "build:preference",
    PreferenceSettings,
    engines=("extensive",),
    forms=("preference",),
    reference="Swamy et al. (2024), arXiv 2401.04056",
)
iterated_game = _FAMILY.game(
    "iterated_game",
    "Two-action game repeated between named strategies",
    "build:iterated_game",
    IteratedGameSettings,
    engines=("extensive",),
    forms=("iterated",),
    reference="Axelrod (1984), The evolution of cooperation",
)
scheduled_dilemma = _FAMILY.game(
    "scheduled_dilemma",
    "Continuous repeated dilemma against an opponent that follows a schedule",
    "build:scheduled_dilemma",
    ScheduledDilemmaSettings,
    engines=("extensive",),
    forms=("schedule",),
    reference="Nakamura (2026), arXiv 2602.20846",
)
solver_numbers = _FAMILY.metric(
    "solver_numbers",
    "Headline numbers that the solver itself reports, by key",
    "metrics:build",
    "as the solver says",
    "none",
    settings=SolverNumbersSettings,
    forms=(),
)
