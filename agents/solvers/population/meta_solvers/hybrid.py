"""The compiled core that SHOR and PM share: optimistic regret matching centred by the mean.

One round, for each player in turn (later players see the already updated mixtures)::

    v = payoff of each own policy against the others' mixtures
    c = v - mean(v)                                   arithmetic mean over policies, not sigma.v
    g = (1 + momentum) c - momentum * previous + bonus (1 - sigma)
    g = g / max|g|                                    if ``normalise`` and max|g| > 1e-8
    R = max(0, R + g)
    sigma = (1 - blend) R / sum(R) + blend softmax(v / temperature)
    previous = c                                      un-normalised, without bonus

Source: Li, Schultz, Hennes, Lanctot (2026), Discovering Multiagent Learning Algorithms with Large
Language Models, arXiv 2602.16928, appendix.  Cost per round: one ``values`` per player, O(K) else.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.agents.solvers.population.kernels import (
    normalise_players,
    refresh,
    refresh_all,
    uniform_mixture,
    values,
)
from equilibria.sim.jit import kernel

# exp underflows to zero below this argument; the branch also spares denormal numbers, which are slow
_UNDERFLOW = -708.0


@kernel
def _gains(v, c, previous, sigma, first, size, momentum, bonus, normalise):  # type: ignore[no-untyped-def]
    """Turn payoffs v[:size] into gains, in place; c receives the centred payoffs."""
    mean = 0.0
    for i in range(size):
        mean += v[i]
    mean /= size
    top = 0.0
    for i in range(size):
        c[i] = v[i] - mean
        gain = (1.0 + momentum) * c[i] - momentum * previous[first + i] + bonus * (1.0 - sigma[first + i])
        v[i] = gain
        top = max(top, abs(gain))
    if normalise and top > 1e-8:
        for i in range(size):
            v[i] /= top


@kernel
def _softmax(v, size, temperature, out):  # type: ignore[no-untyped-def]
    """Write the softmax of v[:size] / temperature into out[:size]."""
    best = v[0]
    for i in range(1, size):
        best = max(best, v[i])
    total = 0.0
    for i in range(size):
        argument = (v[i] - best) / temperature
        out[i] = math.exp(argument) if argument > _UNDERFLOW else 0.0
        total += out[i]
    for i in range(size):
        out[i] = out[i] / total if total > 1e-12 else 1.0 / size


@kernel
def hybrid(m, rounds, blend, temperature, momentum, bonus, normalise, average):  # type: ignore[no-untyped-def]
    """Run the core for ``rounds`` rounds from the uniform meta-strategy.

    Args:
        m: MetaArrays.
        rounds: Number of rounds T >= 1.
        blend: Weight lambda of the softmax in [0, 1].
        temperature: tau > 0 of the softmax (unused when ``blend`` is 0).
        momentum: mu >= 0.
        bonus: Diversity bonus b >= 0.
        normalise: Divide gains by their largest magnitude.
        average: Return the plain average of all rounds instead of the last iterate.

    Returns:
        [K] flat meta-strategy.
    """
    n = m.sizes.shape[0]
    total = m.offsets[n]
    widest = 0
    for p in range(n):
        widest = max(widest, m.sizes[p])
    sigma = uniform_mixture(m)
    refresh_all(m, sigma)
    regret, previous, sums = np.zeros(total), np.zeros(total), np.zeros(total)
    v, c, soft = np.empty(widest), np.empty(widest), np.empty(widest)
    for _ in range(rounds):
        for p in range(n):
            first, size = m.offsets[p], m.sizes[p]
            values(m, p, sigma, v)
            if blend != 0.0:
                _softmax(v, size, temperature, soft)
            _gains(v, c, previous, sigma, first, size, momentum, bonus, normalise)
            mass = 0.0
            for i in range(size):
                r = max(0.0, regret[first + i] + v[i])
                regret[first + i] = r
                mass += r
                previous[first + i] = c[i]
            for i in range(size):
                share = regret[first + i] / mass if mass > 1e-12 else 1.0 / size
                if blend != 0.0:
                    share = (1.0 - blend) * share + blend * soft[i]
                sigma[first + i] = share
            refresh(m, p, sigma)
        if average:
            for i in range(total):
                sums[i] += sigma[i]
    if average:
        normalise_players(m, sums)
        return sums
    return sigma
