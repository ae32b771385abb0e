"""Meta-strategies over a population of team policies."""

from __future__ import annotations

import numpy as np

from equilibria.games.analysis.matrix_nash import zero_sum_nash
from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray

FICTITIOUS_ROUNDS = 999


def meta_strategy(payoffs: FloatArray, method: str) -> FloatArray:
    """Return the row player's meta-strategy [P] of a zero-sum payoff matrix [P, R].

    Args:
        payoffs: Row player's payoff.
        method: ``"lp"`` (exact Nash), ``"fp"`` (999 rounds of fictitious play) or ``"uniform"``.
    """
    if method == "lp":
        return zero_sum_nash(payoffs).row
    if method == "fp":
        return np.asarray(fictitious_play(np.ascontiguousarray(payoffs), FICTITIOUS_ROUNDS)[0])
    if method == "uniform":
        return np.full(len(payoffs), 1.0 / len(payoffs))
    raise InvalidValue(f"meta must be 'lp', 'fp' or 'uniform', got {method!r}")


@kernel
def fictitious_play(payoffs: FloatArray, rounds: int) -> tuple[FloatArray, FloatArray]:
    """Return both average strategies after simultaneous pure best responses, starting from uniform (Brown 1951)."""
    m, k = payoffs.shape
    x, y = np.full(m, 1.0 / m), np.full(k, 1.0 / k)
    for i in range(1, rounds + 1):
        row = np.argmax(payoffs @ y)
        column = np.argmin(x @ payoffs)
        x *= i / (i + 1.0)
        y *= i / (i + 1.0)
        x[row] += 1.0 / (i + 1.0)
        y[column] += 1.0 / (i + 1.0)
    return x, y
