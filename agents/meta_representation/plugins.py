"""Registry descriptors of MRA and its metrics; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.meta_representation.settings import MRASettings, PopulationReturnSettings
from equilibria.sim.plugin import Family

_ZHANG = "Zhang, Shen, Han, Shen (2021), arXiv 2108.12988"
_ENGINES, _FORMS = ("training",), ("family",)

_FAMILY = Family(package="equilibria.agents.meta_representation", engines=_ENGINES, forms=_FORMS)

mra = _FAMILY.agent(
    "mra",
    "Multi-modal latent policies for games with varying numbers of agents",
    "build:mra",
    MRASettings,
    requires="learn",
    modules=("torch",),
    reference=_ZHANG,
)

population_return = _FAMILY.metric(
    "population_return",
    "Zero-shot team reward per step by number of agents",
    "metrics:population_return",
    "team reward per step",
    "higher",
    settings=PopulationReturnSettings,
)
adapted_return = _FAMILY.metric(
    "adapted_return",
    "Team reward per step by number of agents after few-shot adaptation of the latents",
    "metrics:adapted_return",
    "team reward per step",
    "higher",
    settings=PopulationReturnSettings,
)
