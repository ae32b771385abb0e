"""Registry descriptors of the team solvers; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.fxp.settings import FXPSettings, SelfPlaySettings, TeamODOSettings, TeamPSROSettings
from equilibria.sim.plugin import Plugin, Settings

_BUILD = "equilibria.agents.solvers.fxp.build"
_PAPER = "Xu, Liang, Yu, Wang, Wu (2023), Fictitious Cross-Play, arXiv 2310.03354"


def _agent(name: str, summary: str, settings: type[Settings], reference: str = _PAPER) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"{_BUILD}:{name}",
        settings=settings,
        engines=("extensive",),
        forms=("team",),
        reference=reference,
        produces="solver",
    )


fxp = _agent("fxp", "Fictitious cross-play: a main team and counter teams reach a global equilibrium", FXPSettings)
team_psro = _agent("team_psro", "PSRO with trained team best responses", TeamPSROSettings)
team_odo = _agent(
    "team_odo",
    "Online double oracle with trained team best responses",
    TeamODOSettings,
    "Dinh et al. (2021), Online double oracle, arXiv 2103.07780",
)
team_sp = _agent("team_sp", "Self-play of a team: every member follows its own best action", SelfPlaySettings)
team_fp = _agent("team_fp", "Fictitious play of a team against sampled past selves", SelfPlaySettings)
team_fsp = _agent("team_fsp", "Fictitious self-play of a team: mostly itself, some past selves", SelfPlaySettings)
team_replicator = _agent("team_replicator", "Independent replicator learners in self-play", SelfPlaySettings)
team_mwu = _agent("team_mwu", "Independent multiplicative-weights learners in self-play", SelfPlaySettings)
team_forel = _agent("team_forel", "Independent regularised-leader learners in self-play", SelfPlaySettings)
team_rm = _agent("team_rm", "Independent regret-matching learners in self-play", SelfPlaySettings)
