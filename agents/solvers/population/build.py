"""Build function of the registry entry ``psro``."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.agents.solvers.population.psro import PSRO
from equilibria.agents.solvers.population.settings import PSROSettings
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.sim.seeds import SeedTree


def build(settings: PSROSettings, *, game: ExtensiveGame, roles: Sequence[str], seeds: SeedTree, budget: int) -> PSRO:
    """Return a solver for all roles of ``game``; the method plans no budget."""
    del roles, budget
    return PSRO(game, settings=settings, seeds=seeds)
