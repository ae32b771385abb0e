"""The coordination game as a batch of sampled worlds.

Every agent sets its own bit, which flips with a small probability.  Many zeros pay 3, many ones pay 2,
narrow majorities pay 1 (ones) or 0 (zeros): the way from all ones to all zeros leads through a valley.

Source: Chen and Zhang (2023), Context-Aware Bayesian Network Actor-Critic, arXiv 2306.01920, and its code.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.vector import kernels
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.payoffs import check_noise, reward_by_ones
from equilibria.sim.contract import Role
from equilibria.sim.types import AnyArray


class CoordinationWorld(VectorWorld):
    """Coordination game; observation: all n bits, action: the wanted own bit, reward: that of the next state.

    Args:
        agents: n >= 2.
        noise: Probability eps in [0, 1/2] that a bit flips.
        margin: Largest majority that counts as narrow; ``None`` for the published 1, 1, 2, 3 at n = 2, 3, 5, 10.
        horizon: Steps of an episode.
        check_actions: Check actions in every step.
    """

    name = "coordination"

    def __init__(
        self,
        agents: int = 3,
        *,
        noise: float = 0.1,
        margin: int | None = None,
        horizon: int = 25,
        check_actions: bool = True,
    ) -> None:
        self.table, self.margin = reward_by_ones(agents, margin), margin
        self.noise = check_noise(noise)
        role = Role(count=agents, observation=(agents,), actions=2)
        super().__init__(
            {"agent": role}, horizon=horizon, end="truncated", bounds=(0.0, 1.0), check_actions=check_actions
        )
        self._threshold = np.uint64(round(noise * 2**32))

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {"bits": np.zeros((batch, self.agents), dtype=np.int64)}

    def _begin(self, state: WorldState) -> None:
        kernels.coordination_begin(state.key, state.clock, state.own["bits"], state.observation)

    def _advance(self, state: WorldState) -> None:
        kernels.coordination_advance(
            state.key, state.clock, self.horizon, self._threshold, self.table, state.elapsed, state.own["bits"],
            state.actions, state.reward, state.observation, state.final_observation, state.ended,
        )  # fmt: skip
