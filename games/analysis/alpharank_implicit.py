"""The limit of alpha-rank for games whose deviations do not fit into memory: edges are read off the payoffs.

1. Sink components: on a line of profiles that differ in one player's strategy, sorted by that player's payoff,
   steps to the next profile (and back on ties) connect the same components as all better-or-equal moves do,
   so n N edges are enough.
2. A sink's distribution, and what flows through transient profiles after a mistake, are found by sweeps that
   visit the transient profiles along the flow; each visit compares the payoffs on n lines.
3. Sinks share mass by the chain of single mistakes.  Where that does not connect them, its closed groups get
   equal mass and ``residual`` is 1: resolving them takes the edges.

Memory is about 40 bytes per profile and player.  Cost: N * sum_p k_p comparisons per sweep, one to five sweeps
per sink for the transient profiles, up to ``SWEEPS`` for a sink of more than one profile.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equilibria.games.analysis import markov
from equilibria.games.analysis.selection_limit import closed_classes, members_of
from equilibria.sim.jit import kernel
from equilibria.sim.types import BoolArray, FloatArray, Int32Array, IntArray

SWEEPS = 200
_MANY = 32  # sinks up to this number get a flow each
_TOLERANCE = 1e-12


def limit(payoffs: FloatArray, tie: float) -> tuple[FloatArray, int, float]:
    """Return (distribution [N], number of sinks, residual) of the limit of infinite selection.

    Args:
        payoffs: [n, k_1, ..., k_n].
        tie: Differences up to this are ties.
    """
    shape = np.array(payoffs.shape[1:], np.int64)
    flat = np.ascontiguousarray(payoffs.reshape(len(shape), -1))
    n = flat.shape[1]
    graph = _neighbours(payoffs, tie)
    count, label = connected_components(graph, connection="strong")
    classes = members_of(label, closed_classes(graph, label, count), count)
    del graph
    # strong components are numbered from the sinks up
    order = np.argsort(-label, kind="stable").astype(np.int64)
    sink = np.full(n, -1, np.int32)
    inside, residual = np.zeros(n), 0.0
    for a, members in enumerate(classes):
        sink[members] = a
        inside[members] = 1.0 / len(members)
        if len(members) > 1:
            residual = max(residual, _settle(flat, shape, members, sink == a, inside, tie))
    if len(classes) == 1:
        return inside, 1, residual
    transient = order[sink[order] < 0]
    share, left = _share(flat, shape, sink, inside, transient, len(classes), tie)
    return inside * np.where(sink >= 0, share[sink], 0.0), len(classes), max(residual, left)


def _neighbours(payoffs: FloatArray, tie: float) -> csr_array:
    """Return edges to the next profile of every sorted line, and back on ties."""
    shape = payoffs.shape[1:]
    n = int(np.prod(shape))
    number = np.arange(n, dtype=np.int32).reshape(shape)
    source, target = [], []
    for p in range(len(shape)):
        by = np.argsort(payoffs[p], axis=p, kind="stable")
        value = np.take_along_axis(payoffs[p], by, axis=p)
        state = np.moveaxis(np.take_along_axis(number, by, axis=p), p, -1)
        step = np.moveaxis(np.diff(value, axis=p), p, -1)
        low, high = state[..., :-1].ravel(), state[..., 1:].ravel()
        back = (step <= tie).ravel()
        source += [low, high[back]]
        target += [high, low[back]]
    rows, columns = np.concatenate(source), np.concatenate(target)
    return csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(n, n))


def _settle(
    flat: FloatArray, shape: IntArray, members: IntArray, own: BoolArray, inside: FloatArray, tie: float
) -> float:
    """Sweep ``inside`` [N] over one sink to its stationary distribution; return the last relative change."""
    change, nothing = np.inf, np.zeros(len(inside))
    for _ in range(SWEEPS):
        change = _flow_(flat, shape, members, own, nothing, inside, tie)
        inside[members] /= inside[members].sum()
        if change <= _TOLERANCE:
            break
    return float(change)


def _share(
    flat: FloatArray, shape: IntArray, sink: Int32Array, inside: FloatArray, transient: IntArray, sinks: int, tie: float
) -> tuple[FloatArray, float]:
    """Return (mass [sinks], residual) by the chain of single mistakes."""
    moving = sink < 0
    if sinks <= _MANY:
        rates, residual = np.zeros((sinks, sinks)), 0.0
        for a in range(sinks):
            rates[a], left = _arrivals(
                flat, shape, sink, np.where(sink == a, inside, 0.0), transient, moving, sinks, tie
            )
            rates[a, a], residual = 0.0, max(residual, left)
        pieces, piece = connected_components(csr_array(rates), connection="strong")
        closed = members_of(piece, closed_classes(csr_array(rates), piece, pieces), pieces)
        mass = np.zeros(sinks)
        for members in closed:
            block = rates[np.ix_(members, members)].copy()
            mass[members] = (markov.gth(block) if len(members) > 1 else 1.0) / len(closed)
        return mass, residual if len(closed) == 1 else 1.0
    leaving = np.zeros(sinks)
    _mistakes_(flat, shape, sink, inside, tie, leaving)
    mass, change, left = np.full(sinks, 1.0 / sinks), np.inf, 0.0
    for _ in range(SWEEPS):
        weighted = inside * np.where(sink >= 0, mass[sink], 0.0)
        arrived, left = _arrivals(flat, shape, sink, weighted, transient, moving, sinks, tie)
        new = arrived / leaving
        new = 0.5 * (mass + new / new.sum())  # half a step: the plain iteration may alternate
        change = float(np.abs(new - mass).sum())
        mass = new
        if change <= 1e-10:
            break
    return mass, max(change, left)


def _arrivals(
    flat: FloatArray,
    shape: IntArray,
    sink: Int32Array,
    mass: FloatArray,
    transient: IntArray,
    moving: BoolArray,
    sinks: int,
    tie: float,
) -> tuple[FloatArray, float]:
    """Return what arrives in each sink [sinks] per unit of eps when ``mass`` [N] sits on sinks, and a residual.

    What returns to the sink it came from is included.
    """
    source = np.zeros(len(sink))
    arrived = np.zeros(sinks)
    _spill_(flat, shape, sink, mass, tie, source, arrived)
    flow = np.zeros(len(sink))
    change = np.inf
    for _ in range(SWEEPS):
        change = _flow_(flat, shape, transient, moving, source, flow, tie)
        if change <= _TOLERANCE:
            break
    _absorb_(flat, shape, sink, flow, tie, arrived)
    return arrived, float(change)


@kernel
def _spill_(
    payoffs: FloatArray,
    shape: IntArray,
    sink: Int32Array,
    mass: FloatArray,
    tie: float,
    source: FloatArray,
    arrived: FloatArray,
) -> None:
    """Add what leaves sinks by single mistakes to transient ``source`` [N] and directly to other sinks."""
    players, n = payoffs.shape
    for s in range(n):
        if mass[s] == 0.0:
            continue
        stride = 1
        for back in range(players):
            p = players - 1 - back
            first = s - ((s // stride) % shape[p]) * stride
            for k in range(shape[p]):
                t = first + k * stride
                if payoffs[p, t] - payoffs[p, s] < -tie:
                    if sink[t] < 0:
                        source[t] += mass[s]
                    else:
                        arrived[sink[t]] += mass[s]
            stride *= shape[p]


@kernel
def _mistakes_(
    payoffs: FloatArray, shape: IntArray, sink: Int32Array, inside: FloatArray, tie: float, leaving: FloatArray
) -> None:
    """Add up the rate [sinks] of single mistakes of each sink, those that stay inside included."""
    players, n = payoffs.shape
    for s in range(n):
        if sink[s] < 0:
            continue
        stride = 1
        for back in range(players):
            p = players - 1 - back
            first = s - ((s // stride) % shape[p]) * stride
            for k in range(shape[p]):
                if payoffs[p, first + k * stride] - payoffs[p, s] < -tie:
                    leaving[sink[s]] += inside[s]
            stride *= shape[p]


@kernel
def _flow_(
    payoffs: FloatArray,
    shape: IntArray,
    states: IntArray,
    moving: BoolArray,
    source: FloatArray,
    x: FloatArray,
    tie: float,
) -> float:
    """Do one Gauss-Seidel sweep of x_j = (source_j + inflow from moving profiles) / out_j; return the largest change."""
    players = payoffs.shape[0]
    worst = 0.0
    for at in range(states.shape[0]):
        j = states[at]
        inflow, out = source[j], 0.0
        stride = 1
        for back in range(players):
            p = players - 1 - back
            first = j - ((j // stride) % shape[p]) * stride
            here = payoffs[p, j]
            for k in range(shape[p]):
                i = first + k * stride
                gain = here - payoffs[p, i]
                if gain > tie:
                    if moving[i]:
                        inflow += x[i]
                elif gain >= -tie:
                    if i != j:
                        out += 0.5
                        if moving[i]:
                            inflow += 0.5 * x[i]
                else:
                    out += 1.0
            stride *= shape[p]
        new = inflow / out
        moved = abs(new - x[j])
        if moved > worst * new:
            worst = moved / new
        x[j] = new
    return worst


@kernel
def _absorb_(
    payoffs: FloatArray, shape: IntArray, sink: Int32Array, flow: FloatArray, tie: float, arrived: FloatArray
) -> None:
    """Add what flows from transient profiles into each sink."""
    players, n = payoffs.shape
    for s in range(n):
        if sink[s] >= 0 or flow[s] == 0.0:
            continue
        stride = 1
        for back in range(players):
            p = players - 1 - back
            first = s - ((s // stride) % shape[p]) * stride
            for k in range(shape[p]):
                t = first + k * stride
                if sink[t] >= 0:
                    gain = payoffs[p, t] - payoffs[p, s]
                    if gain > tie:
                        arrived[sink[t]] += flow[s]
                    elif gain >= -tie:
                        arrived[sink[t]] += 0.5 * flow[s]
            stride *= shape[p]
