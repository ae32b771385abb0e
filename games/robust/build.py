"""Build functions of the decision problems."""

from __future__ import annotations

import numpy as np

from equilibria.games.robust import design, robust
from equilibria.games.robust.payoffs import PolicyPayoffs
from equilibria.games.robust.settings import (
    LafferSettings,
    PolicyPayoffsSettings,
    PostedPriceSettings,
    RandomRectangularSettings,
    WindyWalkSettings,
)
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def windy_walk(settings: WindyWalkSettings, *, seeds: SeedTree) -> robust.RobustMDP:
    """Build the windy walk."""
    return robust.windy_walk(strengths=settings.strengths, strongest=settings.strongest, discount=settings.discount)


def random_robust_mdp(settings: RandomRectangularSettings, *, seeds: SeedTree) -> robust.RobustMDP:
    """Draw a robust process."""
    return robust.random_rectangular_mdp(
        seeds.generator(),
        states=settings.states,
        actions=settings.actions,
        candidates=settings.candidates,
        discount=settings.discount,
    )


def policy_payoffs(settings: PolicyPayoffsSettings, *, seeds: SeedTree) -> PolicyPayoffs:
    """Build the payoff table."""
    for i, row in enumerate(settings.payoffs):
        if len(row) != len(settings.payoffs[0]):
            raise InvalidValue(f"payoffs: row {i} has {len(row)} entries, row 0 has {len(settings.payoffs[0])}")
    return PolicyPayoffs(np.array(settings.payoffs, dtype=np.float64), settings.scale)


def laffer_curve(settings: LafferSettings, *, seeds: SeedTree) -> design.LafferCurve:
    """Build the worker's world."""
    return design.LafferCurve(first=settings.first, levels=settings.levels)


def posted_price(settings: PostedPriceSettings, *, seeds: SeedTree) -> design.PostedPrice:
    """Build the buyer's world."""
    return design.PostedPrice(first=settings.first, values=settings.values)
