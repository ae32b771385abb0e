"""Compiled parts shared by all meta-solvers: expected payoffs of policies against a mixture.

``refresh`` must be called after the mixture of a player changed and before ``values`` of another
player is asked for; on dense meta-games it does nothing.  Sums run in index order, so results do
not depend on threads.  Zero probabilities are skipped: most meta-strategies are sparse.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.population.arrays import MATRIX, OPERATOR
from equilibria.games.extensive.kernels import gradient_rows
from equilibria.sim.jit import kernel


@kernel
def dot(a, b, start, stop):  # type: ignore[no-untyped-def]
    """Return the inner product of a[start:stop] and b[start:stop] with eight accumulators."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    i = start
    while i + 8 <= stop:
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
        s4 += a[i + 4] * b[i + 4]
        s5 += a[i + 5] * b[i + 5]
        s6 += a[i + 6] * b[i + 6]
        s7 += a[i + 7] * b[i + 7]
        i += 8
    total = ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
    while i < stop:
        total += a[i] * b[i]
        i += 1
    return total


@kernel
def mix(plans, start, stop, weights, first, count, x):  # type: ignore[no-untyped-def]
    """Write the weighted sum of ``count`` plans into x[start:stop]."""
    for s in range(start, stop):
        x[s] = 0.0
    for j in range(count):
        w = weights[first + j]
        if w != 0.0:
            row = plans[j]
            for s in range(start, stop):
                x[s] += w * row[s]


@kernel
def refresh(m, p, sigma):  # type: ignore[no-untyped-def]
    """Bring the work plan of player p up to date with its mixture (operator only)."""
    if m.kind == OPERATOR:
        mix(m.plans, np.int64(m.seq_off[p]), np.int64(m.seq_off[p + 1]), sigma, m.offsets[p], m.sizes[p], m.x)


@kernel
def refresh_all(m, sigma):  # type: ignore[no-untyped-def]
    """Bring the work plans of all players up to date (operator only)."""
    for p in range(m.sizes.shape[0]):
        refresh(m, p, sigma)


@kernel
def _matrix_values(payoff, weights, first, count, size, v):  # type: ignore[no-untyped-def]
    for i in range(size):
        v[i] = 0.0
    for j in range(count):
        w = weights[first + j]
        if w != 0.0:
            row = payoff[j]
            for i in range(size):
                v[i] += w * row[i]


@kernel
def _tensor_values(m, p, sigma, v):  # type: ignore[no-untyped-def]
    # An odometer over all players but the last; the last axis is the contiguous inner loop.
    n = m.sizes.shape[0]
    last = n - 1
    width = m.sizes[last]
    start_last = m.offsets[last]
    total = 1
    for q in range(n):
        total *= m.sizes[q]
    for i in range(m.sizes[p]):
        v[i] = 0.0
    index = np.zeros(n, np.int64)
    base = p * total
    end = base + total
    while base < end:
        w = 1.0
        for q in range(last):
            if q != p:
                w *= sigma[m.offsets[q] + index[q]]
        if w != 0.0:
            if p == last:
                for j in range(width):
                    v[j] += w * m.tensor[base + j]
            else:
                inner = 0.0
                for j in range(width):
                    inner += sigma[start_last + j] * m.tensor[base + j]
                v[index[p]] += w * inner
        base += width
        q = last - 1
        while q >= 0:
            index[q] += 1
            if index[q] < m.sizes[q]:
                break
            index[q] = 0
            q -= 1


@kernel
def values(m, p, sigma, v):  # type: ignore[no-untyped-def]
    """Write into v[:k_p] the payoff of every policy of player p against the others' mixtures."""
    if m.kind == MATRIX:
        if p == 0:
            _matrix_values(m.rows, sigma, m.offsets[1], m.sizes[1], m.sizes[0], v)
        else:
            _matrix_values(m.cols, sigma, m.offsets[0], m.sizes[0], m.sizes[1], v)
    elif m.kind == OPERATOR:
        gradient_rows(m.rowptr, m.col, m.val, m.x, m.g, m.seq_off[p], m.seq_off[p + 1])
        start, stop = np.int64(m.seq_off[p]), np.int64(m.seq_off[p + 1])
        for j in range(m.sizes[p]):
            v[j] = dot(m.plans[j], m.g, start, stop)
    else:
        _tensor_values(m, p, sigma, v)


@kernel
def values_of(m, p, sigma, v):  # type: ignore[no-untyped-def]
    """Refresh all players, then ``values``: one call for use from Python."""
    refresh_all(m, sigma)
    values(m, p, sigma, v)


@kernel
def uniform_mixture(m):  # type: ignore[no-untyped-def]
    """Return the flat meta-strategy [K] that is uniform for every player."""
    n = m.sizes.shape[0]
    sigma = np.empty(m.offsets[n])
    for p in range(n):
        for i in range(m.sizes[p]):
            sigma[m.offsets[p] + i] = 1.0 / m.sizes[p]
    return sigma


@kernel
def normalise_players(m, weights):  # type: ignore[no-untyped-def]
    """Divide each player's part of a flat vector by its sum, in place; uniform where the sum vanishes."""
    for p in range(m.sizes.shape[0]):
        total = 0.0
        for i in range(m.offsets[p], m.offsets[p + 1]):
            total += weights[i]
        for i in range(m.offsets[p], m.offsets[p + 1]):
            weights[i] = weights[i] / total if total > 1e-300 else 1.0 / m.sizes[p]
