"""Alpha-rank: the long-run distribution of evolving populations over joint profiles.

One mutant at a time tries another strategy; it takes over its population with a fixation probability
that grows with its advantage.  The stationary distribution of this chain ranks profiles.

* Infinite selection (``alpha=None``): moves to better profiles happen at rate 1, ties at rate 1/2, moves
  to worse ones at rate eps -> 0.  The limit is computed exactly, with no eps chosen: the sink
  components of the better-or-equal graph carry all mass; between several of them mass is shared by
  the chain of single mistakes; where even that is not irreducible (three or more players), leading
  orders in eps are carried through the state reduction (``markov.gth_orders``).
* Finite ``alpha`` and population size m: rate (1 - e^-a) / (1 - e^-ma) with a = alpha * advantage,
  1/m for ties, kept as logarithms because it falls below 1e-300 at once.

Reference: Omidshafiei et al. (2019), alpha-Rank, Scientific Reports 9:9937; the state reduction is
Grassmann, Taksar and Heyman (1985).  Cost: E = N * sum_p (k_p - 1) edges for N profiles; sparse sweeps
O(E) each, dense reduction O(N^3) for chains or classes of at most ``DENSE_LIMIT`` states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equilibria.games.analysis import markov
from equilibria.games.analysis.checks import payoff_tensors, square_matrix
from equilibria.sim.errors import GameTooLarge, InvalidValue, NotConverged
from equilibria.sim.jit import kernel
from equilibria.sim.types import BoolArray, FloatArray, Int32Array, IntArray

DENSE_LIMIT = 3000
TIE = 1e-14
_SMALL = 400  # classes up to this size are reduced directly: faster than sweeping


@dataclass(frozen=True, slots=True)
class AlphaRank:
    """Alpha-rank of a game.

    Attributes:
        distribution: [k_1, ..., k_n] mass of each joint profile ([k] for one population).
        marginals: One distribution [k_p] per player.
        method: ``"limit"`` (alpha to infinity) or ``"finite alpha"``.
        sinks: Number of sink components of the better-or-equal graph (0 for finite alpha).
    """

    distribution: FloatArray
    marginals: tuple[FloatArray, ...]
    method: str
    sinks: int


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
        GameTooLarge: If a chain that needs dense reduction has more than 3000 profiles.

    Example:
        >>> alpha_rank([[[2, 0], [0, 1]], [[1, 0], [0, 2]]]).distribution.tolist()  # battle of the sexes
        [[0.5, 0.0], [0.0, 0.5]]
    """
    _check(alpha, population, tie)
    tensor = payoff_tensors(payoffs)
    shape = tensor.shape[1:]
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
        InvalidValue, NumericalError, GameTooLarge: As in ``alpha_rank``.
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
    if len(edges.pointer) == 2:
        flat, sinks = np.ones(1), 1
    elif alpha is None:
        flat, sinks = _limit(edges, tie)
    else:
        flat, sinks = _finite(edges, alpha, population), 0
    joint = flat.reshape(shape)
    axes = range(len(shape))
    marginals = tuple(joint.sum(axis=tuple(q for q in axes if q != p)) for p in axes)
    return AlphaRank(joint, marginals, "limit" if alpha is None else "finite alpha", sinks)


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


def _limit(edges: _Edges, tie: float) -> tuple[FloatArray, int]:
    """Return the exact limit distribution [N] and the number of sink components."""
    n = len(edges.pointer) - 1
    keep = edges.advantage >= -tie
    rate = np.where(edges.advantage[keep] > tie, 1.0, 0.5)
    improving = csr_array((rate, edges.target[keep], _ranges(edges.pointer, keep)), shape=(n, n))
    del rate
    count, label = connected_components(improving, connection="strong")
    sinks = _sinks(improving, label, count)
    classes = [np.flatnonzero(label == c) for c in sinks]
    inside = [_stationary(improving, members) for members in classes]
    share = np.ones(1)
    if len(classes) > 1:
        chain = _mistakes(edges, improving, label, classes, inside, keep)
        pieces, piece = connected_components(chain, connection="strong")
        closed = _sinks(chain, piece, pieces)
        if len(closed) > 1:
            return _by_orders(edges, tie), len(classes)
        # sinks outside the one closed class of single mistakes are left for ever: no mass in the limit
        members = np.flatnonzero(piece == closed[0])
        mass = np.zeros(chain.shape[0])
        mass[members] = _stationary(chain, members)
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


def _sinks(graph: csr_array, label: Int32Array, count: int) -> IntArray:
    """Return the labels of components that no edge leaves."""
    source = np.repeat(np.arange(graph.shape[0], dtype=np.int32), np.diff(graph.indptr))
    leaves = label[source] != label[graph.indices]
    open_ = np.zeros(count, bool)
    open_[label[source[leaves]]] = True
    return np.flatnonzero(~open_)


def _stationary(graph: csr_array, members: IntArray) -> FloatArray:
    """Return the stationary distribution of one closed class."""
    size = len(members)
    if size == 1:
        return np.ones(1)
    block = graph[members][:, members]
    if size <= _SMALL:
        return np.asarray(markov.gth(block.toarray()))
    return _sweep(block)


def _sweep(block: csr_array) -> FloatArray:
    """Solve a large irreducible chain by sweeps, by dense reduction when they stall."""
    size = block.shape[0]
    incoming = block.tocsc()
    out = np.asarray(block.sum(axis=1)).ravel()
    x, change, sweeps = markov.gauss_seidel(
        np.full(size, 1.0 / size),
        incoming.indptr.astype(np.int64),
        incoming.indices.astype(np.int32),
        incoming.data,
        out,
        2000,
        1e-13,
    )
    # a small last change is no proof of convergence in a slow chain: the balance has to hold, too
    imbalance = float(np.abs(x @ block - x * out).sum() / (x * out).sum())
    if change <= 1e-10 and imbalance <= 1e-11:
        return np.asarray(x)
    if size <= DENSE_LIMIT:
        return np.asarray(markov.gth(block.toarray()))
    raise NotConverged(
        f"a class of {size} profiles still changed by {change:.2g} after {sweeps} sweeps and is too large for dense "
        f"reduction ({DENSE_LIMIT}); merge duplicate strategies or remove dominated ones"
    )


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


def _by_orders(edges: _Edges, tie: float) -> FloatArray:
    """Return the limit by leading orders in eps; for chains in which single mistakes do not connect all sinks."""
    n = len(edges.pointer) - 1
    _check_dense(n, "the limit of this game needs several simultaneous mistakes")
    coefficients, orders = np.zeros((n, n)), np.full((n, n), markov.NEVER, np.int32)
    source = np.repeat(np.arange(n), np.diff(edges.pointer))
    tied = np.abs(edges.advantage) <= tie
    coefficients[source, edges.target] = np.where(tied, 0.5, 1.0)
    orders[source, edges.target] = edges.advantage < -tie
    x, order = markov.gth_orders(coefficients, orders)
    flat = np.where(order == order.min(), x, 0.0)
    return np.asarray(flat / flat.sum())


def _check_dense(n: int, why: str) -> None:
    if n > DENSE_LIMIT:
        raise GameTooLarge(
            f"{why}: dense reduction takes at most {DENSE_LIMIT} profiles, got {n}; merge duplicate strategies or "
            "drop strategies without mass"
        )


def _finite(edges: _Edges, alpha: float, population: int) -> FloatArray:
    """Return the stationary distribution [N] at finite selection intensity."""
    n = len(edges.pointer) - 1
    log_rate = _log_fixation(alpha * edges.advantage, population)
    source = np.repeat(np.arange(n), np.diff(edges.pointer))
    if log_rate.min() > -100.0:
        block = csr_array((np.exp(log_rate), edges.target, edges.pointer), shape=(n, n))
        return np.asarray(markov.gth(block.toarray())) if n <= _SMALL else _sweep(block)
    _check_dense(n, f"fixation probabilities fall to exp({log_rate.min():.3g}) at alpha = {alpha:g}; use alpha=None")
    logs = np.full((n, n), -np.inf)
    logs[source, edges.target] = log_rate
    return np.asarray(np.exp(markov.gth_log(logs)))


def _log_fixation(a: FloatArray, m: int) -> FloatArray:
    """Return log (1 - e^-a) / (1 - e^-ma), and -log m at a = 0; stable for any finite a."""
    size = np.abs(a)
    safe = np.where(size > 0, size, 1.0)
    # numerator and denominator share the sign of a: for a < 0 factor e^|a| and e^(m|a|) out
    ratio = np.log(-np.expm1(-safe)) - np.log(-np.expm1(-m * safe))
    value = np.where(a > 0, ratio, ratio - (m - 1) * size)
    return np.asarray(np.where(size > 0, value, -np.log(m)))
