"""Whom a team meets when FXP is trained by sampled episodes instead of exact expectations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

KINDS = ("self", "past_main", "past_counter", "current_counter")


@dataclass(frozen=True, slots=True)
class OpponentSampler:
    """Probabilities of the kinds of opponents of the main team.

    Attributes:
        p_self: Present main team.
        p_past_main: A past main team, uniformly drawn.
        p_past_counter: A past counter team, uniformly drawn.
        p_current_counter: The counter team in training.
    """

    p_self: float = 0.2
    p_past_main: float = 0.4
    p_past_counter: float = 0.4
    p_current_counter: float = 0.0

    def __post_init__(self) -> None:
        p = (self.p_self, self.p_past_main, self.p_past_counter, self.p_current_counter)
        if not all(0 <= x <= 1 for x in p) or abs(sum(p) - 1) > 1e-9:
            raise InvalidValue(f"opponent probabilities must lie in [0, 1] and sum to 1, got {p} with sum {sum(p)!r}")

    def probabilities(self, mains: int, counters: int) -> FloatArray:
        """Return [4] over ``KINDS`` when ``mains`` past mains and ``counters`` past counters exist.

        The mass of kinds without members goes to the others in proportion.
        """
        p = np.array([self.p_self, self.p_past_main, self.p_past_counter, self.p_current_counter])
        p = p * [1, mains > 0, counters > 0, 1]
        if p.sum() <= 0:
            raise InvalidValue("no opponent is available: every kind with positive probability is empty")
        return np.asarray(p / p.sum())

    def draw(self, size: int, mains: int, counters: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Return kinds [size] (indices into ``KINDS``) and members [size] of the drawn opponents."""
        kind = rng.choice(len(KINDS), size=size, p=self.probabilities(mains, counters))
        counts = np.array([1, max(mains, 1), max(counters, 1), 1])[kind]
        return kind, (rng.random(size) * counts).astype(np.int64)
