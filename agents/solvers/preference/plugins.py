"""Registry descriptors of the preference solvers; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.preference.settings import INPOSettings, SPOSettings, SPPOSettings
from equilibria.sim.plugin import Plugin, Settings

_TARGET = "equilibria.agents.solvers.preference.solver:build"


def _agent(name: str, summary: str, settings: type[Settings], reference: str) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=_TARGET,
        settings=settings,
        engines=("extensive",),
        forms=("preference",),
        reference=reference,
        produces="solver",
    )


sppo = _agent(
    "sppo",
    "Self-play preference optimisation by multiplicative weights; the average policy converges",
    SPPOSettings,
    "Wu et al. (2024), arXiv 2405.00675",
)
spo = _agent(
    "spo",
    "Self-play preference optimisation from sampled responses that judge each other",
    SPOSettings,
    "Swamy et al. (2024), A minimaximalist approach to RLHF, arXiv 2401.04056",
)
inpo = _agent(
    "inpo",
    "Iterative Nash policy optimisation; the last policy converges to the regularised winner",
    INPOSettings,
    "Zhang et al. (2024), arXiv 2407.00617",
)
