"""Build functions of the decision problems."""

from __future__ import annotations

import numpy as np

from equilibria.games.robust import design, robust
from equilibria.games.robust.models import ModelSet, models_of
from equilibria.games.robust.payoffs import PolicyPayoffs
from equilibria.games.robust.settings import (
    InventoryModelsSettings,
    InventorySettings,
    LafferSettings,
    PolicyPayoffsSettings,
    PostedPriceSettings,
    RandomRectangularSettings,
    WindyWalkModelsSettings,
    WindyWalkSettings,
)
from equilibria.games.robust.store import demand_grid, inventory
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def windy_walk(settings: WindyWalkSettings, *, seeds: SeedTree) -> robust.RobustMDP:
    """Build the windy walk."""
    return robust.windy_walk(strengths=settings.strengths, strongest=settings.strongest, discount=settings.discount)


def windy_walk_models(settings: WindyWalkModelsSettings, *, seeds: SeedTree) -> ModelSet:
    """Build the windy walk as worlds."""
    return models_of(windy_walk(settings, seeds=seeds), horizon=settings.horizon, name="windy_walk_models")


def store(settings: InventorySettings, *, seeds: SeedTree) -> robust.RobustMDP:
    """Build the store."""
    return inventory(
        means=demand_grid(settings.lowest, settings.highest, settings.models),
        stock=settings.stock,
        backlog=settings.backlog,
        orders=settings.orders,
        order_cost=settings.order_cost,
        holding_cost=settings.holding_cost,
        waiting_cost=settings.waiting_cost,
        discount=settings.discount,
    )


def store_models(settings: InventoryModelsSettings, *, seeds: SeedTree) -> ModelSet:
    """Build the store as worlds."""
    return models_of(store(settings, seeds=seeds), horizon=settings.horizon, name="inventory_models")


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
