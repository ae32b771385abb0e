"""Alpha-rank: the long-run distribution of evolving populations over joint profiles.

One mutant at a time tries another strategy; it takes over its population with a fixation probability
that grows with its advantage.  The stationary distribution of this chain ranks profiles.

* Infinite selection (``alpha=None``): moves to better profiles happen at rate 1, ties at rate 1/2, moves
  to worse ones at rate eps -> 0.  The limit is computed exactly, with no eps chosen: the sink
  components of the better-or-equal graph carry all mass; between several of them mass is shared by
  the chain of single mistakes; where even that is not irreducible (three or more players), closed
  classes are contracted order by order in eps (``selection_limit``).
* Finite ``alpha`` and population size m: rate (1 - e^-a) / (1 - e^-ma) with a = alpha * advantage,
  1/m for ties, kept as logarithms because it falls below 1e-300 at once.

Every game gets an answer.  Chains and classes of up to 400 states are reduced directly (Grassmann, Taksar
and Heyman 1985); larger ones are swept, and where sweeps stall, solved by iterated aggregation on
logarithms (``markov_sparse``); potential games have a closed form at finite ``alpha``.  ``AlphaRank.residual``
says how far an iteration was from its fixed point: 1e-12 or less, unless the rates themselves span more than exp(1e4).

Reference: Omidshafiei et al. (2019), alpha-Rank, Scientific Reports 9:9937.
Cost: E = N * sum_p (k_p - 1) edges for N profiles, 70 bytes each at most; O(E) per sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equilibria.games.analysis import markov, markov_chain, markov_sparse
from equilibria.games.analysis.alpharank_finite import finite
from equilibria.games.analysis.alpharank_implicit import limit
from equilibria.games.analysis.checks import payoff_tensors, square_matrix
from equilibria.games.analysis.selection_limit import closed_classes, limit_by_orders, members_of
from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.types import BoolArray, FloatArray, Int32Array, IntArray

TIE = 1e-14
EDGE_LIMIT = 20_000_000
"""Deviations that are kept in memory (about 40 bytes each); larger games do without (``alpharank_implicit``)."""
_SMALL = 400  # classes up to this size are reduced directly: faster than sweeping
_SWEEPS = 60  # plain sweeps before aggregation
_EXACT = 1e-10  # error of log probabilities that the closed form for potential games may have
_HUGE = 1e290  # advantages are cut here, so that logarithms of rates stay finite


@dataclass(frozen=True, slots=True)
class AlphaRank:
    """Alpha-rank of a game.

    Attributes:
        distribution: [k_1, ..., k_n] mass of each joint profile ([k] for one population).
        marginals: One distribution [k_p] per player.
        method: ``"limit"`` (alpha to infinity) or ``"finite alpha"``.
        sinks: Number of sink components of the better-or-equal graph (0 for finite alpha).
        residual: Largest relative change of a probability in the last round of an iteration, 0 where the chain
            was reduced directly; above 1e-9 the answer is the best iterate, not a solution to rounding.
    """

    distribution: FloatArray
    marginals: tuple[FloatArray, ...]
    method: str
    sinks: int
    residual: float = 0.0


@dataclass(frozen=True, slots=True)
class _Edges:
    """All single deviations as rows: state s has edges pointer[s] .. pointer[s+1]-1."""

    pointer: IntArray
    target: Int32Array
    advantage: FloatArray


def alpha_rank(
    payoffs: Sequence[ArrayLike], *, alpha: float | None = None, population: int = 50, tie: float = TIE
) -> AlphaRank:
    """Return multi-population alpha-rank.

    Args:
        payoffs: One tensor [k_1, ..., k_n] per player, in game payoff.
        alpha: Selection intensity > 0, or ``None`` for the limit alpha to infinity.
        population: Individuals per population, >= 2; used with finite ``alpha``.
        tie: Payoff differences up to this count as ties in the limit, >= 0.

    Raises:
        InvalidValue: If an argument is out of range or the tensors do not fit together.
        NumericalError: If a payoff is not finite.

    Example:
        >>> alpha_rank([[[2, 0], [0, 1]], [[1, 0], [0, 2]]]).distribution.tolist()  # battle of the sexes
        [[0.5, 0.0], [0.0, 0.5]]
    """
    _check(alpha, population, tie)
    tensor = payoff_tensors(payoffs)
    shape = tensor.shape[1:]
    edges = tensor[0].size * sum(k - 1 for k in shape)
    if edges > EDGE_LIMIT:
        if alpha is not None:
            flat, residual = finite(tensor, alpha, population)
            return _answer(flat, shape, "finite alpha", 0, residual)
        flat, sinks, residual = limit(tensor, tie)
        return _answer(flat, shape, "limit", sinks, residual)
    pointer, target, advantage = _deviations(tensor.reshape(len(shape), -1), np.array(shape, np.int64))
    return _rank(_Edges(pointer, target, advantage), shape, alpha, population, tie)


def alpha_rank_single(
    payoffs: ArrayLike, *, alpha: float | None = None, population: int = 50, tie: float = TIE
) -> AlphaRank:
    """Return single-population alpha-rank of a symmetric game.

    Args:
        payoffs: [k, k] payoff of the row strategy against the column strategy.
        alpha: As in ``alpha_rank``.
        population: As in ``alpha_rank``.
        tie: As in ``alpha_rank``.

    Raises:
        InvalidValue, NumericalError: As in ``alpha_rank``.
    """
    _check(alpha, population, tie)
    a = square_matrix(payoffs)
    k = len(a)
    others = ~np.eye(k, dtype=bool)
    # a mutant r among residents s: it gains when u(r, s) exceeds u(s, r)
    edges = _Edges(
        np.arange(k + 1, dtype=np.int64) * (k - 1),
        np.broadcast_to(np.arange(k, dtype=np.int32), (k, k))[others],
        np.ascontiguousarray((a.T - a)[others]),
    )
    return _rank(edges, (k,), alpha, population, tie)


def _check(alpha: float | None, population: int, tie: float) -> None:
    if alpha is not None and not (np.isfinite(alpha) and alpha > 0):
        raise InvalidValue(f"alpha must be finite and > 0, or None for the limit, got {alpha!r}")
    if population < 2:
        raise InvalidValue(f"population must be at least 2, got {population!r}")
    if not 0 <= tie < np.inf:
        raise InvalidValue(f"tie must be finite and >= 0, got {tie!r}")


def _rank(edges: _Edges, shape: tuple[int, ...], alpha: float | None, population: int, tie: float) -> AlphaRank:
    watch = _Watch()
    if len(edges.pointer) == 2:
        flat, sinks = np.ones(1), 1
    elif alpha is None:
        flat, sinks = _limit(edges, tie, watch)
    else:
        flat, sinks = _finite(edges, alpha, population, watch), 0
    return _answer(flat, shape, "limit" if alpha is None else "finite alpha", sinks, watch.residual)


def _answer(flat: FloatArray, shape: tuple[int, ...], method: str, sinks: int, residual: float) -> AlphaRank:
    joint = flat.reshape(shape)
    axes = range(len(shape))
    marginals = tuple(joint.sum(axis=tuple(q for q in axes if q != p)) for p in axes)
    return AlphaRank(joint, marginals, method, sinks, residual)


@dataclass(slots=True)
class _Watch:
    """The largest residual of the iterations behind one answer."""

    residual: float = 0.0

    def saw(self, residual: float) -> None:
        self.residual = max(self.residual, residual)


@kernel
def _deviations(payoffs: FloatArray, shape: IntArray) -> tuple[IntArray, Int32Array, FloatArray]:
    """Return pointer, target and advantage of every single deviation; payoffs [n, N] in C order."""
    players, profiles = payoffs.shape
    degree = 0
    for k in shape:
        degree += k - 1
    pointer = np.arange(profiles + 1) * degree
    target = np.empty(profiles * degree, np.int32)
    advantage = np.empty(profiles * degree)
    for s in range(profiles):
        e = pointer[s]
        stride = 1
        for back in range(players):
            p = players - 1 - back
            own = (s // stride) % shape[p]
            for j in range(shape[p]):
                if j != own:
                    r = s + (j - own) * stride
                    target[e] = r
                    advantage[e] = payoffs[p, r] - payoffs[p, s]
                    e += 1
            stride *= shape[p]
    return pointer, target, advantage


def _limit(edges: _Edges, tie: float, watch: _Watch) -> tuple[FloatArray, int]:
    """Return the exact limit distribution [N] and the number of sink components."""
    n = len(edges.pointer) - 1
    keep = edges.advantage >= -tie
    rate = np.where(edges.advantage[keep] > tie, 1.0, 0.5)
    improving = csr_array((rate, edges.target[keep], _ranges(edges.pointer, keep)), shape=(n, n))
    del rate
    count, label = connected_components(improving, connection="strong")
    classes = members_of(label, closed_classes(improving, label, count), count)
    inside = [_stationary(improving, members, watch) for members in classes]
    share = np.ones(1)
    if len(classes) > 1:
        chain = _mistakes(edges, improving, label, classes, inside, keep)
        pieces, piece = connected_components(chain, connection="strong")
        closed = members_of(piece, closed_classes(chain, piece, pieces), pieces)
        if len(closed) > 1:
            del chain, improving
            return _by_orders(edges, tie, watch), len(classes)
        # sinks outside the one closed class of single mistakes are left for ever: no mass in the limit
        mass = np.zeros(chain.shape[0])
        mass[closed[0]] = _stationary(chain, closed[0], watch)
        share = mass[: len(classes)]
    flat = np.zeros(n)
    for weight, members, x in zip(share, classes, inside, strict=True):
        flat[members] = weight * x
    return flat / flat.sum(), len(classes)


def _ranges(pointer: IntArray, keep: BoolArray) -> Int32Array:
    """Return the row pointer after dropping edges."""
    before = np.zeros(len(keep) + 1, np.int32)
    np.cumsum(keep, out=before[1:])
    return before[pointer]


def _stationary(graph: csr_array, members: IntArray, watch: _Watch) -> FloatArray:
    """Return the stationary distribution of one closed class."""
    size = len(members)
    if size == 1:
        return np.ones(1)
    block = graph[members][:, members]
    return np.asarray(markov.gth(block.toarray())) if size <= _SMALL else _sweep(block, watch)


def _sweep(block: csr_array, watch: _Watch) -> FloatArray:
    """Solve a large irreducible chain by sweeps, by aggregation when they stall."""
    size = block.shape[0]
    columns = block.tocsc()
    out = np.asarray(block.sum(axis=1)).ravel()
    x, change, _ = markov.gauss_seidel(
        np.full(size, 1.0 / size),
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32),
        columns.data,
        out,
        _SWEEPS,
        1e-13,
    )
    # a small last change is no proof of convergence in a slow chain: the balance has to hold, too
    imbalance = float(np.abs(x @ block - x * out).sum() / (x * out).sum())
    if change <= 1e-10 and imbalance <= 1e-11:
        watch.saw(change)
        return np.asarray(x)
    chain = markov_chain.Incoming(
        columns.indptr.astype(np.int64), columns.indices.astype(np.int32), np.log(columns.data), np.log(out)
    )
    logs, residual = markov_sparse.solve(chain)
    watch.saw(residual)
    return np.asarray(np.exp(logs))


def _mistakes(
    edges: _Edges,
    graph: csr_array,
    label: Int32Array,
    classes: list[IntArray],
    inside: list[FloatArray],
    keep: BoolArray,
) -> csr_array:
    """Return the chain of single mistakes: first one state per sink component, then the transient profiles.

    Sinks are left at the rate of mistakes (eps divided out), transient profiles at their own rates;
    to leading order the stationary mass of the sinks is that of the full chain.
    """
    n, m = graph.shape[0], len(classes)
    node = np.full(n, -1, np.int32)
    for i, members in enumerate(classes):
        node[members] = i
    transient = np.flatnonzero(node < 0)
    # strong components come out in reverse topological order; sweeps converge fastest along the flow
    flow = transient[np.argsort(-label[transient], kind="stable")]
    node[flow] = m + np.arange(len(flow), dtype=np.int32)
    weight = np.concatenate(inside)
    rows, columns, values = [], [], []
    for s, w in zip(np.concatenate(classes), weight, strict=True):
        span = slice(edges.pointer[s], edges.pointer[s + 1])
        mistakes = node[edges.target[span][~keep[span]]]
        mistakes = mistakes[mistakes != node[s]]
        rows.append(np.full(len(mistakes), node[s], np.int32))
        columns.append(mistakes)
        values.append(np.full(len(mistakes), w))
    ahead = graph[flow]
    rows.append(np.repeat(np.arange(m, m + len(flow), dtype=np.int32), np.diff(ahead.indptr)))
    columns.append(node[ahead.indices])
    values.append(ahead.data)
    size = m + len(flow)
    triple = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csr_array(triple, shape=(size, size))


def _by_orders(edges: _Edges, tie: float, watch: _Watch) -> FloatArray:
    """Return the limit by contraction; for chains in which single mistakes do not connect all sinks."""
    n = len(edges.pointer) - 1
    source = np.repeat(np.arange(n, dtype=np.int32), np.diff(edges.pointer))
    rate = np.where(np.abs(edges.advantage) <= tie, 0.5, 1.0)
    order = (edges.advantage < -tie).astype(np.int32)
    return limit_by_orders(n, source, edges.target, order, rate, lambda graph, m: _stationary(graph, m, watch))


def _finite(edges: _Edges, alpha: float, population: int, watch: _Watch) -> FloatArray:
    """Return the stationary distribution [N] at finite selection intensity."""
    n = len(edges.pointer) - 1
    potential, off = _potential(edges.pointer, edges.target, edges.advantage)
    intensity = alpha * (population - 1)
    if intensity * max(off, float(np.abs(potential).max()) * 1e-16) <= _EXACT:
        # rates to and fro differ by exp(intensity * advantage): with a potential the chain is reversible
        flat = np.exp(intensity * (potential - potential.max()))
        watch.saw(intensity * off)
        return np.asarray(flat / flat.sum())
    with np.errstate(over="ignore"):
        scaled = np.clip(alpha * edges.advantage, -_HUGE / population, _HUGE / population)
    log_rate = _log_fixation(scaled, population)
    del scaled
    if n <= _SMALL and log_rate.min() > -100.0:
        return np.asarray(
            markov.gth(csr_array((np.exp(log_rate), edges.target, edges.pointer), shape=(n, n)).toarray())
        )
    source = np.repeat(np.arange(n, dtype=np.int32), np.diff(edges.pointer))
    logs, residual = markov_sparse.solve(markov_chain.incoming(n, source, edges.target, log_rate))
    watch.saw(residual)
    flat = np.exp(logs)
    return np.asarray(flat / flat.sum())


@kernel
def _potential(pointer: IntArray, target: Int32Array, advantage: FloatArray) -> tuple[FloatArray, float]:
    """Return the potential [N] along a spanning tree and by how much it misses some advantage."""
    n = pointer.shape[0] - 1
    potential = np.zeros(n)
    for s in range(1, n):
        # every state but the first can move to one of lower number
        for e in range(pointer[s], pointer[s + 1]):
            if target[e] < s:
                potential[s] = potential[target[e]] - advantage[e]
                break
    off = 0.0
    for s in range(n):
        for e in range(pointer[s], pointer[s + 1]):
            off = max(off, abs(potential[target[e]] - potential[s] - advantage[e]))
    return potential, off


def _log_fixation(a: FloatArray, m: int) -> FloatArray:
    """Return log (1 - e^-a) / (1 - e^-ma), and -log m at a = 0; stable for any finite a."""
    size = np.abs(a)
    safe = np.where(size > 0, size, 1.0)
    # numerator and denominator share the sign of a: for a < 0 factor e^|a| and e^(m|a|) out
    ratio = np.log(-np.expm1(-safe)) - np.log(-np.expm1(-m * safe))
    value = np.where(a > 0, ratio, ratio - (m - 1) * size)
    return np.asarray(np.where(size > 0, value, -np.log(m)))
