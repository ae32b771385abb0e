"""The limit eps -> 0 of a chain with rates c * eps^k on a sparse graph, by contraction of closed classes.

1. On the time scale eps^-k, k = 0, 1, ..., every node whose smallest power of eps is at most k moves along its
   *leading* edges, those of that power; slower nodes stay where they are.
2. The closed classes of this graph hold all mass on the time scale.  Inside a class the jump
   chain has probabilities of order 1, so its distribution is exact to leading order; a member of power
   k holds mass of order eps^(K - k), K the largest power in the class.
3. A class becomes one node.  It leaves by its members' other edges, at rate (mass of the member) * c * eps^k.
   Profiles outside closed classes stay nodes: a later class may need them as doors.
4. Go to the next k on the smaller graph, until one closed class is left; what is outside has no mass in the limit.

This is the hierarchy of cycles of Freidlin and Wentzell (1984, chapter 6) with the coefficients kept, so
the answer is the same as that of ``markov.gth_orders`` without its N x N matrices.
Cost: a few passes over E edges per level; at most as many levels as mistakes that are ever needed at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equilibria.sim.jit import kernel
from equilibria.sim.types import BoolArray, FloatArray, Int32Array, IntArray

Stationary = Callable[[csr_array, IntArray], FloatArray]
"""``(graph, members)``: stationary distribution of the closed class ``members`` of a graph of rates."""


def limit_by_orders(
    n: int, source: Int32Array, target: Int32Array, order: Int32Array, rate: FloatArray, stationary: Stationary
) -> FloatArray:
    """Return the limit distribution [n] of an irreducible chain.

    Args:
        n: Number of states.
        source: [E] source of every edge.
        target: [E] its target.
        order: [E] power k of eps.
        rate: [E] coefficient c > 0.
        stationary: Solves one closed class with rates of order 1.
    """
    # what a node stands for: base[i] are the states that hold its mass to leading order, with their shares
    nodes = n
    base: list[tuple[IntArray, FloatArray]] = [(np.array([s]), np.ones(1)) for s in range(n)]
    scale = 0
    while True:
        lowest = _lowest(nodes, source, order)
        leading = (order == lowest[source]) & (order <= scale)
        graph = csr_array((rate[leading], (source[leading], target[leading])), shape=(nodes, nodes))
        count, label = connected_components(graph, connection="strong")
        closed = closed_classes(graph, label, count)
        classes = members_of(label, closed, count)
        inside = [stationary(graph, members) for members in classes]
        held = [_held(members, x, lowest, base) for members, x in zip(classes, inside, strict=True)]
        if len(classes) == 1:
            states, share = held[0]
            flat = np.zeros(n)
            flat[states] = share
            return np.asarray(flat / flat.sum())
        # contract: classes first, then everything else in its old order
        new, factor, delay = np.full(nodes, -1, np.int32), np.ones(nodes), np.zeros(nodes, np.int32)
        for i, (members, x) in enumerate(zip(classes, inside, strict=True)):
            top = lowest[members].max()
            new[members] = i
            delay[members] = top - lowest[members]
            factor[members] = x / x[lowest[members] == top].sum()
        outside = np.flatnonzero(new < 0)
        new[outside] = len(classes) + np.arange(len(outside), dtype=np.int32)
        base = [*held, *(base[i] for i in outside.tolist())]
        keep = new[source] != new[target]
        source, target, order, rate = (a[keep] for a in (source, target, order, rate))
        order, rate = order + delay[source], rate * factor[source]
        source, target = new[source], new[target]
        nodes = len(base)
        # classes are slower than the present scale: the next one is the fastest of theirs
        scale = int(_lowest(nodes, source, order)[: len(classes)].min())


def _held(
    members: IntArray, x: FloatArray, lowest: Int32Array, base: list[tuple[IntArray, FloatArray]]
) -> tuple[IntArray, FloatArray]:
    """Return the states and shares of a class's mass to leading order."""
    top = lowest[members] == lowest[members].max()
    weight = x[top] / x[top].sum()
    parts = [base[i] for i in members[top].tolist()]
    shares = [w * share for w, (_, share) in zip(weight, parts, strict=True)]
    return np.concatenate([states for states, _ in parts]), np.concatenate(shares)


@kernel
def _lowest(nodes: int, source: Int32Array, order: Int32Array) -> Int32Array:
    """Return the smallest order [nodes] of each node's edges."""
    out = np.full(nodes, 2**30, np.int32)
    for e in range(source.shape[0]):
        out[source[e]] = min(out[source[e]], order[e])
    return out


def closed_classes(graph: csr_array, label: Int32Array, count: int) -> IntArray:
    """Return the labels of components that no edge leaves."""
    source = np.repeat(np.arange(graph.shape[0], dtype=np.int32), np.diff(graph.indptr))
    leaves: BoolArray = label[source] != label[graph.indices]
    open_ = np.zeros(count, bool)
    open_[label[source[leaves]]] = True
    return np.flatnonzero(~open_)


def members_of(label: Int32Array, wanted: IntArray, count: int) -> list[IntArray]:
    """Return the nodes of each wanted component, ascending; one sort however many there are."""
    by_label = np.argsort(label, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(label, minlength=count))])
    return [by_label[first[c] : first[c + 1]] for c in wanted.tolist()]
