"""Batches of small worlds stepped by compiled kernels; names are resolved on first use.

Example:
    >>> import numpy as np
    >>> from equilibria.games.vector import Aloha
    >>> world = Aloha()
    >>> state = world.reset(key=7, batch=4)
    >>> state, rewards = world.step(state, {"agent": np.ones((4, 10), dtype=np.int64)})
    >>> float(rewards["agent"][0, 0])
    -100.0
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "Aloha": "aloha",
    "CoordinationWorld": "coordination",
    "LinearQuadratic": "linear_quadratic",
    "MiniBattle": "two_teams",
    "PopulationFamily": "families",
    "ResourceOccupation": "particles",
    "MarkovWorld": "markov",
    "RecallWorld": "markov",
    "SimpleSpread": "spread",
    "TabularTeamGame": "tabular",
    "TeamGameWorld": "two_teams",
    "TeamMatrixWorld": "team_matrix",
    "TreasureCollection": "particles",
    "VectorWorld": "base",
    "WorldState": "base",
    "climbing_payoff": "payoffs",
    "coordination_game": "tabular",
    "one_shot_game": "tabular",
    "penalty_payoff": "payoffs",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.vector", _PUBLIC)
