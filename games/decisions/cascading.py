"""Cascading decision processes: lists of items are examined in order and the first attractive one is clicked.

In state s an agent shows at most m distinct items; a virtual item that is always attractive and pays
nothing follows.  The user clicks the first attractive item a, the agent gets r(s, a) and the next state
is drawn from p(s, a).  Optimal lists need no enumeration: see ``cascading_kernels.best_list``.

Source: Du, Srikant, Chen (2024), Cascading reinforcement learning, ICLR, arXiv 2401.08961; the random
instances are ours: attraction U[0, 0.6], rewards U[0, 1], transitions Dirichlet(1), uniform first state.
Cost: planning O(H S N (m + log N + S)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.decisions import cascading_kernels as kernels
from equilibria.games.decisions.settings import CascadingSettings
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class CascadingGame:
    """A cascading decision process.

    Attributes:
        attraction: float64 [S, N] in [0, 1].
        reward: float64 [S, N] in [0, 1].
        transition: float64 [S, N + 1, S]; rows sum to 1, the virtual item last.
        longest: m.
        horizon: H.

    Raises:
        InvalidValue: If a shape does not fit or a number is out of range; names the first one.
    """

    attraction: FloatArray
    reward: FloatArray
    transition: FloatArray
    longest: int
    horizon: int

    def __post_init__(self) -> None:
        s, n = self.attraction.shape
        if self.reward.shape != (s, n) or self.transition.shape != (s, n + 1, s):
            raise InvalidValue(
                f"reward must have shape {(s, n)} and transition {(s, n + 1, s)}, "
                f"got {self.reward.shape} and {self.transition.shape}"
            )
        for name, array in (
            ("attraction", self.attraction), ("reward", self.reward), ("transition", self.transition),
        ):  # fmt: skip
            good = (array >= 0.0) & (array <= 1.0)
            if not good.all():
                where = [int(k) for k in np.argwhere(~good)[0]]
                raise InvalidValue(f"{name}{where} must lie in [0, 1], got {float(array[tuple(where)])!r}")
        sums = self.transition.sum(axis=2)
        if np.abs(sums - 1.0).max() > 1e-9:
            where = [int(k) for k in np.argwhere(np.abs(sums - 1.0) > 1e-9)[0]]
            raise InvalidValue(f"transition{where} must sum to 1, got {float(sums[tuple(where)])!r}")
        if self.longest < 1 or self.horizon < 1:
            raise InvalidValue(f"longest and horizon must be at least 1, got {self.longest} and {self.horizon}")

    @property
    def states(self) -> int:
        """Number of states S."""
        return int(self.attraction.shape[0])

    @property
    def items(self) -> int:
        """Number of items N."""
        return int(self.attraction.shape[1])

    def solve(self) -> tuple[IntArray, FloatArray]:
        """Return optimal lists int64 [H, S, m] (-1 after the end) and values float64 [H + 1, S]."""
        lists, values = self._arrays()
        kernels.plan(self.attraction, self.reward, self.transition, lists, values)
        return lists, values

    def evaluate(self, lists: IntArray) -> FloatArray:
        """Return the exact values [H + 1, S] of lists int64 [H, S, m].

        Raises:
            InvalidValue: If the shape is wrong, or an item is unknown or twice in a list.
        """
        shape = (self.horizon, self.states, self.longest)
        if lists.shape != shape:
            raise InvalidValue(f"lists must have shape {shape}, got {lists.shape}")
        for place in np.ndindex(*shape[:2]):
            shown = [int(a) for a in lists[place] if a >= 0]
            if len(set(shown)) != len(shown) or any(a >= self.items for a in shown) or lists[place].min() < -1:
                raise InvalidValue(
                    f"lists{list(place)} must hold distinct items 0..{self.items - 1} and -1 after the end, "
                    f"got {lists[place].tolist()}"
                )
        _, values = self._arrays()
        kernels.evaluate(self.attraction, self.reward, self.transition, np.ascontiguousarray(lists, np.int64), values)
        return values

    def _arrays(self) -> tuple[IntArray, FloatArray]:
        return (
            np.full((self.horizon, self.states, self.longest), -1, np.int64),
            np.zeros((self.horizon + 1, self.states)),
        )


def build(settings: CascadingSettings, *, seeds: SeedTree) -> CascadingGame:
    """Draw a random process."""
    s, rng = settings, seeds.generator()
    return CascadingGame(
        rng.uniform(0.0, s.attraction, (s.states, s.items)), rng.random((s.states, s.items)),
        rng.dirichlet(np.ones(s.states), (s.states, s.items + 1)), s.longest, s.horizon,
    )  # fmt: skip
