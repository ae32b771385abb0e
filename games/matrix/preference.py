"""General-preference games: P(y beats y') over items, possibly intransitive.

P [n, n] has P + P^T = 1.  Two policies meet, each wins with the expected preference; the game is symmetric and
constant-sum, so its minimax (von Neumann) winner pi* satisfies P(pi* beats pi) >= 1/2 for every pi.

Duality gap of pi: 2 (max_y P(y beats pi) - 1/2), 0 exactly at a minimax winner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.analysis.checks import distribution, square_matrix
from equilibria.games.analysis.matrix_nash import max_entropy_nash
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class PreferenceGame:
    """Pairwise preferences between n items.

    Attributes:
        preference: [n, n] probability that the row item is preferred to the column item.
        labels: Item names, empty for numbers.
    """

    preference: FloatArray
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        p = square_matrix(self.preference, "preference")
        if p.min() < 0 or p.max() > 1:
            raise InvalidValue(f"preference must lie in [0, 1], got {float(p.min())!r}..{float(p.max())!r}")
        gap = np.abs(p + p.T - 1)
        if gap.max() > TOLERANCE:
            i, j = (int(k) for k in np.unravel_index(int(gap.argmax()), gap.shape))
            raise InvalidValue(
                f"preference needs P(i beats j) + P(j beats i) = 1 and 1/2 on the diagonal: entries [{i}, {j}] and "
                f"[{j}, {i}] are {float(p[i, j])!r} and {float(p[j, i])!r}; set symmetrise to repair it"
            )
        if self.labels and len(self.labels) != len(p):
            raise InvalidValue(f"labels must name all {len(p)} items, got {len(self.labels)}")
        object.__setattr__(self, "preference", p)

    @classmethod
    def symmetrised(cls, preference: ArrayLike, labels: Sequence[str] = ()) -> PreferenceGame:
        """Build a game from noisy preferences: P becomes (P + 1 - P^T) / 2."""
        p = square_matrix(preference, "preference")
        return cls((p + 1 - p.T) / 2, tuple(labels))

    @property
    def items(self) -> int:
        """Number of items n."""
        return len(self.preference)

    def against(self, policy: ArrayLike) -> FloatArray:
        """Return [n] the probability that each item beats a draw from ``policy`` [n]."""
        return np.asarray(self.preference @ distribution(policy, self.items, "policy"))

    def gap(self, policy: ArrayLike) -> float:
        """Return the duality gap of ``policy`` [n], in [0, 1]."""
        return float(2 * max(0.0, self.against(policy).max() - 0.5))

    def winner(self) -> FloatArray:
        """Return [n] the minimax winner of largest entropy; exact copies of an item share its mass."""
        return max_entropy_nash(self.preference - 0.5).row

    def borda(self) -> FloatArray:
        """Return [n] the mean probability of beating another item; not robust to copies."""
        if self.items == 1:
            return np.array([0.5])
        return np.asarray((self.preference.sum(axis=1) - 0.5) / (self.items - 1))

    def condorcet(self) -> int | None:
        """Return the item that beats every other one with probability above 1/2, or ``None``."""
        beats = (self.preference > 0.5).sum(axis=1) == self.items - 1
        return int(np.flatnonzero(beats)[0]) if beats.any() else None
