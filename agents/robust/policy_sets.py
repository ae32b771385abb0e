"""Small sets of policies that between them answer every opponent.

Source: Liu et al. (2024), Beyond worst-case attacks, ICLR, arXiv 2402.12673.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.types import FloatArray

T = TypeVar("T")
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Discovery:
    """A set of policies found by ``discover``.

    Attributes:
        policies: Rows in the order of their discovery.
        gaps: How much each added row gained over the set before it (the first: its row number is given).
        opponents: The opponent against which it gained.
        remaining: Largest gain that the set still misses.
    """

    policies: tuple[int, ...]
    gaps: tuple[float, ...]
    opponents: tuple[int, ...]
    remaining: float


def dominance(payoffs: ArrayLike) -> FloatArray:
    """Return for each row the largest delta by which a mixture of the others beats it against every opponent.

    Row i is dominated when its delta is >= 0.  A single row has minus infinity.

    Args:
        payoffs: [policies, opponents], finite.

    Cost: one linear program (HiGHS) per row.
    """
    table = _table(payoffs)
    rows, columns = table.shape
    if rows == 1:
        return np.array([-np.inf])
    found = np.empty(rows)
    for i in range(rows):
        others = np.delete(table, i, axis=0)
        below = np.column_stack([-others.T, np.ones(columns)])
        answer = linprog(
            np.r_[np.zeros(rows - 1), -1.0],
            A_ub=below,
            b_ub=-table[i],
            A_eq=np.r_[np.ones(rows - 1), 0.0][None],
            b_eq=[1.0],
            bounds=[(0, None)] * (rows - 1) + [(None, None)],
            method="highs",
        )
        found[i] = -answer.fun
    return found


def nondominated(payoffs: ArrayLike) -> list[int]:
    """Return the rows that no mixture of other kept rows matches everywhere; of equal rows the first is kept.

    Example:
        >>> nondominated([[1.0, 0.0], [0.0, 1.0], [0.4, 0.4], [1.0, 0.0]])
        [0, 1]
    """
    table = _table(payoffs)
    _, firsts = np.unique(table, axis=0, return_index=True)
    kept = sorted(int(i) for i in firsts)
    if len(kept) == 1:
        return kept
    delta = dominance(table[kept])
    return [row for row, d in zip(kept, delta, strict=True) if d < -_TOLERANCE]


def discover(payoffs: ArrayLike, *, first: int = 0, delta: float = 0.0) -> Discovery:
    """Add the policy that gains most against some opponent until no gain exceeds ``delta``.

    Args:
        payoffs: [policies, opponents].
        first: Row to begin with (the best answer to no attack).
        delta: Gain that is not worth another policy, >= 0.
    """
    table = _table(payoffs)
    if not 0 <= first < len(table):
        raise InvalidValue(f"first must lie in 0..{len(table) - 1}, got {first!r}")
    if not delta >= 0:
        raise InvalidValue(f"delta must be >= 0, got {delta!r}")
    chosen, gaps, opponents = [first], [0.0], [-1]
    while True:
        gain = table - table[chosen].max(axis=0)
        row, opponent = (int(i) for i in np.unravel_index(int(gain.argmax()), gain.shape))
        best = float(gain[row, opponent])
        if best <= delta + _TOLERANCE:
            return Discovery(tuple(chosen), tuple(gaps), tuple(opponents), max(best, 0.0))
        chosen.append(row)
        gaps.append(best)
        opponents.append(opponent)


Response = tuple[T, float]


def discover_by(
    respond: Callable[[tuple[T, ...]], Response[T]], first: T, *, delta: float = 0.0, most: int = 20
) -> tuple[tuple[T, ...], tuple[float, ...]]:
    """Do the same with a best-response oracle instead of a table.

    Args:
        respond: Given the policies so far, returns a policy and how much it gains, against some opponent, over the
            best of them; a trained one finds a gain, not the largest, and then the set may miss more than ``delta``.
        first: Policy to begin with.
        delta: Gain that is not worth another policy, >= 0.
        most: Policies at most, >= 1.

    Returns:
        The policies, and the gain of every answer of the oracle; the last one is what the set still misses,
        unless the set is full.
    """
    if not delta >= 0 or most < 1:
        raise InvalidValue(f"delta must be >= 0 and most >= 1, got {delta!r} and {most!r}")
    chosen: tuple[T, ...] = (first,)
    gaps: list[float] = []
    while len(chosen) < most:
        policy, gain = respond(chosen)
        if not np.isfinite(gain):
            raise NumericalError("gain of the oracle's policy", float(gain), step=len(chosen))
        gaps.append(float(gain))
        if gain <= delta + _TOLERANCE:
            break
        chosen = (*chosen, policy)
    return chosen, tuple(gaps)


def _table(payoffs: ArrayLike) -> FloatArray:
    table = np.asarray(payoffs, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all():
        raise InvalidValue(f"payoffs must be a finite matrix of policies x opponents, got shape {table.shape}")
    return table
