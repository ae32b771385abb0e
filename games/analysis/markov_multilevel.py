"""Multilevel cycles for Markov chains with metastable sets on many scales.

``v_cycle`` averages clusters of strongly coupled states level by level (Horton and Leutenegger 1994),
accelerated by Anderson's method on log x.  Rates that span many orders of magnitude are approached by tempering:
the chain with rates r^b is solved for b = 2^-k, ..., 1/2, 1, each time from twice the last log x, because log x
is nearly proportional to b.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.analysis import markov
from equilibria.games.analysis.markov_chain import Incoming, dense_logs, log_outs, log_sums, rounding_of, sweep_
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray

TOLERANCE = 1e-12
_V_CYCLES = 30
_CLUSTER = 12


def many_levels(chain: Incoming, x: FloatArray, residual: float, *, direct: int) -> tuple[FloatArray, float]:
    """Iterate V-cycles, from a tempered start where the present one is far off.

    Args:
        chain: An irreducible chain.
        x: [N] log probabilities to start from.
        residual: How far ``x`` is from a fixed point.
        direct: Chains up to this size are reduced directly.

    Returns:
        The best log x [N] and its residual.
    """
    span = float(np.abs(chain.log_rate).max())
    if residual > 1.0 and span > 20.0:
        steps = int(np.ceil(np.log2(span / 10.0)))
        x = np.zeros(chain.size)
        for k in range(steps, 0, -1):
            log_rate = chain.log_rate * 0.5**k
            out = log_outs(chain.size, chain.source, log_rate)
            for _ in range(4 if k == steps else 2):
                x = v_cycle(Incoming(chain.pointer, chain.source, log_rate, out), x, direct)
            x = 2.0 * (x - x.max())
    best, residual = x, np.inf
    mixer = _Anderson()
    for _ in range(_V_CYCLES):
        new = v_cycle(chain, x, direct)
        new -= new.max()
        change = float(np.abs(new - x).max())
        if change < residual:
            best, residual = new, change
        rounding = rounding_of(chain, new)
        if change <= max(TOLERANCE, 8 * rounding):
            return new, max(change, rounding)
        x = mixer.next(x, new)
    return best, residual


class _Anderson:
    """Anderson's acceleration of a fixed-point iteration on log x, with a memory of a few steps."""

    memory = 6

    def __init__(self) -> None:
        self._points: list[FloatArray] = []
        self._moves: list[FloatArray] = []

    def next(self, x: FloatArray, new: FloatArray) -> FloatArray:
        """Return the next iterate after ``new`` = F(``x``)."""
        move = new - x
        if np.abs(move).max() > 1.0:  # far away the map is not linear
            self._points.clear()
            self._moves.clear()
            return new
        self._points.append(new)
        self._moves.append(move)
        del self._points[: -self.memory], self._moves[: -self.memory]
        if len(self._moves) < 2:
            return new
        differences = np.stack([m - move for m in self._moves[:-1]], axis=1)
        weight, *_ = np.linalg.lstsq(differences, -move, rcond=1e-10)
        step = sum(w * (p - new) for w, p in zip(weight, self._points[:-1], strict=True))
        return np.asarray(new + step if np.abs(step).max() < 1.0 else new)


def v_cycle(chain: Incoming, x: FloatArray, direct: int) -> FloatArray:
    """Return log x [N] after sweeps, an averaged chain of clusters of strongly coupled states, and sweeps again.

    Coupling is measured by the flows of the present x, so the clusters follow metastable sets of any scale.
    """
    n = chain.size
    if n <= direct:
        return markov.gth_log(dense_logs(chain, np.arange(n, dtype=np.int32), n, np.zeros(n)))
    order = np.argsort(-x).astype(np.int64)
    x = x.copy()
    for _ in range(2):
        sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
    partner = _partners(chain.pointer, chain.source, chain.log_rate, chain.log_out, x)
    group, groups = _clusters(partner, np.argsort(-x - chain.log_out, kind="stable").astype(np.int64))
    if 1 < groups < n:
        mass = log_sums(groups, group, x)
        pointer, source, log_rate = _coarsen(
            chain.pointer, chain.source, chain.log_rate, group, groups, x - mass[group]
        )
        out = log_sums(groups, source, log_rate)
        solved = v_cycle(Incoming(pointer, source, log_rate, out), mass - mass.max(), direct)
        x += (solved - mass)[group]
    for _ in range(2):
        sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
    return x


@kernel
def _partners(
    pointer: IntArray, source: Int32Array, log_rate: FloatArray, log_out: FloatArray, x: FloatArray
) -> Int32Array:
    """Return for each state the one it exchanges the largest share of its inflow or outflow with."""
    n = log_out.shape[0]
    best = np.full(n, -np.inf)
    partner = np.zeros(n, np.int32)
    for j in range(n):
        for e in range(pointer[j], pointer[j + 1]):
            i = source[e]
            leaving = log_rate[e] - log_out[i]
            if leaving > best[i]:
                best[i], partner[i] = leaving, j
            entering = x[i] + log_rate[e] - x[j] - log_out[j]
            if entering > best[j]:
                best[j], partner[j] = entering, i
    return partner


@kernel
def _clusters(partner: Int32Array, order: IntArray) -> tuple[Int32Array, int]:
    """Join every state to its partner's cluster while that has room, in the given order."""
    n = partner.shape[0]
    group = np.full(n, -1, np.int32)
    size = np.zeros(n, np.int64)
    groups = 0
    for k in range(n):
        i = order[k]
        if group[i] >= 0:
            continue
        j = partner[i]
        if group[j] >= 0 and size[group[j]] < _CLUSTER:
            group[i] = group[j]
        else:
            group[i] = groups
            groups += 1
            if group[j] < 0:
                group[j] = group[i]
                size[group[i]] += 1
        size[group[i]] += 1
    return group, groups


@kernel
def _coarsen(
    pointer: IntArray, source: Int32Array, log_rate: FloatArray, group: Int32Array, groups: int, share: FloatArray
) -> tuple[IntArray, Int32Array, FloatArray]:
    """Return the averaged chain between groups by incoming edges; ``share`` is log x within each group."""
    n = group.shape[0]
    first = np.zeros(groups + 1, np.int64)
    for j in range(n):
        first[group[j] + 1] += 1
    for g in range(groups):
        first[g + 1] += first[g]
    members = np.empty(n, np.int64)
    fill = first[:groups].copy()
    for j in range(n):
        members[fill[group[j]]] = j
        fill[group[j]] += 1
    seen = np.full(groups, -1, np.int64)
    pairs = 0
    for g in range(groups):
        for m in range(first[g], first[g + 1]):
            for e in range(pointer[members[m]], pointer[members[m] + 1]):
                a = group[source[e]]
                if a != g and seen[a] != g:
                    seen[a] = g
                    pairs += 1
    new_pointer = np.zeros(groups + 1, np.int64)
    new_source = np.empty(pairs, np.int32)
    new_rate = np.empty(pairs)
    top = np.full(groups, -np.inf)
    total = np.zeros(groups)
    at = 0
    for g in range(groups):
        start = at
        for m in range(first[g], first[g + 1]):
            j = members[m]
            for e in range(pointer[j], pointer[j + 1]):
                a = group[source[e]]
                if a == g:
                    continue
                term = share[source[e]] + log_rate[e]
                if top[a] == -np.inf:
                    new_source[at] = a
                    at += 1
                    top[a], total[a] = term, 1.0
                elif term > top[a]:
                    total[a] = total[a] * math.exp(top[a] - term) + 1.0
                    top[a] = term
                elif term > top[a] - 40.0:
                    total[a] += math.exp(term - top[a])
        for k in range(start, at):
            a = new_source[k]
            new_rate[k] = top[a] + math.log(total[a])
            top[a] = -np.inf
        new_pointer[g + 1] = at
    return new_pointer, new_source, new_rate
