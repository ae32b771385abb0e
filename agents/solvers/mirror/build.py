"""Build function of the registry entry ``mmd``."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.agents.solvers.mirror.settings import MMDSettings
from equilibria.agents.solvers.mirror.solver import MMD
from equilibria.agents.solvers.policy_tables import require_extensive
from equilibria.sim.seeds import SeedTree


def build(settings: MMDSettings, *, game: object, roles: Sequence[str], seeds: SeedTree, budget: int) -> MMD:
    """Return a solver for all roles of ``game``; the method draws no random numbers and plans no budget."""
    del roles, seeds, budget
    return MMD.from_settings(require_extensive(game, "mmd"), settings)
