"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.agents.meta_representation.settings import MRASettings
from equilibria.agents.meta_representation.solver import MRA
from equilibria.sim.seeds import SeedTree


def mra(settings: MRASettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> MRA:
    """Build the solver."""
    return MRA(game, settings, seeds=seeds)
