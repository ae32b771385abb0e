"""Stationary distributions of large sparse Markov chains, however stiff: iterated aggregation on logarithms.

A cycle for log x [N]:

1. sweeps x_j = sum_i x_i r_ij / out_j over the incoming edges, along the flow of the fastest edges;
2. *basins*: every state belongs to the closed class that its fastest edges lead to.  The chain between
   basins, averaged with the present x, is solved exactly (by state reduction, or by the same method if
   there are many) and its solution rescales the basins (Koury, McAllister and Stewart 1984);
3. *bands*: states are also grouped by how much the last sweep moved them.  A slow mode moves all states of
   a metastable set alike, so the aggregated chain removes it (Chatelin and Miranker 1982).

Where that is slow (metastable sets at many scales), ``v_cycle`` averages clusters of strongly coupled states
level by level (Horton and Leutenegger 1994), accelerated by Anderson's method on log x.  Rates that span
many orders of magnitude are then approached by tempering: the chain with rates r^b is solved for b = 2^-k, ...,
1/2, 1, each time from twice the last log x, because log x is nearly proportional to b.

Logarithms keep rates from exp(-1e300) to 1 apart; sums drop terms below the rounding of the largest.
``residual`` is the largest change of log x over the last full cycle, or the rounding of the logarithms
(1e-16 times the largest one), whichever is larger.  It counts every state, however little mass it has.
Cost: O(E) per sweep and aggregation, O(G^3) for G <= 128 groups; usually 5 to 15 cycles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equilibria.games.analysis import markov
from equilibria.games.analysis.selection_limit import closed_classes
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray

DIRECT = 128
_BANDS = 64
_CYCLES = 20
_V_CYCLES = 30
_GOOD = 1e-9
_FAST = 5.0  # edges within exp(-5) of a state's fastest decide its basin
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Incoming:
    """A chain by incoming edges.

    Attributes:
        pointer: [N + 1] ranges of edges by target.
        source: [E] source of each edge.
        log_rate: [E] logarithm of its rate, > -inf.
        log_out: [N] logarithm of each state's total outgoing rate.
    """

    pointer: IntArray
    source: Int32Array
    log_rate: FloatArray
    log_out: FloatArray

    @property
    def size(self) -> int:
        """Number N of states."""
        return len(self.log_out)


def incoming(n: int, source: Int32Array, target: Int32Array, log_rate: FloatArray) -> Incoming:
    """Sort edges by target and add up what leaves each state; parallel edges are allowed."""
    pointer, place = _by_target(n, target)
    return Incoming(pointer, source[place], log_rate[place], _log_outs(n, source, log_rate))


def solve(chain: Incoming, *, start: FloatArray | None = None) -> tuple[FloatArray, float]:
    """Return (log stationary probabilities [N], residual) of an irreducible chain.

    Args:
        chain: The chain.
        start: [N] logarithms of a first guess, in any normalisation.
    """
    n = chain.size
    if n == 1:
        return np.zeros(1), 0.0
    if n <= DIRECT:
        return markov.gth_log(_dense_logs(chain, np.arange(n, dtype=np.int32), n, np.zeros(n))), 0.0
    x, residual, done = _two_levels(chain, np.zeros(n) if start is None else start)
    if not done:
        better, left = _many_levels(chain, x, residual)
        if left < residual:
            x, residual = better, left
    return x - _log_sum(x), residual


def _rounding(chain: Incoming, x: FloatArray) -> float:
    return 2.3e-16 * float(np.abs(x).max() + np.abs(chain.log_out).max())


def _two_levels(chain: Incoming, x: FloatArray) -> tuple[FloatArray, float, bool]:
    """Iterate basins and bands while that converges fast; return the best log x, its residual, and whether it is done."""
    basin, basins, order = _basins(chain)
    coarse = _Coarse.of(chain, basin, basins) if basins > 1 else None
    x = x.copy()
    best, residual = x.copy(), np.inf
    for cycle in range(_CYCLES):
        before = x.copy()
        for _ in range(2):
            moved = x.copy()
            sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
        if coarse is not None:
            x = coarse.correct(x)
            moved = x.copy()
            sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
        if cycle:
            band, bands = _bands(x - moved)
            if bands > 1:
                rates = _dense_logs(chain, band, bands, x)
                x += _shift(rates, band, bands, x)
                sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
        x -= x.max()
        change = float(np.abs(x - before).max())
        if change < residual:
            best, residual = x.copy(), change
        rounding = _rounding(chain, x)
        if change <= max(_TOLERANCE, 8 * rounding):
            return x, max(change, rounding), True
        if cycle >= 4 and change > 10.0 ** (1 - 2 * (cycle - 3)):
            break  # slower than two digits a cycle
    return best, residual, residual <= _GOOD


def _many_levels(chain: Incoming, x: FloatArray, residual: float) -> tuple[FloatArray, float]:
    """Iterate V-cycles, from a tempered start where the present one is far off."""
    span = float(np.abs(chain.log_rate).max())
    if residual > 1.0 and span > 20.0:
        steps = int(np.ceil(np.log2(span / 10.0)))
        x = np.zeros(chain.size)
        for k in range(steps, 0, -1):
            log_rate = chain.log_rate * 0.5**k
            out = _log_outs(chain.size, chain.source, log_rate)
            for _ in range(4 if k == steps else 2):
                x = v_cycle(Incoming(chain.pointer, chain.source, log_rate, out), x)
            x = 2.0 * (x - x.max())
    best, residual = x, np.inf
    mixer = _Anderson()
    for _ in range(_V_CYCLES):
        new = v_cycle(chain, x)
        new -= new.max()
        change = float(np.abs(new - x).max())
        if change < residual:
            best, residual = new, change
        rounding = _rounding(chain, new)
        if change <= max(_TOLERANCE, 8 * rounding):
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


def _basins(chain: Incoming) -> tuple[Int32Array, int, IntArray]:
    """Return the basin [N] of every state, their number, and a sweep order along the fastest edges."""
    n = chain.size
    fastest = np.full(n, -np.inf)
    np.maximum.at(fastest, chain.source, chain.log_rate)
    leading = np.flatnonzero(chain.log_rate >= fastest[chain.source] - _FAST)
    target = np.repeat(np.arange(n, dtype=np.int32), np.diff(chain.pointer))[leading]
    graph = csr_array((np.ones(len(leading), np.int8), (chain.source[leading], target)), shape=(n, n))
    count, label = connected_components(graph, connection="strong")
    closed = closed_classes(graph, label, count)
    # scipy numbers strong components from the sinks up: sources of the flow are swept first
    order = np.argsort(-label, kind="stable").astype(np.int64)
    basin = np.full(n, -1, np.int32)
    number = np.full(count, -1, np.int32)
    number[closed] = np.arange(len(closed), dtype=np.int32)
    basin[:] = number[label]
    _flood_(graph.indptr.astype(np.int64), graph.indices.astype(np.int32), order, basin)
    return basin, len(closed), order


@kernel
def _flood_(pointer: IntArray, target: Int32Array, order: IntArray, basin: Int32Array) -> None:
    """Give every state the basin of a state that its fastest edges lead to, from the sinks up."""
    open_ = True
    while open_:
        open_ = False
        changed = False
        for k in range(order.shape[0] - 1, -1, -1):
            s = order[k]
            if basin[s] >= 0:
                continue
            for e in range(pointer[s], pointer[s + 1]):
                if basin[target[e]] >= 0:
                    basin[s] = basin[target[e]]
                    changed = True
                    break
            if basin[s] < 0:
                open_ = True
        if not changed:
            break


@dataclass(frozen=True, slots=True)
class _Coarse:
    """The chain between fixed groups; its sparsity does not change from cycle to cycle."""

    group: Int32Array
    groups: int
    edge: IntArray  # fine edges between groups, sorted by pair of groups
    target: Int32Array  # their fine targets' sources are chain.source[edge]
    first: IntArray  # start of each pair in ``edge``
    pair_source: Int32Array
    pair_target: Int32Array
    chain: Incoming

    @classmethod
    def of(cls, chain: Incoming, group: Int32Array, groups: int) -> _Coarse:
        target = np.repeat(np.arange(chain.size, dtype=np.int32), np.diff(chain.pointer))
        a, b = group[chain.source], group[target]
        between = np.flatnonzero(a != b)
        key = a[between].astype(np.int64) * groups + b[between]
        by = np.argsort(key, kind="stable")
        edge, key = between[by], key[by]
        first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        pair = key[first]
        return cls(
            group, groups, edge, target[edge], first,
            (pair // groups).astype(np.int32), (pair % groups).astype(np.int32), chain,
        )  # fmt: skip

    def correct(self, x: FloatArray) -> FloatArray:
        """Return ``x`` with its groups rescaled to the stationary distribution of the averaged chain."""
        mass = _log_sums(self.groups, self.group, x)
        share = x - mass[self.group]
        flow = share[self.chain.source[self.edge]] + self.chain.log_rate[self.edge]
        ends = np.append(self.first, len(flow))
        rate = _segment_sums(flow, ends)
        coarse = incoming(self.groups, self.pair_source, self.pair_target, rate)
        solved, _ = solve(coarse, start=mass - mass.max())
        return np.asarray(share + solved[self.group])


def _bands(move: FloatArray) -> tuple[Int32Array, int]:
    """Group states by how far a sweep moved them: equal shares of the range and of the states."""
    low, high = float(move.min()), float(move.max())
    if high - low <= 1e-13:
        return np.zeros(len(move), np.int32), 1
    cuts = np.concatenate([np.linspace(low, high, _BANDS // 2), np.quantile(move, np.linspace(0, 1, _BANDS // 2))])
    band = np.searchsorted(np.unique(cuts)[1:-1], move)
    kinds, group = np.unique(band, return_inverse=True)
    return group.astype(np.int32), len(kinds)


def _shift(rates: FloatArray, group: Int32Array, groups: int, x: FloatArray) -> FloatArray:
    """Return the correction [N] of log x from a dense averaged chain; zero where that chain is not connected."""
    count = connected_components(csr_array(np.isfinite(rates)), connection="strong")[0]
    if count > 1:
        return np.zeros(len(x))
    mass = _log_sums(groups, group, x)
    return np.asarray((markov.gth_log(rates) - mass)[group])


def _dense_logs(chain: Incoming, group: Int32Array, groups: int, x: FloatArray) -> FloatArray:
    return np.asarray(_averaged(chain.pointer, chain.source, chain.log_rate, group, groups, x))


def v_cycle(chain: Incoming, x: FloatArray, order: IntArray | None = None) -> FloatArray:
    """Return log x [N] after sweeps, an averaged chain of clusters of strongly coupled states, and sweeps again.

    Coupling is measured by the flows of the present x, so the clusters follow metastable sets of any scale.
    """
    n = chain.size
    if n <= DIRECT:
        return markov.gth_log(_dense_logs(chain, np.arange(n, dtype=np.int32), n, np.zeros(n)))
    order = np.argsort(-x).astype(np.int64) if order is None else order
    x = x.copy()
    for _ in range(2):
        sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
    partner = _partners(chain.pointer, chain.source, chain.log_rate, chain.log_out, x)
    group, groups = _clusters(partner, np.argsort(-x - chain.log_out, kind="stable").astype(np.int64))
    if 1 < groups < n:
        mass = _log_sums(groups, group, x)
        pointer, source, log_rate = _coarsen(
            chain.pointer, chain.source, chain.log_rate, group, groups, x - mass[group]
        )
        out = _log_sums(groups, source, log_rate)
        solved = v_cycle(Incoming(pointer, source, log_rate, out), mass - mass.max())
        x += (solved - mass)[group]
    for _ in range(2):
        sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
    return x


_CLUSTER = 12


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


@kernel
def sweep_(
    pointer: IntArray, source: Int32Array, log_rate: FloatArray, log_out: FloatArray, order: IntArray, x: FloatArray
) -> None:
    """Do one Gauss-Seidel sweep on logarithms in place, in the given order of states."""
    for k in range(order.shape[0]):
        j = order[k]
        top = -np.inf
        for e in range(pointer[j], pointer[j + 1]):
            term = x[source[e]] + log_rate[e]
            top = max(top, term)
        total = 0.0
        for e in range(pointer[j], pointer[j + 1]):
            term = x[source[e]] + log_rate[e] - top
            if term > -40.0:
                total += math.exp(term)
        x[j] = top + math.log(total) - log_out[j]


@kernel
def _averaged(
    pointer: IntArray, source: Int32Array, log_rate: FloatArray, group: Int32Array, groups: int, x: FloatArray
) -> FloatArray:
    """Return log rates [G, G] between groups, averaged with weights exp(x); -inf where there is no edge."""
    top = np.full((groups, groups), -np.inf)
    peak = np.full(groups, -np.inf)
    n = group.shape[0]
    for i in range(n):
        peak[group[i]] = max(peak[group[i]], x[i])
    mass = np.zeros(groups)
    for i in range(n):
        mass[group[i]] += math.exp(x[i] - peak[group[i]])
    for j in range(n):
        for e in range(pointer[j], pointer[j + 1]):
            a, b = group[source[e]], group[j]
            if a != b:
                top[a, b] = max(top[a, b], x[source[e]] + log_rate[e])
    total = np.zeros((groups, groups))
    for j in range(n):
        for e in range(pointer[j], pointer[j + 1]):
            a, b = group[source[e]], group[j]
            if a != b:
                term = x[source[e]] + log_rate[e] - top[a, b]
                if term > -40.0:
                    total[a, b] += math.exp(term)
    for a in range(groups):
        for b in range(groups):
            if total[a, b] > 0.0:
                top[a, b] += math.log(total[a, b]) - peak[a] - math.log(mass[a])
    return top


@kernel
def _by_target(n: int, target: Int32Array) -> tuple[IntArray, IntArray]:
    """Return the row pointer [N + 1] and edge order [E] of a stable counting sort by target."""
    pointer = np.zeros(n + 1, np.int64)
    for e in range(target.shape[0]):
        pointer[target[e] + 1] += 1
    for j in range(n):
        pointer[j + 1] += pointer[j]
    fill = pointer[:n].copy()
    place = np.empty(target.shape[0], np.int64)
    for e in range(target.shape[0]):
        place[fill[target[e]]] = e
        fill[target[e]] += 1
    return pointer, place


@kernel
def _log_sums(groups: int, group: Int32Array, x: FloatArray) -> FloatArray:
    """Return the logarithm [G] of the sum of exp(x) over each group."""
    top = np.full(groups, -np.inf)
    for i in range(x.shape[0]):
        top[group[i]] = max(top[group[i]], x[i])
    total = np.zeros(groups)
    for i in range(x.shape[0]):
        total[group[i]] += math.exp(x[i] - top[group[i]])
    return top + np.log(total)


@kernel
def _segment_sums(x: FloatArray, ends: IntArray) -> FloatArray:
    """Return the logarithm of the sum of exp(x) over each range ends[i] .. ends[i+1]-1."""
    out = np.empty(len(ends) - 1)
    for i in range(len(ends) - 1):
        top = -np.inf
        for e in range(ends[i], ends[i + 1]):
            top = max(top, x[e])
        total = 0.0
        for e in range(ends[i], ends[i + 1]):
            total += math.exp(x[e] - top)
        out[i] = top + math.log(total)
    return out


def _log_outs(n: int, source: Int32Array, log_rate: FloatArray) -> FloatArray:
    return np.asarray(_log_sums(n, source, log_rate))


def _log_sum(x: FloatArray) -> float:
    top = float(x.max())
    return top + math.log(float(np.exp(x - top).sum()))
