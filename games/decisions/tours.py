"""Is there a short closed walk through many nodes?  Bounds on tours, and an exact table for up to 20 nodes.

Axes: k nodes besides the source; distances are whole numbers of edges and satisfy the triangle inequality.

Source: Held and Karp (1970), The traveling-salesman problem and minimum spanning trees, Operations Research 18, 1138
(lower bound by 1-trees with node prices); Rosenkrantz, Stearns, Lewis (1977), SIAM Journal on Computing 6, 563 (cheapest
insertion); Held and Karp (1962), Journal of SIAM 10, 196 (table over subsets).
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.types import IntArray

TABLE = 20
"""Most nodes of the exact table: 42 MB and about half a second."""
ROUNDS = 200
"""Price updates of the lower bound."""


def fits(between: IntArray, out: IntArray, length: int) -> bool | None:
    """Say whether a tour of at most ``length`` visits all nodes; ``None`` where bounds leave it open beyond 20 nodes.

    Args:
        between: int64 [k, k] distances, k >= 3.
        out: int64 [k] distances from the source.
        length: Most edges.
    """
    low, high = bounds(between, out)
    if high <= length:
        return True
    if low > length:
        return False
    return exact(between, out) <= length if out.size <= TABLE else None


def bounds(between: IntArray, out: IntArray) -> tuple[int, int]:
    """Return a lower and an upper bound on the shortest tour through the source and all nodes; arguments as ``fits``."""
    count = out.size + 1
    d = np.zeros((count, count), np.int64)
    d[0, 1:] = d[1:, 0] = out
    d[1:, 1:] = between
    high = int(short_tour(d))
    return int(np.ceil(tree_bound(d.astype(np.float64), float(high), ROUNDS) - 1e-6)), high


def exact(between: IntArray, out: IntArray) -> int:
    """Return the shortest tour through the source and all nodes; arguments as ``fits``, at most 20 nodes."""
    return int(shortest_tour(np.ascontiguousarray(between, np.int64), np.ascontiguousarray(out, np.int64)))


@kernel
def short_tour(d):  # type: ignore[no-untyped-def]
    """Return the length of a good tour through all nodes: cheapest insertion, then exchanges of two edges.

    Args:
        d: int64 [n, n] distances.
    """
    n = d.shape[0]
    tour, size = np.zeros(n, np.int64), 1
    inside = np.zeros(n, np.bool_)
    inside[0] = True
    while size < n:
        best, node, place = np.int64(1 << 60), 0, 0
        for j in range(n):
            if not inside[j]:
                for p in range(size):
                    a, b = tour[p], tour[(p + 1) % size]
                    more = d[a, j] + d[j, b] - d[a, b]
                    if more < best:
                        best, node, place = more, j, p + 1
        for p in range(size, place, -1):
            tour[p] = tour[p - 1]
        tour[place] = node
        inside[node] = True
        size += 1
    better = True
    while better:
        better = False
        for p in range(n - 1):
            for q in range(p + 1, n):
                a, b, c, e = tour[p], tour[p + 1], tour[q], tour[(q + 1) % n]
                if d[a, c] + d[b, e] < d[a, b] + d[c, e]:
                    tour[p + 1 : q + 1] = tour[p + 1 : q + 1][::-1].copy()
                    better = True
    total = 0
    for p in range(n):
        total += d[tour[p], tour[(p + 1) % n]]
    return total


@kernel
def tree_bound(d, high, rounds):  # type: ignore[no-untyped-def]
    """Return a lower bound on the shortest tour: the best 1-tree found with prices on nodes.

    A tour is a spanning tree of all nodes but the first plus two edges at the first, with two edges at every node; a
    price on a node counts once per edge there, so twice in every tour.

    Args:
        d: float64 [n, n] distances, n >= 4.
        high: Length of some tour; sets the size of the steps.
        rounds: Price updates.
    """
    n = d.shape[0]
    price, near, parent = np.zeros(n), np.empty(n), np.empty(n, np.int64)
    best, scale = 0.0, 1.0
    for step in range(rounds):
        degree = np.zeros(n, np.int64)
        value = -2.0 * price.sum()
        done = np.zeros(n, np.bool_)
        done[0] = done[1] = True
        for j in range(2, n):
            near[j], parent[j] = d[1, j] + price[1] + price[j], 1
        for _ in range(n - 2):
            node = -1
            for j in range(2, n):
                if not done[j] and (node < 0 or near[j] < near[node]):
                    node = j
            done[node] = True
            value += near[node]
            degree[node] += 1
            degree[parent[node]] += 1
            for j in range(2, n):
                c = d[node, j] + price[node] + price[j]
                if not done[j] and c < near[j]:
                    near[j], parent[j] = c, node
        first, second = -1, -1
        for j in range(1, n):
            c = d[0, j] + price[j]
            if first < 0 or c < d[0, first] + price[first]:
                first, second = j, first
            elif second < 0 or c < d[0, second] + price[second]:
                second = j
        value += d[0, first] + price[first] + d[0, second] + price[second] + 2.0 * price[0]
        degree[first] += 1
        degree[second] += 1
        best = max(best, value)
        away = 0.0
        for j in range(1, n):
            away += (degree[j] - 2.0) ** 2
        if away == 0.0 or best > high - 1.0 + 1e-6:
            return best
        if step % 20 == 19:
            scale *= 0.7
        for j in range(1, n):
            price[j] += scale * max(1e-3, high - value) / away * (degree[j] - 2.0)
    return best


@kernel
def shortest_tour(between, out):  # type: ignore[no-untyped-def]
    """Return the shortest tour through the source and all k nodes by the table over subsets.

    Args:
        between: int64 [k, k] distances below 3,000.
        out: int64 [k] distances from the source.
    """
    k = out.shape[0]
    far = np.uint16(65_000)
    ends = np.full((1 << k, k), far, np.uint16)
    for j in range(k):
        ends[1 << j, j] = out[j]
    for mask in range(1, 1 << k):
        for j in range(k):
            way = ends[mask, j]
            if way == far:
                continue
            for i in range(k):
                if not mask >> i & 1:
                    after = mask | 1 << i
                    c = way + between[j, i]
                    ends[after, i] = min(ends[after, i], c)
    best = np.int64(1 << 40)
    for j in range(k):
        best = min(best, np.int64(ends[-1, j]) + out[j])
    return best
