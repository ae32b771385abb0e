"""Registry descriptors of the cooperative games; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.vector.settings import CoordinationSettings, PenaltySettings, TeamMatrixSettings
from equilibria.sim.plugin import NoSettings, Plugin, Settings

_BUILD = "equilibria.games.vector.build"
_CLAUS = "Claus and Boutilier (1998), The dynamics of reinforcement learning in cooperative multiagent systems, AAAI"


def _game(name: str, summary: str, settings: type[Settings], reference: str = "") -> Plugin:
    return Plugin(
        kind="game",
        name=name,
        summary=summary,
        target=f"{_BUILD}:{name}",
        settings=settings,
        engines=("extensive",),
        forms=("cooperative",),
        reference=reference,
    )


coordination_game = _game(
    "coordination_game",
    "Agents set noisy bits; all zeros pay best, all ones are a trap",
    CoordinationSettings,
    "Chen and Zhang (2023), arXiv 2306.01920",
)
climbing_game = _game("climbing_game", "Two agents climb to the best pair past costly mistakes", NoSettings, _CLAUS)
penalty_game = _game(
    "penalty_game", "Two best pairs, a safe one between them, costly mixtures", PenaltySettings, _CLAUS
)
team_matrix = _game("team_matrix", "Common-payoff matrix game of two agents", TeamMatrixSettings)
