"""Correlated and coarse correlated equilibria of normal-form games, and the distance from them.

A joint distribution q over profiles is a correlated equilibrium (CE) when nobody gains by switching
from a recommendation a to any b, and a coarse one (CCE) when nobody gains by committing to one b
before the recommendation.  Both sets are polytopes {q >= 0, sum q = 1, G q <= 0}; three selections:

* ``welfare``: the one of most total payoff (linear program, HiGHS);
* ``random``: a vertex for a random linear objective;
* ``gini``: the one of least sum of squares, unique, by an interior-point method (``quadratic``).
  Where that is too large, with q = w / sum w the dual of the projection is
  min over l >= 0 of 1/2 |(1 - G^T l)_+|^2 and w = (1 - G^T l)_+; L-BFGS-B finds the active set and
  semi-smooth Newton steps finish.

References: Aumann (1974); Moulin and Vial (1978); Marris et al. (2021), arXiv 2106.09435 (maximum Gini).
Cost: N = prod k_p variables; CE has sum_p k_p (k_p - 1) rows, CCE sum_p k_p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog, minimize
from scipy.sparse import csr_array, vstack

from equilibria.games.analysis.checks import distribution, payoff_tensors
from equilibria.games.analysis.quadratic import least_squares_distribution
from equilibria.sim.errors import InvalidValue, NotConverged
from equilibria.sim.types import FloatArray, IntArray

Concept = Literal["ce", "cce"]
Objective = Literal["gini", "welfare", "random"]
TOLERANCE = 1e-9
INTERIOR_LIMIT = 2e10
"""Multiplications per interior-point iteration above which only first-order and Newton steps are tried."""


@dataclass(frozen=True, slots=True)
class CorrelatedGap:
    """Gain available to each player against a mediator.

    Attributes:
        ce: [n] gain of the best map from recommendations to actions.
        cce: [n] gain of the best fixed action.
    """

    ce: FloatArray
    cce: FloatArray

    @property
    def ce_total(self) -> float:
        """Sum over players; 0 at a correlated equilibrium."""
        return float(self.ce.sum())

    @property
    def cce_total(self) -> float:
        """Sum over players; 0 at a coarse correlated equilibrium."""
        return float(self.cce.sum())


def correlated_gap(payoffs: Sequence[ArrayLike], joint: ArrayLike) -> CorrelatedGap:
    """Return how far a joint distribution is from CE and CCE, in game payoff.

    Args:
        payoffs: One tensor [k_1, ..., k_n] per player.
        joint: [k_1, ..., k_n] distribution over profiles.
    """
    u = payoff_tensors(payoffs)
    q = distribution(joint, u.shape[1:], "joint")
    ce, cce = [], []
    for p in range(len(u)):
        own = np.moveaxis(u[p], p, 0).reshape(u.shape[p + 1], -1)
        mass = np.moveaxis(q, p, 0).reshape(own.shape)
        value = mass @ own.T  # [recommended, played]
        now = np.diagonal(value)
        ce.append((value.max(axis=1) - now).sum())
        cce.append(value.sum(axis=0).max() - now.sum())
    return CorrelatedGap(np.maximum(ce, 0.0), np.maximum(cce, 0.0))


def correlated_equilibrium(
    payoffs: Sequence[ArrayLike],
    *,
    concept: Concept = "ce",
    objective: Objective = "gini",
    rng: np.random.Generator | None = None,
) -> FloatArray:
    """Return a (coarse) correlated equilibrium as a joint distribution [k_1, ..., k_n].

    Args:
        payoffs: One tensor [k_1, ..., k_n] per player.
        concept: ``"ce"`` or ``"cce"``.
        objective: ``"gini"`` (least sum of squares), ``"welfare"`` (most total payoff) or ``"random"``.
        rng: Source of the random objective; needed for ``"random"`` only.

    Raises:
        InvalidValue: If a name is unknown, shapes do not fit or ``rng`` is missing.
        NumericalError: If a payoff is not finite.
        NotConverged: If the program cannot be solved to 1e-8.

    Example:
        >>> chicken = [[[0, 7], [2, 6]], [[0, 2], [7, 6]]]
        >>> correlated_equilibrium(chicken, objective="welfare").round(6).tolist()
        [[0.0, 0.25], [0.25, 0.5]]
    """
    u = payoff_tensors(payoffs)
    if concept not in ("ce", "cce"):
        raise InvalidValue(f"concept must be 'ce' or 'cce', got {concept!r}")
    g = _constraints(u, concept)
    if objective == "gini":
        flat = _least_squares(g)
    elif objective == "welfare":
        flat = _linear(g, -u.sum(axis=0).ravel())
    elif objective == "random":
        if rng is None:
            raise InvalidValue("objective 'random' needs rng, a numpy Generator")
        flat = _linear(g, rng.standard_normal(g.shape[1]))
    else:
        raise InvalidValue(f"objective must be 'gini', 'welfare' or 'random', got {objective!r}")
    return flat.reshape(u.shape[1:])


def _constraints(u: FloatArray, concept: Concept) -> csr_array:
    """Return G [rows, N] with G q <= 0, each player's payoffs scaled to a range of at most 1."""
    shape = u.shape[1:]
    size = int(np.prod(shape))
    index = np.arange(size).reshape(shape)
    rows = []
    for p, k in enumerate(shape):
        spread = float(u[p].max() - u[p].min())
        own = np.moveaxis(u[p], p, 0).reshape(k, -1) / (spread if spread > 0 else 1.0)
        places = np.moveaxis(index, p, 0).reshape(k, -1)
        build = _ce_rows if concept == "ce" else _cce_rows
        rows.append(build(own, places, size))
    return csr_array(vstack(rows))


def _ce_rows(own: FloatArray, places: IntArray, size: int) -> csr_array:
    """One row per ordered pair (recommended a, deviation b)."""
    k, others = own.shape
    a, b = np.nonzero(~np.eye(k, dtype=bool))
    values = (own[b] - own[a]).ravel()
    row = np.repeat(np.arange(len(a)), others)
    return csr_array((values, (row, places[a].ravel())), shape=(len(a), size))


def _cce_rows(own: FloatArray, places: IntArray, size: int) -> csr_array:
    """One row per fixed deviation b."""
    k, others = own.shape
    values = (own[:, None, :] - own[None, :, :]).ravel()  # [b, a, others]
    row = np.repeat(np.arange(k), k * others)
    return csr_array((values, (row, np.tile(places.ravel(), k))), shape=(k, size))


def _normalise(q: FloatArray) -> FloatArray:
    clipped = np.maximum(q, 0.0)
    return np.asarray(clipped / clipped.sum())


def _linear(g: csr_array, cost: FloatArray) -> FloatArray:
    size = g.shape[1]
    scale = float(np.abs(cost).max())
    result = linprog(
        cost / scale if scale > 0 else cost,
        A_ub=g if g.shape[0] else None,
        b_ub=np.zeros(g.shape[0]) if g.shape[0] else None,
        A_eq=np.ones((1, size)),
        b_eq=[1.0],
        method="highs",
    )
    if result.status != 0:
        raise NotConverged(f"the linear program over {size} profiles failed: {result.message}")
    return _normalise(result.x)


def _least_squares(g: csr_array) -> FloatArray:
    """Return the distribution of least sum of squares with g q <= 0."""
    rows = g.shape[0]
    if not rows:
        return np.full(g.shape[1], 1.0 / g.shape[1])
    if rows * rows * g.shape[1] <= INTERIOR_LIMIT:
        q, error = least_squares_distribution(g)
        if error <= TOLERANCE:
            return q

    def dual(multipliers: FloatArray) -> tuple[float, FloatArray]:
        w = np.maximum(1.0 - multipliers @ g, 0.0)
        return 0.5 * float(w @ w), -(g @ w)

    options = {"maxiter": 500, "maxfun": 5000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    found = minimize(dual, np.zeros(rows), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * rows, options=options)
    q, error = _newton(g, np.maximum(found.x, 0.0))
    if error > 1e-8:
        raise NotConverged(f"the maximum-Gini program over {len(q)} profiles stopped with residual {error:.2g}")
    return q


def _newton(g: csr_array, multipliers: FloatArray) -> tuple[FloatArray, float]:
    """Semi-smooth Newton on min(l, -G w(l)) = 0; returns the best distribution and its residual."""
    best, best_error = np.zeros(0), np.inf
    stalled = 0
    for _ in range(40):
        w = np.maximum(1.0 - multipliers @ g, 0.0)
        total = w.sum()
        if total <= 0:
            break
        slack = -(g @ w)
        # distance from feasibility and from complementarity, per unit of probability
        error = float(np.abs(np.minimum(multipliers, slack)).max(initial=0.0) / total)
        stalled = 0 if error < 0.5 * best_error else stalled + 1
        if error < best_error:
            best, best_error = w / total, error
        if error < 1e-14 or stalled > 5:
            break
        active = multipliers - slack > 0
        block = g[active][:, w > 0].toarray()
        following = np.zeros_like(multipliers)
        following[active] = np.linalg.lstsq(block @ block.T, block.sum(axis=1), rcond=1e-13)[0]
        multipliers = np.maximum(following, 0.0)
    return best, best_error
