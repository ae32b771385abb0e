"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

import numpy as np

from equilibria.games.matrix import team_games
from equilibria.games.matrix.iterated import IteratedGame
from equilibria.games.matrix.preference import PreferenceGame
from equilibria.games.matrix.repeated import Phase, ScheduledDilemma
from equilibria.games.matrix.settings import (
    ClimbSettings,
    IteratedGameSettings,
    MatrixSettings,
    MemoryOneSettings,
    PreferenceSettings,
    ScheduledDilemmaSettings,
    SeekAttackDefendSettings,
)
from equilibria.games.matrix.strategies import Automaton, memory_one, named
from equilibria.games.matrix.team import TeamGame, matrix_game
from equilibria.sim.errors import InvalidValue
from equilibria.sim.plugin import NoSettings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


def climb(settings: ClimbSettings, *, seeds: SeedTree) -> TeamGame:
    """Build the climb game."""
    return team_games.climb(settings.members, bonus=settings.bonus, margin=settings.margin)


def seek_attack_defend(settings: SeekAttackDefendSettings, *, seeds: SeedTree) -> TeamGame:
    """Build Seek-Attack-Defend."""
    return team_games.seek_attack_defend(
        settings.members,
        levels=settings.levels,
        attack_force=settings.attack_force,
        attack_cost=settings.attack_cost,
    )


def team_rock_paper_scissors(settings: NoSettings, *, seeds: SeedTree) -> TeamGame:
    """Build team rock-paper-scissors."""
    return team_games.team_rock_paper_scissors()


def symmetric_matrix(settings: MatrixSettings, *, seeds: SeedTree) -> TeamGame:
    """Build a symmetric zero-sum matrix game."""
    return matrix_game(_rectangular(settings.payoffs, "payoffs"), labels=settings.labels)


def preference(settings: PreferenceSettings, *, seeds: SeedTree) -> PreferenceGame:
    """Build a preference game."""
    values = _rectangular(settings.preference, "preference")
    if settings.symmetrise:
        return PreferenceGame.symmetrised(values, settings.labels)
    return PreferenceGame(values, tuple(settings.labels))


def iterated_game(settings: IteratedGameSettings, *, seeds: SeedTree) -> IteratedGame:
    """Build an iterated game."""
    strategies = tuple(_strategy(s) for s in settings.strategies)
    return IteratedGame(strategies, _rectangular(settings.payoff, "payoff"), settings.turns, settings.noise)


def scheduled_dilemma(settings: ScheduledDilemmaSettings, *, seeds: SeedTree) -> ScheduledDilemma:
    """Build a scheduled dilemma."""
    phases = tuple(Phase(p.rounds, p.defection) for p in settings.phases)
    return ScheduledDilemma(phases, _rectangular(settings.payoff, "payoff"))


def _strategy(entry: str | MemoryOneSettings) -> Automaton:
    if isinstance(entry, str):
        return named(entry)
    return memory_one(entry.name, entry.probabilities, first=entry.first)


def _rectangular(rows: list[list[float]], name: str) -> FloatArray:
    """Return rows as an array, or say which row has another length."""
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise InvalidValue(f"{name}: row {i} has {len(row)} entries, row 0 has {len(rows[0])}")
    return np.array(rows, dtype=np.float64)
