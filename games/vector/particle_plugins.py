"""Registry descriptors of population-varying worlds; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.vector.particle_settings import FamilySettings, ParticleSettings
from equilibria.sim.plugin import Family

_ZHANG = "Zhang, Shen, Han, Shen (2021), Learning Meta Representations for Agents, arXiv 2108.12988"

_FAMILY = Family(package="equilibria.games.vector", engines=("training",), forms=("vector",))

resource_occupation = _FAMILY.game(
    "resource_occupation",
    "Agents stand on resources of different sizes",
    "particle_build:resource_occupation",
    ParticleSettings,
    reference=_ZHANG,
)
treasure_collection = _FAMILY.game(
    "treasure_collection",
    "Agents gather treasures and avoid each other",
    "particle_build:treasure_collection",
    ParticleSettings,
)
resource_occupation_family = _FAMILY.game(
    "resource_occupation_family",
    "Resource occupation for several numbers of agents, some kept for evaluation",
    "particle_build:resource_occupation_family",
    FamilySettings,
    forms=("family",),
    reference=_ZHANG,
)
treasure_collection_family = _FAMILY.game(
    "treasure_collection_family",
    "Treasure collection for several numbers of agents, some kept for evaluation",
    "particle_build:treasure_collection_family",
    FamilySettings,
    forms=("family",),
)
