"""Pessimistic regret and the meta-solver that minimises it, for two players.

With estimates u, deviations s and bounds L = u - kappa s, H = u + kappa s of every pure profile,
rho_p(sigma) = max(0, max_j H_p(j, sigma_-p) - L_p(sigma)), where a deviation that sigma already plays
with certainty counts as 0.  It ranks candidates by how much regret the data cannot rule out; it is no
guarantee.  Bounds of mixtures are taken as mixtures of bounds.

Candidates: all pure profiles (at most 10^4), uniform, regret-matching+ averages on u, on L and on "H for
deviations, L for what is realised", and projected replicator dynamics on u.  Ties go to the higher
pessimistic welfare.  Our concrete design of the idea of arXiv 2603.00374.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.population.meta_solvers.registry import solve_meta_game
from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray

MAX_PURE = 10_000
ROUNDS = 2000
_TIE = 1e-12


def pessimistic_regret(low: FloatArray, high: FloatArray, sigma: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
    """Return rho of both players.

    Args:
        low: [2, k_0, k_1] lower payoff bounds.
        high: [2, k_0, k_1] upper payoff bounds.
        sigma: Both meta-strategies.
    """
    x, y = sigma
    out = []
    for p, own in enumerate((x, y)):
        deviation = high[p] @ y if p == 0 else x @ high[p]
        realised = float(x @ low[p] @ y)
        gain = np.where(own >= 1 - _TIE, -np.inf, deviation - realised)
        out.append(max(0.0, float(gain.max(initial=-np.inf))))
    return out[0], out[1]


def pessimistic_meta_strategy(
    estimate: FloatArray, deviation: FloatArray, *, kappa: float = 1.0
) -> tuple[tuple[FloatArray, FloatArray], float]:
    """Return the candidate of least total pessimistic regret and that regret.

    Args:
        estimate: [2, k_0, k_1] estimated payoffs.
        deviation: [2, k_0, k_1] their standard deviations, >= 0.
        kappa: Width of the bounds, >= 0.

    Raises:
        InvalidValue: If shapes differ, a deviation is negative or ``kappa`` is.
    """
    if estimate.shape != deviation.shape or estimate.ndim != 3 or len(estimate) != 2:
        raise InvalidValue(f"need two arrays [2, k_0, k_1], got {estimate.shape} and {deviation.shape}")
    if kappa < 0 or deviation.min() < 0:
        raise InvalidValue(f"kappa and deviations must be >= 0, got {kappa!r} and {float(deviation.min())!r}")
    low, high = estimate - kappa * deviation, estimate + kappa * deviation
    best: tuple[FloatArray, FloatArray] | None = None
    best_rho, best_welfare = np.inf, -np.inf
    scale = max(1.0, float(np.abs(high).max()), float(np.abs(low).max()))
    for sigma in _candidates(estimate, low, high):
        rho = sum(pessimistic_regret(low, high, sigma))
        welfare = float(sum(sigma[0] @ low[p] @ sigma[1] for p in range(2)))
        better = rho < best_rho - _TIE * scale
        tied = abs(rho - best_rho) <= _TIE * scale and welfare > best_welfare + _TIE * scale
        if best is None or better or tied:
            best, best_rho, best_welfare = sigma, rho, welfare
    if best is None:
        raise InvalidValue("a meta-game needs at least one policy per player")
    return best, best_rho


def _candidates(estimate: FloatArray, low: FloatArray, high: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    k0, k1 = estimate.shape[1:]
    found: list[tuple[FloatArray, FloatArray]] = []
    if k0 * k1 <= MAX_PURE:
        found += [(np.eye(k0)[i], np.eye(k1)[j]) for i in range(k0) for j in range(k1)]
    for deviation, realised in ((estimate, estimate), (low, low), (high, low)):
        found.append(_regret_matching(deviation, realised, ROUNDS))
    prd = solve_meta_game("prd", list(estimate), {"iterations": 10_000}).marginals
    found += [(prd[0], prd[1]), (np.full(k0, 1 / k0), np.full(k1, 1 / k1))]
    return found


@kernel
def _regret_matching(deviation: FloatArray, realised: FloatArray, rounds: int) -> tuple[FloatArray, FloatArray]:
    """Return linear averages of regret matching+ with regrets ``deviation`` of actions minus ``realised`` value."""
    k0, k1 = deviation.shape[1], deviation.shape[2]
    x, y = np.full(k0, 1.0 / k0), np.full(k1, 1.0 / k1)
    r0, r1 = np.zeros(k0), np.zeros(k1)
    total0, total1 = np.zeros(k0), np.zeros(k1)
    for t in range(1, rounds + 1):
        r0 = np.maximum(0.0, r0 + deviation[0] @ y - x @ (realised[0] @ y))
        x = r0 / r0.sum() if r0.sum() > 0 else np.full(k0, 1.0 / k0)
        r1 = np.maximum(0.0, r1 + x @ deviation[1] - x @ (realised[1] @ y))
        y = r1 / r1.sum() if r1.sum() > 0 else np.full(k1, 1.0 / k1)
        total0 += t * x
        total1 += t * y
    return total0 / total0.sum(), total1 / total1.sum()
