"""Equilibria of two-player zero-sum matrix games: one of them by linear programming, and the one of most entropy.

Row player's payoff A [m, k]; the column player gets -A.

1. ``zero_sum_nash``: maximise v subject to A^T x >= v on the simplex; the row duals are the column
   player's strategy (von Neumann 1928; solver: HiGHS through scipy).
2. ``max_entropy_nash``: equilibrium strategies of one player form the polytope
   {x in simplex : B x >= 0} with B = (A - v)^T.  A single homogeneous linear program finds all
   strategies that have mass in *some* equilibrium and all rows of B that are slack in some; what is
   left has an interior point, so the entropy problem has an attained dual,
   min log sum_i exp((B^T l)_i) with l >= 0 on slack rows and free on tight ones, whose solution is
   x = softmax(B^T l).  It is minimised by L-BFGS-B and polished by Newton steps on the active rows.

Cost: one LP with m + 1 variables and k rows; the entropy version three LPs and a dual with k variables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog, minimize
from scipy.special import logsumexp, softmax

from equilibria.games.analysis.checks import distribution, payoff_matrix
from equilibria.sim.errors import NotConverged
from equilibria.sim.types import BoolArray, FloatArray

# LP solutions carry errors of about 1e-9 on the unit scale; slack below this counts as zero.
ACTIVE = 1e-6


@dataclass(frozen=True, slots=True)
class MatrixNash:
    """An equilibrium of a zero-sum matrix game.

    Attributes:
        row: [m] strategy of the row player.
        column: [k] strategy of the column player.
        value: Payoff of the row player at equilibrium, in units of the payoffs.
        nash_conv: max_i (A y)_i - min_j (x A)_j, the total gain of best responses; >= 0 up to rounding.
    """

    row: FloatArray
    column: FloatArray
    value: float
    nash_conv: float


def zero_sum_nash(payoffs: ArrayLike) -> MatrixNash:
    """Return an equilibrium (a vertex of the equilibrium set) of the zero-sum game with row payoffs ``payoffs``.

    Args:
        payoffs: [m, k] payoff of the row player; the column player gets the negative.

    Raises:
        InvalidValue: If ``payoffs`` is no matrix with at least one entry.
        NumericalError: If an entry is not finite.
        NotConverged: If HiGHS reports failure.

    Example:
        >>> nash = zero_sum_nash([[2, -1], [-1, 1]])
        >>> nash.row.round(6).tolist(), round(nash.value, 6)
        ([0.4, 0.6], 0.2)
    """
    a = payoff_matrix(payoffs)
    unit, shift, scale = _to_unit(a)
    row, dual = _solve(unit)
    column = dual if _total_gain(unit, row, dual) < 1e-9 else _solve(-unit.T)[0]
    value = float(row @ unit @ column) * scale + shift
    return MatrixNash(row, column, value, _total_gain(a, row, column))


def max_entropy_nash(payoffs: ArrayLike) -> MatrixNash:
    """Return the equilibrium whose two strategies have the largest entropy; it is unique.

    Duplicated strategies share the mass of the original, so cloning never changes anybody else's mass.

    Args:
        payoffs: [m, k] payoff of the row player.

    Raises:
        InvalidValue, NumericalError, NotConverged: As ``zero_sum_nash``.

    Example:
        >>> rock2 = [[0, 0, -1, 1], [0, 0, -1, 1], [1, 1, 0, -1], [-1, -1, 1, 0]]
        >>> max_entropy_nash(rock2).row.round(6).tolist()
        [0.166667, 0.166667, 0.333333, 0.333333]

    Reference:
        Balduzzi et al. (2018), Re-evaluating evaluation, arXiv 1806.02643 (maxent Nash).
    """
    a = payoff_matrix(payoffs)
    unit, shift, scale = _to_unit(a)
    row, dual = _solve(unit)
    value = float((row @ unit).min())
    top = float((unit @ _solve(-unit.T)[0]).max()) if _total_gain(unit, row, dual) >= 1e-9 else value
    middle = (value + top) / 2
    row = _most_entropy((unit - middle).T)
    column = _most_entropy(middle - unit)
    return MatrixNash(row, column, middle * scale + shift, _total_gain(a, row, column))


def exploitability_of(payoffs: ArrayLike, row: ArrayLike, column: ArrayLike) -> float:
    """Return (max_i (A y)_i - min_j (x A)_j) / 2, the mean gain of a best response, in payoff units.

    Args:
        payoffs: [m, k] payoff of the row player.
        row: [m] distribution.
        column: [k] distribution.
    """
    a = payoff_matrix(payoffs)
    x, y = distribution(row, a.shape[0], "row"), distribution(column, a.shape[1], "column")
    return _total_gain(a, x, y) / 2


def _to_unit(a: FloatArray) -> tuple[FloatArray, float, float]:
    """Return the matrix mapped to [-1, 1]; equilibria are invariant and LP tolerances are absolute."""
    shift = float(a.min() / 2 + a.max() / 2)
    scale = float(np.abs(a - shift).max())
    return ((a - shift) / scale if scale > 0 else np.zeros_like(a)), shift, (scale if scale > 0 else 1.0)


def _total_gain(a: FloatArray, x: FloatArray, y: FloatArray) -> float:
    return float((a @ y).max() - (x @ a).min())


def _solve(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the maximin strategy [m] of the row player and the duals [k] as a column strategy."""
    m, k = a.shape
    cost = np.zeros(m + 1)
    cost[-1] = -1.0
    result = linprog(
        cost,
        A_ub=np.hstack([-a.T, np.ones((k, 1))]),
        b_ub=np.zeros(k),
        A_eq=np.append(np.ones(m), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0.0, None)] * m + [(None, None)],
        method="highs",
    )
    if result.status != 0:
        raise NotConverged(f"the linear program of a {m} x {k} matrix game failed: {result.message}")
    return _normalise(result.x[:m]), _normalise(-result.ineqlin.marginals)


def _normalise(x: FloatArray) -> FloatArray:
    clipped = np.maximum(x, 0.0)
    total = clipped.sum()
    return clipped / total if total > 0 else np.full(len(x), 1.0 / len(x))


def _most_entropy(b: FloatArray) -> FloatArray:
    """Return the entropy maximiser of {x in simplex : b x >= 0}; b [k, m] is feasible with maximum 0."""
    support, slack = _relative_interior(b)
    inner = b[:, support]
    tight = ~slack
    # rows that vanish on the support restrict nothing
    rows = np.abs(inner).max(axis=1) > ACTIVE
    x = np.zeros(b.shape[1])
    x[support] = _dual_newton(inner[rows & tight], inner[rows & slack])
    return x


def _relative_interior(b: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return which coordinates can be positive and which rows of b can be slack within the polytope.

    Maximises sum t over the cone {y >= 0, b y >= 0} with t <= y, t <= b y, 0 <= t <= 1: the cone can
    be scaled up, so at the optimum t is positive exactly where a relatively interior point is.
    """
    k, m = b.shape
    cost = np.concatenate([np.zeros(m), -np.ones(m + k)])
    top = np.hstack([-np.eye(m), np.eye(m), np.zeros((m, k))])
    bottom = np.hstack([-b, np.zeros((k, m)), np.eye(k)])
    # the numerical value v is off by about 1e-10: a tolerance keeps the cone from being {0}
    limit = np.concatenate([np.zeros(m), np.full(k, 1e-9)])
    bounds = [(0.0, 1e5)] * m + [(0.0, 1.0)] * (m + k)
    result = linprog(cost, A_ub=np.vstack([top, bottom]), b_ub=limit, bounds=bounds, method="highs")
    if result.status != 0:
        raise NotConverged(f"the support program of the maximum-entropy equilibrium failed: {result.message}")
    t = result.x[m:]
    support = t[:m] > 0.5
    if not support.any():
        support = result.x[:m] >= result.x[:m].max() * 0.5
    return support, t[m:] > 0.5


def _dual_newton(equal: FloatArray, above: FloatArray) -> FloatArray:
    """Return argmax entropy of x in the simplex with ``equal @ x = 0`` and ``above @ x >= 0``."""
    m = equal.shape[1]
    g = np.vstack([equal, above])
    free = len(equal)
    if not len(g):
        return np.full(m, 1.0 / m)

    def dual(multipliers: FloatArray) -> tuple[float, FloatArray]:
        z = multipliers @ g
        return float(logsumexp(z)), g @ softmax(z)

    bounds = [(None, None)] * free + [(0.0, None)] * len(above)
    options = {"maxiter": 2000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-10, "maxls": 50}
    found = minimize(dual, np.zeros(len(g)), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return _polish(np.asarray(found.x), g, free)


def _polish(multipliers: FloatArray, g: FloatArray, free: int) -> FloatArray:
    """Newton steps on the rows with non-zero multiplier; keeps the better of start and end."""
    bounded = np.arange(len(g)) >= free
    best, best_x, best_error = multipliers, softmax(multipliers @ g), np.inf
    for _ in range(30):
        x = softmax(best @ g)
        gradient = g @ x
        # complementarity: free rows vanish; bounded rows are >= 0 and vanish where the multiplier is positive
        error = np.where(bounded, np.minimum(np.maximum(best, 0.0), gradient), gradient)
        worst = float(np.abs(error).max())
        if worst < best_error:
            best_x, best_error = x, worst
        if worst < 1e-13:
            break
        active = ~bounded | (best - gradient > 0)
        rows = g[active]
        hessian = (rows * x) @ rows.T - np.outer(rows @ x, rows @ x)
        step = np.linalg.lstsq(hessian, gradient[active], rcond=1e-12)[0]
        following = np.where(bounded, np.maximum(best, 0.0) * active, best)
        following[active] -= np.clip(step, -5.0, 5.0)
        best = np.where(bounded, np.maximum(following, 0.0), following)
    return np.asarray(best_x)
