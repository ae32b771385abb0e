"""Registry descriptors of the cooperative games; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.vector.settings import (
    AlohaSettings,
    BanditSettings,
    ChainSettings,
    CoordinationSettings,
    CoordinationWorldSettings,
    PenaltySettings,
    RandomProcessSettings,
    RecallSettings,
    SpreadSettings,
    TeamMatrixSettings,
    TeamMatrixWorldSettings,
)
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


def _world(name: str, summary: str, settings: type[Settings], reference: str = "") -> Plugin:
    return Plugin(
        kind="game",
        name=name,
        summary=summary,
        target=f"{_BUILD}:{name}",
        settings=settings,
        engines=("training",),
        forms=("vector",),
        reference=reference,
    )


simple_spread = _world(
    "simple_spread", "Particles cover landmarks without bumping into each other (as in mpe2 1.1.1)", SpreadSettings,
    "Lowe et al. (2017), arXiv 1706.02275",
)  # fmt: skip
aloha = _world(
    "aloha", "Agents with queues share a channel with their neighbours", AlohaSettings,
    "Chen and Zhang (2023), arXiv 2306.01920",
)  # fmt: skip
coordination_world = _world(
    "coordination_world", "The coordination game as sampled worlds", CoordinationWorldSettings,
    "Chen and Zhang (2023), arXiv 2306.01920",
)  # fmt: skip
team_matrix_world = _world(
    "team_matrix_world", "A common-payoff matrix game as sampled worlds", TeamMatrixWorldSettings, _CLAUS
)
chain_mdp = _world("chain_mdp", "A chain of states with the reward at its end; one agent, exact optimum", ChainSettings)
random_mdp = _world("random_mdp", "A dense random decision process; one agent, exact optimum", RandomProcessSettings)
contextual_bandit = _world("contextual_bandit", "Contexts and arms with noisy rewards; exact optimum", BanditSettings)
recall = _world("recall", "Memory task: a bit is shown once and asked for later", RecallSettings)
