"""Build functions of population-varying worlds that scenarios reach through the registry."""

from __future__ import annotations

from typing import Any

from equilibria.games.vector.families import PopulationFamily, family
from equilibria.games.vector.particle_settings import FamilySettings, ParticleSettings
from equilibria.games.vector.particles import ResourceOccupation, TreasureCollection
from equilibria.sim.seeds import SeedTree


def resource_occupation(settings: ParticleSettings, *, seeds: SeedTree) -> ResourceOccupation:
    """Build resource occupation."""
    return ResourceOccupation(
        settings.agents, reward=settings.reward, resources=settings.sites, **_horizon(settings.horizon)
    )


def treasure_collection(settings: ParticleSettings, *, seeds: SeedTree) -> TreasureCollection:
    """Build treasure collection."""
    return TreasureCollection(
        settings.agents, reward=settings.reward, treasures=settings.sites, **_horizon(settings.horizon)
    )


def resource_occupation_family(settings: FamilySettings, *, seeds: SeedTree) -> PopulationFamily:
    """Build the family of resource occupation."""
    return family(
        ResourceOccupation,
        settings.train,
        settings.unseen,
        resources=settings.sites,
        **_horizon(settings.horizon),
    )


def treasure_collection_family(settings: FamilySettings, *, seeds: SeedTree) -> PopulationFamily:
    """Build the family of treasure collection."""
    return family(
        TreasureCollection,
        settings.train,
        settings.unseen,
        treasures=settings.sites,
        **_horizon(settings.horizon),
    )


def _horizon(steps: int | None) -> dict[str, Any]:
    return {} if steps is None else {"horizon": steps}
