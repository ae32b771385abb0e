"""Registry descriptors of MRA and its metrics; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.meta_representation.settings import MRASettings, PopulationReturnSettings
from equilibria.sim.plugin import Plugin, Settings

_HERE = "equilibria.agents.meta_representation"
_ZHANG = "Zhang, Shen, Han, Shen (2021), arXiv 2108.12988"
_ENGINES, _FORMS = ("training",), ("family",)

mra = Plugin(
    kind="agent",
    name="mra",
    summary="Multi-modal latent policies for games with varying numbers of agents",
    target=f"{_HERE}.build:mra",
    settings=MRASettings,
    engines=_ENGINES,
    forms=_FORMS,
    requires="learn",
    modules=("torch",),
    reference=_ZHANG,
    produces="solver",
)


def _metric(name: str, summary: str, unit: str, settings: type[Settings]) -> Plugin:
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{name}",
        settings=settings,
        engines=_ENGINES,
        forms=_FORMS,
        unit=unit,
        direction="higher",
    )


population_return = _metric(
    "population_return",
    "Zero-shot team reward per step by number of agents",
    "team reward per step",
    PopulationReturnSettings,
)
adapted_return = _metric(
    "adapted_return",
    "Team reward per step by number of agents after few-shot adaptation of the latents",
    "team reward per step",
    PopulationReturnSettings,
)
