"""Alpha-rank at finite selection intensity for games whose deviations do not fit into memory.

Fixation probabilities are computed anew from the payoffs wherever an edge is needed, on logarithms:

1. Gauss-Seidel sweeps x_j = sum_i x_i r_ij / out_j, in alternating directions;
2. *basins*: profiles that the fastest moves lead to the same place are one state of an averaged chain, whose
   solution (``markov_sparse``) rescales them (Koury, McAllister and Stewart 1984);
3. *bands*: so are profiles that the last sweep moved alike (Chatelin and Miranker 1982).

Memory is about 40 bytes per profile and player, and 12 bytes per pair of basins that touch.
Cost: N * sum_p k_p fixation probabilities (about 30 ns each) per sweep or averaging, five of them per cycle.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equilibria.games.analysis.markov_chain import Incoming, log_sums
from equilibria.games.analysis.markov_sparse import bands_of, solve
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray

CYCLES = 30
_TOLERANCE = 1e-12
_ROUNDING = 1e-15  # relative error of a logarithm that sweeps leave behind
_HUGE = 1e290  # payoffs are cut here, so that logarithms of rates stay finite


def finite(payoffs: FloatArray, alpha: float, population: int) -> tuple[FloatArray, float]:
    """Return (distribution [N], residual): the best iterate and the largest change of a log probability at it.

    Args:
        payoffs: [n, k_1, ..., k_n].
        alpha: Selection intensity, > 0.
        population: Individuals per population, >= 2.
    """
    shape = np.array(payoffs.shape[1:], np.int64)
    flat = np.ascontiguousarray(payoffs.reshape(len(shape), -1))
    flat = np.clip(alpha * flat, -_HUGE / population, _HUGE / population)
    n = flat.shape[1]
    outs, lead = np.empty(n), np.empty(n, np.int32)
    _outs_(flat, shape, population, outs, lead)
    basin = _basins(lead)
    logs = np.zeros(n)
    best, residual = logs, np.inf
    for _ in range(CYCLES):
        start = logs.copy()
        _sweep_(flat, shape, population, outs, logs, False)
        _sweep_(flat, shape, population, outs, logs, True)
        logs = _rescaled(flat, shape, population, basin, logs)
        before = logs.copy()
        _sweep_(flat, shape, population, outs, logs, False)
        logs = _rescaled(flat, shape, population, bands_of(logs - before), logs)
        logs -= logs.max()
        change = float(np.abs(logs - start).max())
        if change < residual:
            best, residual = logs, change
        if change <= max(_TOLERANCE, _ROUNDING * float(np.abs(logs).max() + np.abs(outs).max())):
            break
    mass = np.exp(best - best.max())
    return mass / mass.sum(), residual


def _basins(lead: Int32Array) -> tuple[Int32Array, int]:
    """Return the component [N] of every profile in the graph of fastest moves, and the number of components."""
    n = len(lead)
    graph = csr_array((np.ones(n, np.int8), lead, np.arange(n + 1, dtype=np.int32)), shape=(n, n))
    count, label = connected_components(graph, directed=False)
    return label.astype(np.int32), int(count)


def _rescaled(
    flat: FloatArray, shape: IntArray, population: int, groups: tuple[Int32Array, int], logs: FloatArray
) -> FloatArray:
    """Return ``logs`` with groups rescaled to the stationary distribution of the chain between them."""
    group, count = groups
    if not 1 < count < len(logs):
        return logs
    mass = log_sums(count, group, logs)
    by_group = np.argsort(group, kind="stable").astype(np.int64)
    first = np.searchsorted(group[by_group], np.arange(count + 1)).astype(np.int64)
    pointer, source, rate = _between(flat, shape, population, group, by_group, first, logs - mass[group])
    solved, _ = solve(Incoming(pointer, source, rate, log_sums(count, source, rate)), start=mass - mass.max())
    return np.asarray(logs + (solved - mass)[group])


@kernel(forceinline=True)
def _log_fixation_(a: float, m: int) -> float:
    """Return log (1 - e^-a) / (1 - e^-ma), -log m at 0; ``alpharank._log_fixation`` for one number."""
    size = abs(a)
    if size == 0.0:
        return float(-np.log(float(m)))
    value = 0.0
    if size < 40.0:
        value = np.log(-np.expm1(-size))
        if m * size < 40.0:
            value -= np.log(-np.expm1(-m * size))
    return float(value if a > 0.0 else value - (m - 1) * size)


@kernel
def _outs_(payoffs: FloatArray, shape: IntArray, population: int, outs: FloatArray, lead: Int32Array) -> None:
    """Write log of each profile's total rate out [N], and where its fastest move leads (itself where none gains)."""
    players, n = payoffs.shape
    for j in range(n):
        top, total, gain = -np.inf, 0.0, 0.0
        lead[j] = j
        stride = 1
        for back in range(players):
            p = players - 1 - back
            first = j - ((j // stride) % shape[p]) * stride
            for k in range(shape[p]):
                i = first + k * stride
                if i != j:
                    advantage = payoffs[p, i] - payoffs[p, j]
                    if advantage > gain:
                        gain, lead[j] = advantage, i
                    log = _log_fixation_(advantage, population)
                    if log > top:
                        total = total * np.exp(top - log) + 1.0
                        top = log
                    else:
                        total += np.exp(log - top)
            stride *= shape[p]
        outs[j] = top + np.log(total)


@kernel
def _sweep_(
    payoffs: FloatArray, shape: IntArray, population: int, outs: FloatArray, logs: FloatArray, backwards: bool
) -> None:
    """Do one Gauss-Seidel sweep on logarithms [N] in place."""
    players, n = payoffs.shape
    for at in range(n):
        j = n - 1 - at if backwards else at
        top, total = -np.inf, 0.0
        stride = 1
        for back in range(players):
            p = players - 1 - back
            first = j - ((j // stride) % shape[p]) * stride
            for k in range(shape[p]):
                i = first + k * stride
                if i != j:
                    log = logs[i] + _log_fixation_(payoffs[p, j] - payoffs[p, i], population)
                    if log > top:
                        total = total * np.exp(top - log) + 1.0
                        top = log
                    elif log > top - 40.0:
                        total += np.exp(log - top)
            stride *= shape[p]
        logs[j] = top + np.log(total) - outs[j]


@kernel
def _between(
    payoffs: FloatArray, shape: IntArray, population: int, group: Int32Array, members: IntArray, first: IntArray,
    share: FloatArray,
) -> tuple[IntArray, Int32Array, FloatArray]:  # fmt: skip
    """Return the averaged chain between groups by incoming edges; ``share`` [N] is log x within each group.

    Members of group g are ``members[first[g]:first[g + 1]]``.
    """
    players = payoffs.shape[0]
    groups = len(first) - 1
    seen = np.full(groups, -1, np.int64)
    pairs = 0
    for g in range(groups):
        for m in range(first[g], first[g + 1]):
            j = members[m]
            stride = 1
            for back in range(players):
                p = players - 1 - back
                start = j - ((j // stride) % shape[p]) * stride
                for k in range(shape[p]):
                    a = group[start + k * stride]
                    if a != g and seen[a] != g:
                        seen[a] = g
                        pairs += 1
                stride *= shape[p]
    pointer = np.zeros(groups + 1, np.int64)
    source = np.empty(pairs, np.int32)
    rate = np.empty(pairs)
    top = np.full(groups, -np.inf)
    total = np.zeros(groups)
    at = 0
    for g in range(groups):
        begin = at
        for m in range(first[g], first[g + 1]):
            j = members[m]
            stride = 1
            for back in range(players):
                p = players - 1 - back
                start = j - ((j // stride) % shape[p]) * stride
                for k in range(shape[p]):
                    i = start + k * stride
                    a = group[i]
                    if a == g:
                        continue
                    log = share[i] + _log_fixation_(payoffs[p, j] - payoffs[p, i], population)
                    if top[a] == -np.inf:
                        source[at] = a
                        at += 1
                        top[a], total[a] = log, 1.0
                    elif log > top[a]:
                        total[a] = total[a] * np.exp(top[a] - log) + 1.0
                        top[a] = log
                    elif log > top[a] - 40.0:
                        total[a] += np.exp(log - top[a])
                stride *= shape[p]
        for k in range(begin, at):
            a = source[k]
            rate[k] = top[a] + np.log(total[a])
            top[a] = -np.inf
        pointer[g + 1] = at
    return pointer, source, rate
