"""Registry descriptors of the team solvers; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.fxp.settings import FXPSettings, SelfPlaySettings, TeamODOSettings, TeamPSROSettings
from equilibria.sim.plugin import Family

_PAPER = "Xu, Liang, Yu, Wang, Wu (2023), Fictitious Cross-Play, arXiv 2310.03354"

_FAMILY = Family(package="equilibria.agents.solvers.fxp", engines=("extensive",), forms=("team",))

fxp = _FAMILY.agent(
    "fxp",
    "Fictitious cross-play: a main team and counter teams reach a global equilibrium",
    "build:fxp",
    FXPSettings,
    reference=_PAPER,
)
team_psro = _FAMILY.agent(
    "team_psro", "PSRO with trained team best responses", "build:team_psro", TeamPSROSettings, reference=_PAPER
)
team_odo = _FAMILY.agent(
    "team_odo",
    "Online double oracle with trained team best responses",
    "build:team_odo",
    TeamODOSettings,
    reference="Dinh et al. (2021), Online double oracle, arXiv 2103.07780",
)
team_sp = _FAMILY.agent(
    "team_sp",
    "Self-play of a team: every member follows its own best action",
    "build:team_sp",
    SelfPlaySettings,
    reference=_PAPER,
)
team_fp = _FAMILY.agent(
    "team_fp",
    "Fictitious play of a team against sampled past selves",
    "build:team_fp",
    SelfPlaySettings,
    reference=_PAPER,
)
team_fsp = _FAMILY.agent(
    "team_fsp",
    "Fictitious self-play of a team: mostly itself, some past selves",
    "build:team_fsp",
    SelfPlaySettings,
    reference=_PAPER,
)
team_replicator = _FAMILY.agent(
    "team_replicator",
    "Independent replicator learners in self-play",
    "build:team_replicator",
    SelfPlaySettings,
    reference=_PAPER,
)
team_mwu = _FAMILY.agent(
    "team_mwu",
    "Independent multiplicative-weights learners in self-play",
    "build:team_mwu",
    SelfPlaySettings,
    reference=_PAPER,
)
team_forel = _FAMILY.agent(
    "team_forel",
    "Independent regularised-leader learners in self-play",
    "build:team_forel",
    SelfPlaySettings,
    reference=_PAPER,
)
team_rm = _FAMILY.agent(
    "team_rm", "Independent regret-matching learners in self-play", "build:team_rm", SelfPlaySettings, reference=_PAPER
)
