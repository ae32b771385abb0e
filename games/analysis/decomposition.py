"""How transitive is a game?  Hodge decomposition of an antisymmetric payoff matrix.

S = grad r + cyclic, with (grad r)_ij = r_i - r_j.  With all pairs observed r_i is the mean of row i
and the cyclic part has zero row sums (Balduzzi et al. 2019, arXiv 1901.08106, theorem 1).  With missing
or weighted pairs r solves the weighted least-squares problem of the comparison graph, and the rest splits
into a locally cyclic part (curl, carried by observed triangles) and a harmonic one (longer cycles; Jiang,
Lim, Yao and Ye 2011, HodgeRank).

Cost: O(n^3) for the potential; the curl part adds a least-squares problem over pairs and triangles and
is done for at most ``TRIANGLE_LIMIT`` agents when pairs are missing (with all pairs it needs nothing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import lsqr

from equilibria.games.analysis.checks import antisymmetric_matrix, square_matrix
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

TRIANGLE_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Hodge decomposition; the parts are orthogonal in the weighted inner product and sum to the data.

    Attributes:
        potential: [n] transitive rating r with mean 0 in every connected group, in payoff units.
        transitive: [n, n] gradient part r_i - r_j (0 on unobserved pairs).
        curl: [n, n] part carried by 3-cycles.
        harmonic: [n, n] part carried by longer cycles only; 0 when all pairs are observed.
        transitivity: Share of the weighted squared norm in the transitive part, in [0, 1]; 1 for a zero matrix.
    """

    potential: FloatArray
    transitive: FloatArray
    curl: FloatArray
    harmonic: FloatArray
    transitivity: float

    @property
    def cyclic(self) -> FloatArray:
        """Return everything that no rating explains, [n, n]."""
        return self.curl + self.harmonic


def decompose(payoffs: ArrayLike, *, weights: ArrayLike | None = None) -> Decomposition:
    """Split an antisymmetric payoff matrix into a transitive and a cyclic part.

    Args:
        payoffs: [n, n] antisymmetric; what the row agent wins against the column agent.
        weights: [n, n] symmetric, >= 0; number of games behind each pair, 0 where never played.

    Raises:
        InvalidValue: If ``payoffs`` is not antisymmetric, weights are negative or asymmetric, or pairs are
            missing among more than 60 agents.

    Example:
        >>> decompose([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]).transitivity
        0.0
    """
    s = antisymmetric_matrix(payoffs)
    n = len(s)
    w = np.ones((n, n)) if weights is None else square_matrix(weights, "weights")
    if w.shape != s.shape or not np.allclose(w, w.T, rtol=1e-12, atol=0):
        raise InvalidValue(f"weights must be a symmetric matrix of shape {s.shape}, got shape {w.shape}")
    if w.min() < 0:
        raise InvalidValue(f"weights must be >= 0, got {float(w.min())!r}")
    np.fill_diagonal(w, 0.0)
    seen = w > 0
    s = np.where(seen, s, 0.0)
    potential = _potential(s, w)
    transitive = np.where(seen, potential[:, None] - potential[None, :], 0.0)
    rest = s - transitive
    complete = bool(seen.sum() == n * (n - 1))
    curl = rest if complete else _curl(rest, w)
    total = float((w * s**2).sum())
    share = float((w * transitive**2).sum()) / total if total > 0 else 1.0
    return Decomposition(potential, transitive, curl, rest - curl, min(1.0, share))


def _potential(s: FloatArray, w: FloatArray) -> FloatArray:
    """Return the weighted least-squares rating, mean 0 in every connected group."""
    laplacian = np.diag(w.sum(axis=1)) - w
    groups, label = connected_components(csr_array(w > 0), directed=False)
    for c in range(groups):
        inside = np.flatnonzero(label == c)
        laplacian[np.ix_(inside, inside)] += w.max(initial=1.0) / len(inside)
    r = np.linalg.solve(laplacian, (w * s).sum(axis=1))
    for c in range(groups):
        r[label == c] -= r[label == c].mean()
    return np.asarray(r)


def _curl(rest: FloatArray, w: FloatArray) -> FloatArray:
    """Return the projection of a divergence-free flow on flows around observed triangles.

    In the weighted inner product the adjoint of the curl is W^-1 C^T, so the part is W^-1 C^T z with z
    minimising |W^(1/2) rest - W^(-1/2) C^T z|.
    """
    n = len(w)
    if n > TRIANGLE_LIMIT:
        raise InvalidValue(f"missing pairs are handled for at most {TRIANGLE_LIMIT} agents, got {n}")
    i, j = np.nonzero(np.triu(w > 0))
    edge = np.full((n, n), -1)
    edge[i, j] = np.arange(len(i))
    a, b, c = (x.ravel() for x in np.indices((n, n, n)))
    triangle = (edge[a, b] >= 0) & (edge[b, c] >= 0) & (edge[a, c] >= 0)
    a, b, c = a[triangle], b[triangle], c[triangle]
    if not len(a):
        return np.zeros_like(rest)
    count = len(a)
    rows = np.concatenate([edge[a, b], edge[b, c], edge[a, c]])
    signs = np.concatenate([np.ones(2 * count), -np.ones(count)])
    root = np.sqrt(w[i, j])
    matrix = csr_array((signs / root[rows], (rows, np.tile(np.arange(count), 3))), shape=(len(i), count))
    z = lsqr(matrix, root * rest[i, j], atol=1e-14, btol=1e-14, iter_lim=20 * len(i))[0]
    part = np.zeros_like(rest)
    part[i, j] = (matrix @ z) / root
    return part - part.T
