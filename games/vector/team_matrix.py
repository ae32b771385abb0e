"""Common-payoff matrix games (climbing, penalty, any tensor) as a batch of worlds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.vector import kernels
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.payoffs import check_payoff, climbing_payoff, penalty_payoff
from equilibria.sim.contract import Role
from equilibria.sim.types import AnyArray


class TeamMatrixWorld(VectorWorld):
    """A matrix game in which all players earn the same; observation: a constant 1.

    Args:
        payoff: [A_0, ..., A_{n-1}] team payoff.
        horizon: Plays of an episode.
        check_actions: Check actions in every step.

    Example:
        >>> TeamMatrixWorld.climbing().names()
        ('player_0', 'player_1')
    """

    name = "team_matrix"

    def __init__(self, payoff: ArrayLike, *, horizon: int = 1, check_actions: bool = True) -> None:
        table = check_payoff(np.asarray(payoff, dtype=np.float64))
        self.payoff = table
        roles = {f"player_{i}": Role(count=1, observation=(1,), actions=a) for i, a in enumerate(table.shape)}
        super().__init__(roles, horizon=horizon, end="terminated", bounds=(0.0, 1.0), check_actions=check_actions)
        self._flat = table.ravel()
        self._strides = np.array([s // table.itemsize for s in table.strides], dtype=np.int64)

    @classmethod
    def climbing(cls) -> TeamMatrixWorld:
        """Return the climbing game."""
        return cls(climbing_payoff())

    @classmethod
    def penalty(cls, k: float = -10.0) -> TeamMatrixWorld:
        """Return the penalty game with penalty ``k`` <= 0."""
        return cls(penalty_payoff(k))

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {}

    def _begin(self, state: WorldState) -> None:
        state.observation[:] = 1.0

    def _advance(self, state: WorldState) -> None:
        kernels.matrix_advance(
            self.horizon, self._flat, self._strides, state.elapsed, state.actions, state.reward, state.ended
        )
