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
from equilibria.sim.plugin import NoSettings, Plugin, Settings

_BUILD = "equilibria.games.matrix.build"
_FXP = "Xu, Liang, Yu, Wang, Wu (2023), Fictitious Cross-Play, arXiv 2310.03354"


def _game(name: str, form: str, summary: str, settings: type[Settings], reference: str = "") -> Plugin:
    # team games are also played by learned teams, with sampled actions
    return Plugin(
        kind="game",
        name=name,
        summary=summary,
        target=f"{_BUILD}:{name}",
        settings=settings,
        engines=("extensive", "training") if form == "team" else ("extensive",),
        forms=(form,),
        reference=reference,
    )


climb = _game("climb", "team", "Team game: members prefer 1, the team should play 0.", ClimbSettings, _FXP)
seek_attack_defend = _game(
    "seek_attack_defend",
    "team",
    "Team game: gather together, attack gatherers, defend",
    SeekAttackDefendSettings,
    _FXP,
)
team_rock_paper_scissors = _game(
    "team_rock_paper_scissors", "team", "Rock-paper-scissors of two-member teams", NoSettings, _FXP
)
symmetric_matrix = _game(
    "symmetric_matrix", "team", "Symmetric zero-sum matrix game given by its payoffs", MatrixSettings
)
preference = _game(
    "preference",
    "preference",
    "General preferences between items; the goal is the minimax winner",
    PreferenceSettings,
    "Swamy et al. (2024), arXiv 2401.04056",
)
iterated_game = _game(
    "iterated_game",
    "iterated",
    "Two-action game repeated between named strategies",
    IteratedGameSettings,
    "Axelrod (1984), The evolution of cooperation",
)
scheduled_dilemma = _game(
    "scheduled_dilemma",
    "schedule",
    "Continuous repeated dilemma against an opponent that follows a schedule",
    ScheduledDilemmaSettings,
    "Nakamura (2026), arXiv 2602.20846",
)
solver_numbers = Plugin(
    kind="metric",
    name="solver_numbers",
    summary="Headline numbers that the solver itself reports, by key",
    target="equilibria.games.matrix.metrics:build",
    settings=SolverNumbersSettings,
    engines=("extensive", "training"),
    unit="as the solver says",
    direction="none",
)
