"""Build function of the registry entry ``mccfr``."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.agents.solvers.policy_tables import require_extensive
from equilibria.agents.solvers.regret.mccfr import MCCFR
from equilibria.agents.solvers.regret.sampling_settings import MCCFRSettings
from equilibria.sim.seeds import SeedTree


def build(settings: MCCFRSettings, *, game: object, roles: Sequence[str], seeds: SeedTree, budget: int) -> MCCFR:
    """Return a solver for all roles of ``game``; the method plans no budget."""
    del roles, budget
    return MCCFR.from_settings(require_extensive(game, "mccfr"), settings, seeds)
