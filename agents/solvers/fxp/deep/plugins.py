"""Registry descriptors of deep fictitious cross-play and its baselines; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.fxp.deep.settings import (
    DeepFictitiousSelfPlaySettings,
    DeepFXPSettings,
    DeepSelfPlaySettings,
    DeepTeamPSROSettings,
)
from equilibria.sim.plugin import Plugin, Settings

_PAPER = "Xu, Liang, Yu, Wang, Wu (2023), Fictitious Cross-Play, arXiv 2310.03354"


def _agent(name: str, summary: str, settings: type[Settings], reference: str = _PAPER) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"equilibria.agents.solvers.fxp.deep.build:{name}",
        settings=settings,
        engines=("training",),
        forms=("team", "two_teams"),
        requires="learn",
        modules=("torch",),
        reference=reference,
        produces="solver",
    )


fxp_deep = _agent("fxp_deep", "Fictitious cross-play with learned main and counter teams", DeepFXPSettings)
sp_deep = _agent("sp_deep", "Self-play of a learned team", DeepSelfPlaySettings)
fsp_deep = _agent("fsp_deep", "Fictitious self-play of a learned team", DeepFictitiousSelfPlaySettings)
psro_deep = _agent("psro_deep", "PSRO with learned team best responses", DeepTeamPSROSettings)
