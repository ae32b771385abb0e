"""A few policies against opponents that change: payoffs by policy and opponent, and who comes when.

Source: Liu et al. (2024), Beyond worst-case attacks, ICLR, arXiv 2402.12673.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

EXAMPLE = ((10, 4, 0), (8, 6, 2), (6, 6, 5), (5, 5, 5), (9, 3, 1), (4, 4, 6))
"""Payoffs of six policies against three opponents, the known-answer example of our tests."""


@dataclass(frozen=True, slots=True)
class PolicyPayoffs:
    """Payoffs of policies against opponents.

    Attributes:
        payoffs: [policies, opponents], finite.
        scale: Payoff that counts as reward 1, > 0.

    Raises:
        InvalidValue: If the table is no finite matrix or the scale is not positive.
    """

    payoffs: FloatArray
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.payoffs.ndim != 2 or self.payoffs.size == 0 or not np.isfinite(self.payoffs).all():
            raise InvalidValue(f"payoffs must be a finite matrix of policies x opponents, got {self.payoffs.shape}")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InvalidValue(f"scale must be > 0, got {self.scale!r}")

    def schedule(self, rounds: int) -> IntArray:
        """Return the opponent of each round: the last one attacks in the first and third quarter, else the first."""
        quarter = np.arange(rounds) * 4 // max(rounds, 1)
        return np.where(quarter % 2 == 0, self.payoffs.shape[1] - 1, 0)
