"""Registry descriptors of the two-team worlds; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.vector.two_team_settings import MiniBattleSettings
from equilibria.sim.plugin import Plugin

mini_battle = Plugin(
    kind="game",
    name="mini_battle",
    summary="Two teams fight on a small field; a zero-sum world in which coordination wins",
    target="equilibria.games.vector.two_team_build:mini_battle",
    settings=MiniBattleSettings,
    engines=("training",),
    forms=("vector", "two_teams"),
    reference="Zheng et al. (2018), MAgent, arXiv 1712.00600; Xu et al. (2023), arXiv 2310.03354",
)
