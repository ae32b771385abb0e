"""Markov chains by incoming edges, and the kernels on log probabilities that solvers of large chains share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray


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
    pointer, place = by_target(n, target)
    return Incoming(pointer, source[place], log_rate[place], log_outs(n, source, log_rate))


def dense_logs(chain: Incoming, group: Int32Array, groups: int, x: FloatArray) -> FloatArray:
    """Return log rates [G, G] between groups of states, averaged with weights exp(x); -inf where there is no edge."""
    return np.asarray(averaged(chain.pointer, chain.source, chain.log_rate, group, groups, x))


def rounding_of(chain: Incoming, x: FloatArray) -> float:
    """Return the rounding error of a sweep of log probabilities."""
    return 2.3e-16 * float(np.abs(x).max() + np.abs(chain.log_out).max())


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
def averaged(
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
def by_target(n: int, target: Int32Array) -> tuple[IntArray, IntArray]:
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
def log_sums(groups: int, group: Int32Array, x: FloatArray) -> FloatArray:
    """Return the logarithm [G] of the sum of exp(x) over each group."""
    top = np.full(groups, -np.inf)
    for i in range(x.shape[0]):
        top[group[i]] = max(top[group[i]], x[i])
    total = np.zeros(groups)
    for i in range(x.shape[0]):
        total[group[i]] += math.exp(x[i] - top[group[i]])
    return top + np.log(total)


@kernel
def segment_sums(x: FloatArray, ends: IntArray) -> FloatArray:
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


def log_outs(n: int, source: Int32Array, log_rate: FloatArray) -> FloatArray:
    """Return the logarithm [N] of each state's total outgoing rate."""
    return np.asarray(log_sums(n, source, log_rate))


def log_sum(x: FloatArray) -> float:
    """Return the logarithm of the sum of exp(x)."""
    top = float(x.max())
    return top + math.log(float(np.exp(x - top).sum()))
