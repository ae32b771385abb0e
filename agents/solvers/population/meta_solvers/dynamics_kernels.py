"""Compiled loops of the iterative meta-solvers (see ``dynamics``); all take MetaArrays."""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.population.kernels import (
    normalise_players,
    refresh,
    refresh_all,
    uniform_mixture,
    values,
)
from equilibria.sim.jit import kernel


@kernel(inline="always")
def _inner(sigma, v, first, size):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(size):
        total += sigma[first + i] * v[i]
    return total


@kernel
def fictitious_play(m, iterations):  # type: ignore[no-untyped-def]
    """Return the average [K] of the uniform start and ``iterations`` simultaneous best responses."""
    n = m.sizes.shape[0]
    sigma = uniform_mixture(m)
    counts = sigma.copy()
    v = np.empty(m.sizes.max())
    choice = np.empty(n, np.int64)
    for t in range(iterations):
        refresh_all(m, sigma)
        for p in range(n):
            values(m, p, sigma, v)
            choice[p] = np.argmax(v[: m.sizes[p]])
        for p in range(n):
            counts[m.offsets[p] + choice[p]] += 1.0
        for i in range(sigma.shape[0]):
            sigma[i] = counts[i] / (t + 2.0)
    return sigma


@kernel
def regret_matching(m, iterations, gamma, initial_regret):  # type: ignore[no-untyped-def]
    """Return the average [K] of simultaneous regret matching, the uniform start included."""
    n, total = m.sizes.shape[0], m.offsets[m.sizes.shape[0]]
    sigma = uniform_mixture(m)
    sums = sigma.copy()
    following = np.empty(total)
    regret = np.full(total, initial_regret)
    v = np.empty(m.sizes.max())
    for _ in range(iterations):
        refresh_all(m, sigma)
        for p in range(n):
            first, size = m.offsets[p], m.sizes[p]
            values(m, p, sigma, v)
            earned = _inner(sigma, v, first, size)
            mass = 0.0
            for i in range(size):
                regret[first + i] += v[i] - earned
                mass += max(regret[first + i], 0.0)
            for i in range(size):
                if mass > 0.0:
                    following[first + i] = gamma / size + (1.0 - gamma) * max(regret[first + i], 0.0) / mass
                else:
                    following[first + i] = 1.0 / size
        for i in range(total):
            sigma[i] = following[i]
            sums[i] += following[i]
    normalise_players(m, sums)
    return sums


@kernel
def regret_matching_plus(m, iterations):  # type: ignore[no-untyped-def]
    """Return the linearly weighted average [K] of alternating regret matching+."""
    n, total = m.sizes.shape[0], m.offsets[m.sizes.shape[0]]
    sigma = uniform_mixture(m)
    refresh_all(m, sigma)
    sums, regret = np.zeros(total), np.zeros(total)
    v = np.empty(m.sizes.max())
    for t in range(iterations):
        for p in range(n):
            first, size = m.offsets[p], m.sizes[p]
            values(m, p, sigma, v)
            earned = _inner(sigma, v, first, size)
            mass = 0.0
            for i in range(size):
                regret[first + i] = max(0.0, regret[first + i] + v[i] - earned)
                mass += regret[first + i]
            for i in range(size):
                sigma[first + i] = regret[first + i] / mass if mass > 0.0 else 1.0 / size
                sums[first + i] += (t + 1.0) * sigma[first + i]
            refresh(m, p, sigma)
    normalise_players(m, sums)
    return sums


@kernel
def project(y, size, gamma, work):  # type: ignore[no-untyped-def]
    """Project y[:size] in place on {x : x_i >= gamma, sum x = 1} in the Euclidean norm.

    ``gamma * size`` must not exceed 1.  Cost: O(k) when no bound is active, else O(k log k).
    """
    total, low = 0.0, y[0]
    for i in range(size):
        total += y[i]
        low = min(low, y[i])
    shift = (1.0 - total) / size
    if low + shift < gamma:
        for i in range(size):
            work[i] = -y[i]
        ordered = np.sort(work[:size])  # ascending in -y: descending in y
        running = 0.0
        for i in range(size):
            running -= ordered[i]
            candidate = (1.0 - running - (size - i - 1) * gamma) / (i + 1)
            if -ordered[i] + candidate > gamma:
                shift = candidate
    for i in range(size):
        y[i] = max(y[i] + shift, gamma)


@kernel
def projected_replicator(m, iterations, step, gamma):  # type: ignore[no-untyped-def]
    """Return the average [K] of projected replicator dynamics, the uniform start included."""
    n, total = m.sizes.shape[0], m.offsets[m.sizes.shape[0]]
    sigma = uniform_mixture(m)
    sums = sigma.copy()
    following = np.empty(total)
    widest = m.sizes.max()
    v, y, work = np.empty(widest), np.empty(widest), np.empty(widest)
    for _ in range(iterations):
        refresh_all(m, sigma)
        for p in range(n):
            first, size = m.offsets[p], m.sizes[p]
            values(m, p, sigma, v)
            earned = _inner(sigma, v, first, size)
            for i in range(size):
                y[i] = sigma[first + i] * (1.0 + step * (v[i] - earned))
            project(y, size, min(gamma, 1.0 / size), work)
            for i in range(size):
                following[first + i] = y[i]
        for i in range(total):
            sigma[i] = following[i]
            sums[i] += following[i]
    normalise_players(m, sums)
    return sums
