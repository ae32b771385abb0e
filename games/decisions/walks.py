"""Closed walks in a graph and the sets of nodes they visit.

A walk begins and ends at the source, has at most L edges and may wait.  It can visit a set of nodes if the shortest
tour of the set in hop distances has at most L hops.  Up to 14 nodes the tour is a dynamic programme over subsets (Held
and Karp, 1962, J. SIAM 10, 196).  The best set for given scores is found among the sets that walks visit, listed once
by breadth-first search over (node, visited set); where those are too many, a beam of walks is searched for each score
and the result is proven only if it reaches the sum of the largest scores within L / 2 hops.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.decisions.tours import fits
from equilibria.sim.jit import kernel
from equilibria.sim.types import BoolArray, FloatArray, IntArray

STATES = 150_000
"""Most pairs of node and visited set that are listed."""
BEAM = 400
"""Walks kept per step where the sets are too many."""
TOUR = 14
"""Most nodes for which a table of all tours is made at once; more are decided by bounds, see ``tours``."""


class Walks:
    """The closed walks of at most ``length`` edges from ``source``.

    Args:
        edges: bool [J, J], symmetric.
        source: Where walks begin and end.
        length: Most edges.
    """

    def __init__(self, edges: BoolArray, source: int, length: int) -> None:
        self.source, self.length = source, length
        self.hops: IntArray = hop_distances(edges)
        self._near = [np.flatnonzero(row).tolist() for row in edges]
        self._visited: BoolArray | None = None
        self._counted = False

    def visits(self, nodes: IntArray) -> bool | None:
        """Say whether a walk visits all nodes; ``None`` if there are too many to tell (see ``tours.fits``)."""
        own = nodes[nodes != self.source]
        if own.size == 0:
            return True
        out = self.hops[self.source, own]
        if 2 * int(out.max()) > self.length or own.size > self.length - 1:
            return False
        between = np.ascontiguousarray(self.hops[np.ix_(own, own)])
        if own.size > TOUR:
            return fits(between, out, self.length)
        return int(shortest_tours(between, np.ascontiguousarray(out))[-1]) <= self.length

    def sets(self, most: int) -> IntArray:
        """Return the sets of at most ``most`` nodes that walks visit, as ascending bit masks."""
        nodes = self.hops.shape[0]
        others = np.array([j for j in range(nodes) if j != self.source], np.int64)
        found = [np.zeros(1, np.int64)]
        if others.size:
            between = np.ascontiguousarray(self.hops[np.ix_(others, others)])
            tours = shortest_tours(between, np.ascontiguousarray(self.hops[self.source, others]))
            small = np.flatnonzero(tours <= self.length).astype(np.int64)
            spread = np.zeros_like(small)
            for k, j in enumerate(others):
                spread |= (small >> k & 1) << int(j)
            found.append(spread)
        masks = np.unique(np.concatenate(found))
        masks = np.concatenate([masks, masks | 1 << self.source])
        count = np.array([int(m).bit_count() for m in masks])
        return np.sort(masks[count <= most])

    def best(self, score: FloatArray, most: int) -> tuple[BoolArray, bool]:
        """Return the nodes bool [J] with the largest sum of scores of at most ``most`` visited ones; whether proven."""
        gain = np.maximum(score, 0.0)
        listed = self._list()
        if listed is not None:
            own = np.where(listed, gain, 0.0)
            worth = -np.sort(-own, axis=1)[:, :most].sum(axis=1)
            return _largest(np.where(listed[int(worth.argmax())], gain, 0.0), most), True
        chosen = _largest(self._beam(gain, most), most)
        near = np.where(2 * self.hops[self.source] <= self.length, gain, 0.0)
        most_possible = float(np.sort(near)[::-1][:most].sum())
        return chosen, bool(gain[chosen].sum() >= most_possible - 1e-12)

    def _list(self) -> BoolArray | None:
        """Return the largest visited sets bool [M, J], or ``None`` if they are too many."""
        if not self._counted:
            self._counted = True
            first = (self.source, 1 << self.source)
            seen, layer = {first}, [first]
            for step in range(self.length):
                reach = self.length - step - 1
                after = []
                for node, mask in layer:
                    for other in self._near[node]:
                        state = (other, mask | 1 << other)
                        if self.hops[other, self.source] <= reach and state not in seen:
                            seen.add(state)
                            after.append(state)
                if len(seen) > STATES:
                    return None
                layer = after
            masks = {mask for _, mask in seen}
            nodes = self.hops.shape[0]
            self._visited = np.array([[m >> j & 1 for j in range(nodes)] for m in sorted(masks)], np.bool_)
        return self._visited

    def _beam(self, gain: FloatArray, most: int) -> FloatArray:
        """Return the scores [J] of the nodes that the best walk found visits, 0 elsewhere."""
        wanted = [int(j) for j in np.flatnonzero(gain > 0.0)]
        bit = {j: 1 << k for k, j in enumerate(wanted)}
        worth: dict[int, float] = {}

        def value(mask: int) -> float:
            if mask not in worth:
                got = sorted((gain[j] for j in wanted if mask & bit[j]), reverse=True)
                worth[mask] = float(sum(got[:most]))
            return worth[mask]

        home = self.hops[self.source]
        layer = [(self.source, bit.get(self.source, 0))]
        seen = set(layer)
        best = layer[0][1]
        for step in range(self.length):
            reach = self.length - step - 1
            after = []
            for node, mask in layer:
                for other in self._near[node]:
                    state = (other, mask | bit.get(other, 0))
                    if home[other] <= reach and state not in seen:
                        seen.add(state)
                        after.append(state)
            after.sort(key=lambda x: (-value(x[1]), home[x[0]], x))
            layer = after[:BEAM]
            if layer and value(layer[0][1]) > value(best):
                best = layer[0][1]
        out = np.zeros_like(gain)
        for j in wanted:
            if best & bit[j]:
                out[j] = gain[j]
        return out


def hop_distances(edges: BoolArray) -> IntArray:
    """Return the fewest edges int64 [J, J] between nodes; 10^6 where there is no way."""
    nodes = edges.shape[0]
    hops = np.where(edges, 1, 1_000_000).astype(np.int64)
    np.fill_diagonal(hops, 0)
    for k in range(nodes):
        hops = np.minimum(hops, hops[:, k : k + 1] + hops[k : k + 1])
    return np.minimum(hops, 1_000_000)


@kernel
def shortest_tours(between, out):  # type: ignore[no-untyped-def]
    """Return int64 [2^k] the shortest tour from a source through each subset of k nodes and back.

    Args:
        between: int64 [k, k] distances.
        out: int64 [k] distances from the source.
    """
    count = out.shape[0]
    ends = np.full((1 << count, count), 1 << 40, np.int64)
    tours = np.zeros(1 << count, np.int64)
    for mask in range(1, 1 << count):
        best = 1 << 40
        for j in range(count):
            if not mask >> j & 1:
                continue
            before = mask ^ (1 << j)
            way = out[j] if before == 0 else 1 << 40
            for i in range(count):
                if before >> i & 1:
                    way = min(way, ends[before, i] + between[i, j])
            ends[mask, j] = way
            best = min(best, way + out[j])
        tours[mask] = best
    return tours


def _largest(gain: FloatArray, most: int) -> BoolArray:
    chosen = np.zeros(gain.size, np.bool_)
    order = np.argsort(-gain, kind="stable")[:most]
    chosen[order[gain[order] > 0.0]] = True
    return chosen
