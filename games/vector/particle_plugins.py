"""Registry descriptors of population-varying worlds; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.vector.particle_settings import FamilySettings, ParticleSettings
from equilibria.sim.plugin import Plugin, Settings

_ZHANG = "Zhang, Shen, Han, Shen (2021), Learning Meta Representations for Agents, arXiv 2108.12988"


def _game(name: str, form: str, summary: str, settings: type[Settings], reference: str = "") -> Plugin:
    return Plugin(
        kind="game",
        name=name,
        summary=summary,
        target=f"equilibria.games.vector.particle_build:{name}",
        settings=settings,
        engines=("training",),
        forms=(form,),
        reference=reference,
    )


resource_occupation = _game(
    "resource_occupation", "vector", "Agents stand on resources of different sizes", ParticleSettings, _ZHANG
)
treasure_collection = _game(
    "treasure_collection", "vector", "Agents gather treasures and avoid each other", ParticleSettings
)
resource_occupation_family = _game(
    "resource_occupation_family",
    "family",
    "Resource occupation for several numbers of agents, some kept for evaluation",
    FamilySettings,
    _ZHANG,
)
treasure_collection_family = _game(
    "treasure_collection_family",
    "family",
    "Treasure collection for several numbers of agents, some kept for evaluation",
    FamilySettings,
)
