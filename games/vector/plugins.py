"""Registry descriptors of the cooperative games; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.vector.settings import (
    AlohaSettings,
    BanditSettings,
    ChainSettings,
    CoordinationSettings,
    CoordinationWorldSettings,
    LinearQuadraticSettings,
    PenaltySettings,
    RandomProcessSettings,
    RecallSettings,
    SpreadSettings,
    TeamMatrixSettings,
    TeamMatrixWorldSettings,
)
from equilibria.sim.plugin import Family, NoSettings

_CLAUS = "Claus and Boutilier (1998), The dynamics of reinforcement learning in cooperative multiagent systems, AAAI"

_FAMILY = Family(package="equilibria.games.vector", engines=("training",), forms=("vector",))

coordination_game = _FAMILY.game(
    "coordination_game",
    "Agents set noisy bits; all zeros pay best, all ones are a trap",
    "build:coordination_game",
    CoordinationSettings,
    engines=("extensive",),
    forms=("cooperative",),
    reference="Chen and Zhang (2023), arXiv 2306.01920",
)
climbing_game = _FAMILY.game(
    "climbing_game",
    "Two agents climb to the best pair past costly mistakes",
    "build:climbing_game",
    NoSettings,
    engines=("extensive",),
    forms=("cooperative",),
    reference=_CLAUS,
)
penalty_game = _FAMILY.game(
    "penalty_game",
    "Two best pairs, a safe one between them, costly mixtures",
    "build:penalty_game",
    PenaltySettings,
    engines=("extensive",),
    forms=("cooperative",),
    reference=_CLAUS,
)
team_matrix = _FAMILY.game(
    "team_matrix",
    "Common-payoff matrix game of two agents",
    "build:team_matrix",
    TeamMatrixSettings,
    engines=("extensive",),
    forms=("cooperative",),
)

simple_spread = _FAMILY.game(
    "simple_spread",
    "Particles cover landmarks without bumping into each other (as in mpe2 1.1.1)",
    "build:simple_spread",
    SpreadSettings,
    reference="Lowe et al. (2017), arXiv 1706.02275",
)
aloha = _FAMILY.game(
    "aloha",
    "Agents with queues share a channel with their neighbours",
    "build:aloha",
    AlohaSettings,
    reference="Chen and Zhang (2023), arXiv 2306.01920",
)
coordination_world = _FAMILY.game(
    "coordination_world",
    "The coordination game as sampled worlds",
    "build:coordination_world",
    CoordinationWorldSettings,
    reference="Chen and Zhang (2023), arXiv 2306.01920",
)
team_matrix_world = _FAMILY.game(
    "team_matrix_world",
    "A common-payoff matrix game as sampled worlds",
    "build:team_matrix_world",
    TeamMatrixWorldSettings,
    reference=_CLAUS,
)
chain_mdp = _FAMILY.game(
    "chain_mdp",
    "A chain of states with the reward at its end; one agent, exact optimum",
    "build:chain_mdp",
    ChainSettings,
)
random_mdp = _FAMILY.game(
    "random_mdp", "A dense random decision process; one agent, exact optimum", "build:random_mdp", RandomProcessSettings
)
contextual_bandit = _FAMILY.game(
    "contextual_bandit",
    "Contexts and arms with noisy rewards; exact optimum",
    "build:contextual_bandit",
    BanditSettings,
)
linear_quadratic = _FAMILY.game(
    "linear_quadratic",
    "A linear state held near 0 by continuous pushes; one agent, exact optimum",
    "build:linear_quadratic",
    LinearQuadraticSettings,
    reference="Bertsekas (2012), Dynamic programming and optimal control",
)
recall = _FAMILY.game("recall", "Memory task: a bit is shown once and asked for later", "build:recall", RecallSettings)
