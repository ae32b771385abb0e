"""Registry descriptors of the preference solvers; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.preference.settings import INPOSettings, SPOSettings, SPPOSettings
from equilibria.sim.plugin import Family

_TARGET = "equilibria.agents.solvers.preference.solver:build"

_FAMILY = Family(package="equilibria.agents.solvers.preference", engines=("extensive",), forms=("preference",))

sppo = _FAMILY.agent(
    "sppo",
    "Self-play preference optimisation by multiplicative weights; the average policy converges",
    "solver:build",
    SPPOSettings,
    reference="Wu et al. (2024), arXiv 2405.00675",
)
spo = _FAMILY.agent(
    "spo",
    "Self-play preference optimisation from sampled responses that judge each other",
    "solver:build",
    SPOSettings,
    reference="Swamy et al. (2024), A minimaximalist approach to RLHF, arXiv 2401.04056",
)
inpo = _FAMILY.agent(
    "inpo",
    "Iterative Nash policy optimisation; the last policy converges to the regularised winner",
    "solver:build",
    INPOSettings,
    reference="Zhang et al. (2024), arXiv 2407.00617",
)
