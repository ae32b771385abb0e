"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.agents.solvers.fxp.deep.settings import DeepFXPSettings
from equilibria.agents.solvers.fxp.deep.solver import DeepFXP
from equilibria.sim.errors import Unsupported
from equilibria.sim.seeds import SeedTree


def _built(
    name: str, settings: DeepFXPSettings, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int
) -> DeepFXP:
    if list(roles) != ["all"]:
        raise Unsupported(f"{name} owns both teams: give it role 'all', not {', '.join(roles)}")
    return DeepFXP(game, settings, seeds=seeds, budget=budget, name=name)


def fxp_deep(settings: DeepFXPSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> DeepFXP:
    """Build deep fictitious cross-play."""
    return _built("fxp_deep", settings, game, roles, seeds, budget)


def sp_deep(settings: DeepFXPSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> DeepFXP:
    """Build deep self-play."""
    return _built("sp_deep", settings, game, roles, seeds, budget)


def fsp_deep(settings: DeepFXPSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> DeepFXP:
    """Build deep fictitious self-play."""
    return _built("fsp_deep", settings, game, roles, seeds, budget)


def psro_deep(settings: DeepFXPSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> DeepFXP:
    """Build PSRO with trained team best responses."""
    return _built("psro_deep", settings, game, roles, seeds, budget)
