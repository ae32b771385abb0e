"""Stationary distributions of finite Markov chains without subtraction.

Three solvers for a chain given by off-diagonal rates (each row up to a common factor):

* ``gth``: Grassmann, Taksar and Heyman (1985) state reduction; every operation adds, multiplies or
  divides non-negative numbers, so each component has high *relative* accuracy.  O(N^3) time, O(N^2) memory.
* ``gth_log``: the same on logarithms, for rates from exp(-1e300) to 1.
* ``gth_orders``: the same on leading terms c * eps^k for eps -> 0.  A sum keeps the smallest power, a
  product adds powers, a quotient subtracts them; because nothing is ever subtracted the leading
  term of every result is exact, so the limit distribution comes out without choosing an eps.
* ``gauss_seidel``: sparse sweeps x_j = sum_i x_i P_ij / out_j for large chains, with a residual check.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray

NEVER = 2**30
"""Order of a rate that is zero."""


@kernel
def gth(rates: FloatArray) -> FloatArray:
    """Return the stationary distribution [N] of an irreducible chain; ``rates`` [N, N] is overwritten."""
    n = rates.shape[0]
    for last in range(n - 1, 0, -1):
        out = 0.0
        for j in range(last):
            out += rates[last, j]
        for i in range(last):
            if rates[i, last] > 0.0:
                share = rates[i, last] / out
                rates[i, last] = share
                for j in range(last):
                    rates[i, j] += share * rates[last, j]
    x = np.zeros(n)
    x[0] = 1.0
    for j in range(1, n):
        for i in range(j):
            x[j] += x[i] * rates[i, j]
    x /= x.sum()
    return x


@kernel(inline="always")
def _log_add(a: float, b: float) -> float:
    if a < b:
        a, b = b, a
    # terms below the rounding of the larger one cannot matter; exp is the costly part
    return a if b < a - 40.0 else a + math.log1p(math.exp(b - a))


@kernel
def gth_log(rates: FloatArray) -> FloatArray:
    """Return log stationary probabilities [N]; ``rates`` [N, N] holds logarithms and is overwritten."""
    n = rates.shape[0]
    for last in range(n - 1, 0, -1):
        out = -np.inf
        for j in range(last):
            out = _log_add(out, rates[last, j]) if rates[last, j] > -np.inf else out
        for i in range(last):
            if rates[i, last] > -np.inf:
                share = rates[i, last] - out
                rates[i, last] = share
                for j in range(last):
                    term = share + rates[last, j]
                    if term > -np.inf:
                        rates[i, j] = _log_add(rates[i, j], term)
    x = np.full(n, -np.inf)
    x[0] = 0.0
    for j in range(1, n):
        for i in range(j):
            term = x[i] + rates[i, j]
            if term > -np.inf:
                x[j] = _log_add(x[j], term)
    total = -np.inf
    for j in range(n):
        total = _log_add(total, x[j]) if x[j] > -np.inf else total
    return x - total


@kernel
def gth_orders(rates: FloatArray, orders: Int32Array) -> tuple[FloatArray, IntArray]:
    """Return leading coefficients and orders [N] of the stationary distribution as eps -> 0.

    Args:
        rates: [N, N] leading coefficients c, overwritten.
        orders: [N, N] powers k of eps, ``NEVER`` where the rate is zero; overwritten.
    """
    n = rates.shape[0]
    for last in range(n - 1, 0, -1):
        out, out_order = 0.0, NEVER
        for j in range(last):
            k = orders[last, j]
            if k < out_order:
                out, out_order = rates[last, j], k
            elif k == out_order and k < NEVER:
                out += rates[last, j]
        for i in range(last):
            if orders[i, last] >= NEVER:
                continue
            share, share_order = rates[i, last] / out, orders[i, last] - out_order
            rates[i, last], orders[i, last] = share, share_order
            for j in range(last):
                if orders[last, j] >= NEVER or i == j:
                    continue
                k = share_order + orders[last, j]
                if k < orders[i, j]:
                    rates[i, j], orders[i, j] = share * rates[last, j], k
                elif k == orders[i, j]:
                    rates[i, j] += share * rates[last, j]
    x, x_order = np.zeros(n), np.full(n, NEVER, np.int64)
    x[0], x_order[0] = 1.0, 0
    for j in range(1, n):
        for i in range(j):
            if orders[i, j] >= NEVER:
                continue
            k = x_order[i] + orders[i, j]
            if k < x_order[j]:
                x[j], x_order[j] = x[i] * rates[i, j], k
            elif k == x_order[j]:
                x[j] += x[i] * rates[i, j]
    return x, x_order


@kernel
def gauss_seidel(
    start: FloatArray,
    pointer: IntArray,
    source: Int32Array,
    rate: FloatArray,
    out: FloatArray,
    limit: int,
    tolerance: float,
) -> tuple[FloatArray, float, int]:
    """Return (x [N], last relative change, sweeps) of sparse sweeps over incoming edges.

    Args:
        start: [N] positive start.
        pointer: [N + 1] ranges of incoming edges.
        source: [E] source state of each incoming edge.
        rate: [E] its rate.
        out: [N] total outgoing rate of each state.
        limit: Sweeps at most.
        tolerance: Stop when no component changed by more than this, relative to itself.
    """
    n = start.shape[0]
    x = start / start.sum()
    change = np.inf
    sweeps = 0
    while sweeps < limit and change > tolerance:
        change = 0.0
        for j in range(n):
            inflow = 0.0
            for e in range(pointer[j], pointer[j + 1]):
                inflow += x[source[e]] * rate[e]
            new = inflow / out[j]
            moved = abs(new - x[j])
            if moved > change * new:
                change = moved / new
            x[j] = new
        x /= x.sum()
        sweeps += 1
    return x, change, sweeps
