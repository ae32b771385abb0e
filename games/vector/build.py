"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

import numpy as np

from equilibria.games.vector import markov, tabular
from equilibria.games.vector.aloha import Aloha, ladder
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.linear_quadratic import LinearQuadratic
from equilibria.games.vector.markov import MarkovWorld, RecallWorld
from equilibria.games.vector.payoffs import climbing_payoff, penalty_payoff
from equilibria.games.vector.settings import (
    AlohaSettings,
    BanditSettings,
    ChainSettings,
    CoordinationSettings,
    CoordinationWorldSettings,
    LinearQuadraticSettings,
    PenaltySettings,
    RandomProcessSettings,
    RecallSettings,
    SpreadSettings,
    TeamMatrixSettings,
    TeamMatrixWorldSettings,
)
from equilibria.games.vector.spread import SimpleSpread
from equilibria.games.vector.tabular import TabularTeamGame
from equilibria.games.vector.team_matrix import TeamMatrixWorld
from equilibria.sim.errors import InvalidValue
from equilibria.sim.plugin import NoSettings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


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
    return tabular.one_shot_game(_matrix(settings.payoffs))


def simple_spread(settings: SpreadSettings, *, seeds: SeedTree) -> SimpleSpread:
    """Build cooperative navigation."""
    return SimpleSpread(settings.agents, local_ratio=settings.local_ratio, horizon=settings.horizon)


def aloha(settings: AlohaSettings, *, seeds: SeedTree) -> Aloha:
    """Build slotted Aloha."""
    return Aloha(
        ladder(settings.rows, settings.columns),
        arrival=settings.arrival,
        capacity=settings.capacity,
        horizon=settings.horizon,
    )


def coordination_world(settings: CoordinationWorldSettings, *, seeds: SeedTree) -> CoordinationWorld:
    """Build the sampled coordination game."""
    return CoordinationWorld(settings.agents, noise=settings.noise, margin=settings.margin, horizon=settings.horizon)


def team_matrix_world(settings: TeamMatrixWorldSettings, *, seeds: SeedTree) -> TeamMatrixWorld:
    """Build a sampled common-payoff matrix game."""
    return TeamMatrixWorld(_matrix(settings.payoffs), horizon=settings.horizon)


def chain_mdp(settings: ChainSettings, *, seeds: SeedTree) -> MarkovWorld:
    """Build the chain."""
    return markov.chain(settings.states, discount=settings.discount, horizon=settings.horizon)


def linear_quadratic(settings: LinearQuadraticSettings, *, seeds: SeedTree) -> LinearQuadratic:
    """Build the linear world."""
    return LinearQuadratic(**settings.model_dump())


def random_mdp(settings: RandomProcessSettings, *, seeds: SeedTree) -> MarkovWorld:
    """Build a random process from the run's seed."""
    return markov.random_process(
        seeds.generator(), settings.states, settings.actions, discount=settings.discount, horizon=settings.horizon
    )


def contextual_bandit(settings: BanditSettings, *, seeds: SeedTree) -> MarkovWorld:
    """Build a contextual bandit from the run's seed."""
    return markov.contextual_bandit(seeds.generator(), settings.contexts, settings.arms, noise=settings.noise)


def recall(settings: RecallSettings, *, seeds: SeedTree) -> RecallWorld:
    """Build the memory task."""
    return RecallWorld(settings.delay)


def _matrix(rows: list[list[float]]) -> FloatArray:
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise InvalidValue(f"payoffs: row {i} has {len(row)} entries, row 0 has {len(rows[0])}")
    return np.array(rows, dtype=np.float64)
