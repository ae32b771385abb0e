"""Stationary distributions of large sparse Markov chains, however stiff: iterated aggregation on logarithms.

A cycle for log x [N]:

1. sweeps x_j = sum_i x_i r_ij / out_j over the incoming edges, along the flow of the fastest edges;
2. *basins*: every state belongs to the closed class that its fastest edges lead to.  The chain between
   basins, averaged with the present x, is solved exactly (by state reduction, or by the same method if
   there are many) and its solution rescales the basins (Koury, McAllister and Stewart 1984);
3. *bands*: states are also grouped by how much the last sweep moved them.  A slow mode moves all states of
   a metastable set alike, so the aggregated chain removes it (Chatelin and Miranker 1982).

Where that is slow (metastable sets at many scales), ``markov_multilevel`` goes on.

Logarithms keep rates from exp(-1e300) to 1 apart; sums drop terms below the rounding of the largest.
``residual`` is the largest change of log x over the last full cycle, or the rounding of the logarithms
(1e-16 times the largest one), whichever is larger.  It counts every state, however little mass it has.
Cost: O(E) per sweep and aggregation, O(G^3) for G <= 128 groups; usually 5 to 15 cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equilibria.games.analysis import markov
from equilibria.games.analysis.markov_chain import (
    Incoming,
    dense_logs,
    incoming,
    log_sum,
    log_sums,
    rounding_of,
    segment_sums,
    sweep_,
)
from equilibria.games.analysis.markov_multilevel import TOLERANCE, many_levels
from equilibria.games.analysis.selection_limit import closed_classes
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray

DIRECT = 128
_BANDS = 64
_CYCLES = 20
_V_CYCLES = 30
_GOOD = 1e-9
_FAST = 5.0  # edges within exp(-5) of a state's fastest decide its basin


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
        return markov.gth_log(dense_logs(chain, np.arange(n, dtype=np.int32), n, np.zeros(n))), 0.0
    x, residual, done = _two_levels(chain, np.zeros(n) if start is None else start)
    if not done:
        better, left = many_levels(chain, x, residual, direct=DIRECT)
        if left < residual:
            x, residual = better, left
    return x - log_sum(x), residual


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
            band, bands = bands_of(x - moved)
            if bands > 1:
                rates = dense_logs(chain, band, bands, x)
                x += _shift(rates, band, bands, x)
                sweep_(chain.pointer, chain.source, chain.log_rate, chain.log_out, order, x)
        x -= x.max()
        change = float(np.abs(x - before).max())
        if change < residual:
            best, residual = x.copy(), change
        rounding = rounding_of(chain, x)
        if change <= max(TOLERANCE, 8 * rounding):
            return x, max(change, rounding), True
        if cycle >= 4 and change > 10.0 ** (1 - 2 * (cycle - 3)):
            break  # slower than two digits a cycle
    return best, residual, residual <= _GOOD


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
        mass = log_sums(self.groups, self.group, x)
        share = x - mass[self.group]
        flow = share[self.chain.source[self.edge]] + self.chain.log_rate[self.edge]
        ends = np.append(self.first, len(flow))
        rate = segment_sums(flow, ends)
        coarse = incoming(self.groups, self.pair_source, self.pair_target, rate)
        solved, _ = solve(coarse, start=mass - mass.max())
        return np.asarray(share + solved[self.group])


def bands_of(move: FloatArray) -> tuple[Int32Array, int]:
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
    mass = log_sums(groups, group, x)
    return np.asarray((markov.gth_log(rates) - mass)[group])
