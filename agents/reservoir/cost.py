"""Complexity cost and free energy of an agent in play.

C(alpha) = KL(body states in play || body states of the habituated baseline), estimated per replica from states
after a burn-in; the baseline is a fresh drive under mutual cooperation as long as the sample.
F(alpha) = -mean payoff + lambda C(alpha).  Source: Nakamura (2026), arXiv 2602.20846; the estimator, burn-in and
length of the baseline are settings here because the source uses several.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.reservoir import kernels
from equilibria.agents.reservoir.body import Body
from equilibria.agents.reservoir.divergence import gaussian_divergence, neighbour_divergence
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

PRICES = (1.0, 3.0, 8.0)
"""Weights lambda of the complexity cost in the free energies that are reported."""


def baseline_states(body: Body, count: int, seeds: SeedTree) -> FloatArray:
    """Return [count, d] states of the habituated body under mutual cooperation, from its warmed-up state."""
    key = seeds.child("complexity baseline").key()
    return np.asarray(
        kernels.drive(body.state.copy(), body.recurrent, body.input, body.offset, 1.0, body.noise, key, 0, count)
    )


def complexity_cost(body: Body, states: FloatArray, seeds: SeedTree, *, estimator: str = "neighbours") -> float:
    """Return the divergence in nats of ``states`` [n, d] from the body's baseline.

    Args:
        body: Whose states they are.
        states: [n, d] states in play after the burn-in, n > 5.
        seeds: Seed node of the replica; the baseline has its own branch.
        estimator: ``"neighbours"`` (5 nearest) or ``"gaussian"``.
    """
    reference = baseline_states(body, len(states), seeds)
    if estimator == "gaussian":
        return gaussian_divergence(states, reference)
    return neighbour_divergence(states, reference)
