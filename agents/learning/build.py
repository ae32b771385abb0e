"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.settings import PPOSettings
from equilibria.sim.seeds import SeedTree


def learner(settings: PPOSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> Learner:
    """Build a learner for some roles."""
    return Learner(game, settings, roles=controlled(roles), seeds=seeds, budget=budget)


def controlled(roles: Sequence[str]) -> str | list[str]:
    """Return roles as learners take them."""
    return "all" if list(roles) == ["all"] else list(roles)
