"""Build functions of the registry entries ``mds`` and ``mmds``."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.agents.solvers.mirror.settings import MagneticSearchSettings, SearchSettings
from equilibria.agents.solvers.policy_tables import require_extensive
from equilibria.agents.solvers.search.solver import MDS, MMDS
from equilibria.sim.seeds import SeedTree


def build_mds(settings: SearchSettings, *, game: object, roles: Sequence[str], seeds: SeedTree, budget: int) -> MDS:
    """Return mirror-descent search for all roles of ``game``."""
    del roles, budget
    return MDS(require_extensive(game, "mds"), seeds=seeds, **dict(settings))


def build_mmds(
    settings: MagneticSearchSettings, *, game: object, roles: Sequence[str], seeds: SeedTree, budget: int
) -> MMDS:
    """Return magnetic mirror-descent search for all roles of ``game``."""
    del roles, budget
    return MMDS(require_extensive(game, "mmds"), seeds=seeds, **dict(settings))
