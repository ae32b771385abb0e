"""Build functions of the registry entries ``mds`` and ``mmds``."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.agents.solvers.mirror.settings import MagneticSearchSettings, SearchSettings
from equilibria.agents.solvers.search.solver import MDS, MMDS
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.sim.seeds import SeedTree


def build_mds(
    settings: SearchSettings, *, game: ExtensiveGame, roles: Sequence[str], seeds: SeedTree, budget: int
) -> MDS:
    """Return mirror-descent search for all roles of ``game``."""
    del roles, budget
    return MDS(game, seeds=seeds, **dict(settings))


def build_mmds(
    settings: MagneticSearchSettings, *, game: ExtensiveGame, roles: Sequence[str], seeds: SeedTree, budget: int
) -> MMDS:
    """Return magnetic mirror-descent search for all roles of ``game``."""
    del roles, budget
    return MMDS(game, seeds=seeds, **dict(settings))
