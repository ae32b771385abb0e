"""Registry descriptors of environments of other libraries; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.foreign.settings import MAgentBattleSettings, OpenSpielWorldSettings, PettingZooSettings
from equilibria.sim.plugin import Plugin

pettingzoo = Plugin(
    kind="game",
    name="pettingzoo",
    summary="Any installed PettingZoo environment with discrete actions (PettingZoo, MPE2, MAgent2 ...)",
    target="equilibria.games.foreign.build:build_pettingzoo",
    settings=PettingZooSettings,
    engines=("training",),
    forms=("vector",),
    reference="Terry et al. (2021), PettingZoo: Gym for multi-agent reinforcement learning, NeurIPS",
)
openspiel_world = Plugin(
    kind="game",
    name="openspiel_world",
    summary="An OpenSpiel game played move by move by learners",
    target="equilibria.games.foreign.build:build_openspiel",
    settings=OpenSpielWorldSettings,
    engines=("training",),
    forms=("vector",),
    reference="Lanctot et al. (2019), OpenSpiel: a framework for reinforcement learning in games",
)
magent_battle = Plugin(
    kind="game",
    name="magent_battle",
    summary="MAgent's battle of two small teams, zero-sum, with the rewards of the FXP experiments",
    target="equilibria.games.foreign.build:build_magent_battle",
    settings=MAgentBattleSettings,
    engines=("training",),
    forms=("vector", "two_teams"),
    requires="environments",
    modules=("magent2",),
    reference="Zheng et al. (2018), MAgent, arXiv 1712.00600; Xu et al. (2023), arXiv 2310.03354",
)
