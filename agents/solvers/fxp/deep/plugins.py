"""Registry descriptors of deep fictitious cross-play and its baselines; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.fxp.deep.settings import (
    DeepFictitiousSelfPlaySettings,
    DeepFXPSettings,
    DeepSelfPlaySettings,
    DeepTeamPSROSettings,
)
from equilibria.sim.plugin import Family

_PAPER = "Xu, Liang, Yu, Wang, Wu (2023), Fictitious Cross-Play, arXiv 2310.03354"

_FAMILY = Family(
    package="equilibria.agents.solvers.fxp.deep",
    engines=("training",),
    forms=("team", "two_teams"),
    requires="learn",
    modules=("torch",),
    reference=_PAPER,
)

fxp_deep = _FAMILY.agent(
    "fxp_deep", "Fictitious cross-play with learned main and counter teams", "build:fxp_deep", DeepFXPSettings
)
sp_deep = _FAMILY.agent("sp_deep", "Self-play of a learned team", "build:sp_deep", DeepSelfPlaySettings)
fsp_deep = _FAMILY.agent(
    "fsp_deep", "Fictitious self-play of a learned team", "build:fsp_deep", DeepFictitiousSelfPlaySettings
)
psro_deep = _FAMILY.agent("psro_deep", "PSRO with learned team best responses", "build:psro_deep", DeepTeamPSROSettings)
