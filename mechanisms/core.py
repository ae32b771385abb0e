"""Core-selecting payments: minimal revenue points of the core closest to a reference point.

Payments p are in the core if no coalition C together with the seller can do better:
sum over winners i outside C of p_i >= w(C) - sum over winners i in C of v_i, and p_i <= v_i.  Among the core
points of least revenue the one closest (Euclidean) to the reference is chosen.

1. w(C) of all coalitions by dynamic programming; one constraint per set of winners outside C.
2. Least revenue by a linear programme (HiGHS).
3. Projection of the reference: a least-distance problem, solved exactly through non-negative least squares.

Reference: Day and Cramton (2012), Operations Research 60; Lawson and Hanson (1974), Solving Least Squares
Problems, chapter 23 (least-distance programming).
Cost: 2^n coalitions; meant for up to about 12 bidders.
"""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms import combinatorial_kernels as kernels
from equilibria.sim.errors import GameTooLarge, NotConverged
from equilibria.sim.types import FloatArray, IntArray

MAX_BIDDERS = 16
_SLACK = 1e-11


def core_payments(
    bundles: IntArray, values: FloatArray, items: int, choice: IntArray, reference: FloatArray
) -> FloatArray:
    """Return the payments [n] of one auction.

    Args:
        bundles: [n, B] bit masks.
        values: [n, B] XOR values.
        items: Number of items.
        choice: [n] accepted bid of each bidder, -1 for none.
        reference: [n] reference point.

    Raises:
        GameTooLarge: Above 16 bidders.
    """
    n = values.shape[0]
    if n > MAX_BIDDERS:
        raise GameTooLarge(f"core payments look at 2^n coalitions; at most {MAX_BIDDERS} bidders, got {n}")
    winners = np.flatnonzero(choice >= 0)
    pay = np.zeros(n)
    if winners.size == 0:
        return pay
    offers = np.array([values[j, choice[j]] for j in winners])
    matrix, bound = _constraints(kernels.coalition_values(bundles, values, items), winners, offers)
    pay[winners] = _nearest(matrix, bound, offers, reference[winners])
    return pay


def _constraints(worth: FloatArray, winners: IntArray, offers: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return A [R, W] of zeros and ones and b [R] with A p >= b, one row per set of winners outside a coalition."""
    coalitions = np.arange(worth.size)
    outside = ((coalitions[:, None] >> winners[None, :]) & 1) == 0
    need = worth - (~outside * offers).sum(axis=1)
    label = (outside << np.arange(winners.size)).sum(axis=1)
    bound = np.zeros(1 << winners.size)
    np.maximum.at(bound, label, need)
    rows = np.flatnonzero(bound > 0)
    rows = rows[rows > 0]  # no winner outside: nobody to pay
    return ((rows[:, None] >> np.arange(winners.size)) & 1).astype(np.float64), bound[rows]


def _nearest(matrix: FloatArray, bound: FloatArray, offers: FloatArray, reference: FloatArray) -> FloatArray:
    from scipy.optimize import linprog

    count = offers.size
    if bound.size == 0:
        return _project(np.ones((1, count)), 0.0, np.zeros((0, count)), np.zeros(0), offers, reference)
    found = linprog(np.ones(count), A_ub=-matrix, b_ub=-bound, bounds=[(0.0, float(v)) for v in offers])
    if not found.success:
        raise NotConverged(f"least core revenue: {found.message}")
    return _project(np.ones((1, count)), float(found.fun), matrix, bound, offers, reference)


def _project(
    ones: FloatArray, revenue: float, matrix: FloatArray, bound: FloatArray, offers: FloatArray, reference: FloatArray
) -> FloatArray:
    """Return the point closest to ``reference`` with A p >= b, 0 <= p <= offers and sum p <= revenue."""
    from scipy.optimize import nnls

    scale = max(1.0, float(offers.max()))
    identity = np.eye(offers.size)
    rows = np.vstack([matrix, identity, -identity, -ones])
    limits = np.concatenate([bound, np.zeros(offers.size), -offers, [-revenue - _SLACK * scale]])
    shifted = limits - rows @ reference
    if np.all(shifted <= 0):
        return reference.copy()
    system = np.vstack([rows.T, shifted])
    target = np.zeros(offers.size + 1)
    target[-1] = 1.0
    weights, _ = nnls(system, target, maxiter=50 * system.shape[1])
    residual = system @ weights - target
    if abs(residual[-1]) < 1e-14:
        raise NotConverged("the core has no point of least revenue within rounding; the bids differ too much in size")
    return np.asarray(np.clip(reference - residual[:-1] / residual[-1], 0.0, offers))
