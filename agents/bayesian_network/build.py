"""Build function that scenarios reach through the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.agents.bayesian_network.settings import BNSettings
from equilibria.agents.bayesian_network.solver import BNPolicyGradient
from equilibria.sim.seeds import SeedTree


def bn_policy_gradient(
    settings: BNSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int
) -> BNPolicyGradient:
    """Build the solver."""
    return BNPolicyGradient(game, settings, seeds=seeds)
