"""Build function of the registry entry ``mccfr``."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.agents.solvers.regret.mccfr import MCCFR
from equilibria.agents.solvers.regret.sampling_settings import MCCFRSettings
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.sim.seeds import SeedTree


def build(settings: MCCFRSettings, *, game: ExtensiveGame, roles: Sequence[str], seeds: SeedTree, budget: int) -> MCCFR:
    """Return a solver for all roles of ``game``; the method plans no budget."""
    del roles, budget
    return MCCFR.from_settings(game, settings, seeds)
