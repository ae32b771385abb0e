"""Array measures of populations: inequality and shares, exact in integer arithmetic.

Axes: N agents, K distinct levels (wealth 0 .. K - 1).
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray, FloatArray, IntArray

_DENSE = 4


def wealth_counts(wealth: AnyArray) -> IntArray:
    """Return int64 [K]: the number of agents with wealth 0, 1, ..., max."""
    return np.bincount(wealth)


def gini(values: AnyArray) -> float:
    """Return the Gini coefficient of non-negative values [N], 0 (equal) .. 1 - 1/N.

    G = (2 sum_i i x_(i)) / (N sum x) - (N + 1) / N with x_(1) <= ... <= x_(N); 0 if all are zero.
    Integers whose maximum is moderate are counted (O(N), exact), other values sorted (O(N log N)).

    Raises:
        InvalidValue: If a value is negative or not finite, or there are no values.
    """
    if values.size == 0:
        raise InvalidValue("the Gini coefficient needs at least one value, got none")
    if np.issubdtype(values.dtype, np.integer):
        low, high = int(values.min()), int(values.max())
        if low < 0:
            raise InvalidValue(f"the Gini coefficient needs non-negative values, found {low}")
        # The second condition keeps all sums of the counting form below 2**63.
        if high <= _DENSE * values.size + 1024 and 2 * values.size * int(values.sum()) < 2**62:
            return _gini_of_counts(wealth_counts(values))
    return _gini_of_sorted(np.sort(values.astype(np.float64)))


def _gini_of_counts(counts: IntArray) -> float:
    n = int(counts.sum())
    level = np.arange(counts.size)
    total = int(counts @ level)
    if total == 0:
        return 0.0
    # Ranks first + 1 .. first + c of a level sum to c * (2 * first + c + 1) / 2.
    first = np.cumsum(counts) - counts
    weighted = int((level * counts * (2 * first + counts + 1)).sum())
    return weighted / (n * total) - (n + 1) / n


def _gini_of_sorted(x: FloatArray) -> float:
    if not np.isfinite(x[-1]) or x[0] < 0:
        raise InvalidValue(
            f"the Gini coefficient needs finite non-negative values, found {float(x[0])!r}..{float(x[-1])!r}"
        )
    total = float(x.sum())
    if total == 0.0:
        return 0.0
    n = x.size
    return float(2 * (np.arange(1, n + 1) @ x) / (n * total) - (n + 1) / n)


def top_share(values: AnyArray, share: float) -> float:
    """Return the part of the total that the richest ``share`` of agents own; 0 if the total is 0.

    The number of rich agents is ``share * N`` rounded up, so it is at least one.  O(N).
    """
    n = values.size
    rich = min(n, max(1, int(np.ceil(share * n - 1e-9))))
    x = values.astype(np.float64)
    total = float(x.sum())
    if total == 0.0:
        return 0.0
    return float(np.partition(x, n - rich)[n - rich :].sum() / total)
