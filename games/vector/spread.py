"""Cooperative navigation: N particles cover N landmarks without bumping into each other.

Dynamics and rewards are those of ``simple_spread_v3`` of mpe2 1.1.1 (not those of the original MPE, which
pays the sum over agents and counts every agent as colliding with itself).

Source: Lowe et al. (2017), Multi-agent actor-critic for mixed environments, arXiv 1706.02275; mpe2 1.1.1.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.vector import kernels
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray


class SimpleSpread(VectorWorld):
    """Simple spread; actions: 0 nothing, 1 left, 2 right, 3 down, 4 up.

    Observation [6 N]: own velocity, own position, landmarks and other agents relative to oneself, and
    2 (N - 1) zeros where mpe2 has messages.

    Args:
        agents: N >= 1, also the number of landmarks.
        local_ratio: Weight in [0, 1] of the own collisions against the common distance term.
        horizon: Steps of an episode.
        check_actions: Check actions in every step.
    """

    name = "simple_spread"

    def __init__(
        self, agents: int = 3, *, local_ratio: float = 0.5, horizon: int = 25, check_actions: bool = True
    ) -> None:
        if not 1 <= agents <= 1000:
            raise InvalidValue(f"agents must lie in 1..1000, got {agents!r}")
        if not 0 <= local_ratio <= 1:
            raise InvalidValue(f"local_ratio must lie in [0, 1], got {local_ratio!r}")
        role = Role(count=agents, observation=(6 * agents,), actions=5)
        super().__init__(
            {"agent": role},
            horizon=horizon,
            end="truncated",
            bounds=(-math.inf, math.inf),
            check_actions=check_actions,
        )
        self.local_ratio = local_ratio

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        size = (batch, self.agents, 2)
        names = ("position", "velocity", "landmark")
        return {**{name: np.zeros(size) for name in names}, "force": np.zeros((self.agents, 2))}

    def _begin(self, state: WorldState) -> None:
        own = state.own
        kernels.spread_begin(
            state.key, state.clock, own["position"], own["velocity"], own["landmark"], state.observation
        )

    def _advance(self, state: WorldState) -> None:
        own = state.own
        kernels.spread_advance(
            state.key, state.clock, self.horizon, self.local_ratio, state.elapsed, own["position"], own["velocity"],
            own["landmark"], own["force"], state.actions, state.reward, state.observation, state.final_observation,
            state.ended,
        )  # fmt: skip
