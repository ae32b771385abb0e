"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

import numpy as np

from equilibria.games.vector import tabular
from equilibria.games.vector.payoffs import climbing_payoff, penalty_payoff
from equilibria.games.vector.settings import CoordinationSettings, PenaltySettings, TeamMatrixSettings
from equilibria.games.vector.tabular import TabularTeamGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.plugin import NoSettings
from equilibria.sim.seeds import SeedTree


def coordination_game(settings: CoordinationSettings, *, seeds: SeedTree) -> TabularTeamGame:
    """Build the coordination game."""
    return tabular.coordination_game(
        settings.agents,
        noise=settings.noise,
        margin=settings.margin,
        discount=settings.discount,
        start=settings.start,
    )


def climbing_game(settings: NoSettings, *, seeds: SeedTree) -> TabularTeamGame:
    """Build the climbing game."""
    return tabular.one_shot_game(climbing_payoff(), name="climbing_game")


def penalty_game(settings: PenaltySettings, *, seeds: SeedTree) -> TabularTeamGame:
    """Build the penalty game."""
    return tabular.one_shot_game(penalty_payoff(settings.penalty), name="penalty_game")


def team_matrix(settings: TeamMatrixSettings, *, seeds: SeedTree) -> TabularTeamGame:
    """Build a common-payoff matrix game."""
    for i, row in enumerate(settings.payoffs):
        if len(row) != len(settings.payoffs[0]):
            raise InvalidValue(f"payoffs: row {i} has {len(row)} entries, row 0 has {len(settings.payoffs[0])}")
    return tabular.one_shot_game(np.array(settings.payoffs, dtype=np.float64))
