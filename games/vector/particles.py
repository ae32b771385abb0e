"""Population-varying particle worlds: the same task for any number N >= 2 of agents.

Resource occupation: agents stand on resources of different sizes.  Treasure collection: agents gather
treasures that appear elsewhere and avoid bumping into each other.

An observation has 4 + W (N - 1) + 3 L entries, W = 4 + 3 L: own velocity and position, for each other agent
in index order its relative position, its velocity and its view of all L sites (relative position, size), and
the own view of the sites.

Source: Zhang, Shen, Han, Shen (2021), Learning Meta Representations for Agents in Multi-Agent Reinforcement
Learning, arXiv 2108.12988, and its code (resource occupation).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from equilibria.games.vector import particle_kernels as kernels
from equilibria.games.vector.base import Observations, VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray, FloatArray

Reward = Literal["team", "individual", "difference"]
MODES: dict[str, int] = {"team": 0, "individual": 1, "difference": 2}
MAX_AGENTS = 128


def self_width(sites: int) -> int:
    """Return the length 4 + 3 L of what an agent sees of itself, which is also that of what it sees of another."""
    return 4 + 3 * sites


def own_rows(observation: Observations, sites: int) -> Observations:
    """Return velocity, position and view of the sites, float32 [..., N, 4 + 3 L], of observations [..., N, D].

    These rows hold everything the full observations hold: what i sees of j is j's row with the place of j
    relative to i.
    """
    return np.concatenate([observation[..., :4], observation[..., -3 * sites :]], axis=-1)


class ParticleWorld(VectorWorld):
    """What both worlds share; actions: 0 nothing, 1 right, 2 left, 3 up, 4 down.

    Args:
        agents: N in 2..128.
        sizes: [L] radii of the sites.
        worth: [L] what an occupied or collected site pays.
        reward: ``"team"`` pays every agent the team's sum, ``"individual"`` its share, ``"difference"`` what
            the team would lose if the agent were absent.
        horizon: Steps of an episode, truncated after that.
        check_actions: Check actions in every step.

    Attributes:
        sizes: [L].
        sites: Number of sites L.

    Raises:
        InvalidValue: If a number is out of range.
    """

    def __init__(
        self, agents: int, *, sizes: FloatArray, worth: FloatArray, reward: Reward, horizon: int, check_actions: bool
    ) -> None:
        if not 2 <= agents <= MAX_AGENTS:
            raise InvalidValue(f"{self.name}: agents must lie in 2..{MAX_AGENTS} (others are needed), got {agents!r}")
        if reward not in MODES:
            raise InvalidValue(f"{self.name}: reward must be one of {', '.join(MODES)}, got {reward!r}")
        self.sizes, self.sites, self.reward = sizes, len(sizes), reward
        self._worth, self._mode = worth, MODES[reward]
        width = self_width(self.sites)
        role = Role(count=agents, observation=(width * agents + 3 * self.sites - (width - 4),), actions=5)
        super().__init__(
            {"agent": role},
            horizon=horizon,
            end="truncated",
            bounds=(-math.inf, math.inf),
            check_actions=check_actions,
        )

    def team_reward(self, state: WorldState) -> FloatArray:
        """Return the team's reward [B] of the last step, whatever agents are paid (a view)."""
        return state.own["team"]  # type: ignore[return-value]

    def rows(self, state: WorldState) -> Observations:
        """Return what agents see of themselves, float32 [B, N, 4 + 3 L]; see ``own_rows``."""
        return own_rows(state.observation, self.sites)

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        n = self.agents
        return {
            "position": np.zeros((batch, n, 2)),
            "velocity": np.zeros((batch, n, 2)),
            "site": np.zeros((batch, self.sites, 2)),
            "team": np.zeros(batch),
            "force": np.zeros((n, 2)),
            "count": np.zeros(self.sites, dtype=np.int64),
            "single": np.zeros(self.sites, dtype=np.int64),
        }

    def _begin(self, state: WorldState) -> None:
        own = state.own
        kernels.begin(
            state.key, state.clock, own["position"], own["velocity"], own["site"], self.sizes, state.observation
        )


class ResourceOccupation(ParticleWorld):
    """Agents occupy six resources of radius 0.05, 0.10, ... 0.30; an occupied one pays the team 10 times its radius.

    Observation [22 N]; 20 steps.

    Args:
        agents: N in 2..128.
        reward: As in ``ParticleWorld``.
        resources: L >= 1; resource j has radius 0.05 (j + 1).
        horizon: Steps of an episode.
        check_actions: Check actions in every step.

    Example:
        >>> ResourceOccupation(6).roles["agent"].observation
        (132,)
    """

    name = "resource_occupation"

    def __init__(
        self,
        agents: int = 6,
        *,
        reward: Reward = "team",
        resources: int = 6,
        horizon: int = 20,
        check_actions: bool = True,
    ) -> None:
        if not 1 <= resources <= 20:
            raise InvalidValue(f"resources must lie in 1..20, got {resources!r}")
        sizes: FloatArray = np.array([0.05 * (j + 1) for j in range(resources)])
        super().__init__(
            agents, sizes=sizes, worth=10.0 * sizes, reward=reward, horizon=horizon, check_actions=check_actions
        )

    def _advance(self, state: WorldState) -> None:
        own = state.own
        kernels.occupation_advance(
            state.key, state.clock, self.horizon, self._mode, state.elapsed, own["position"], own["velocity"],
            own["site"], self.sizes, self._worth, own["force"], own["count"], own["single"], own["team"],
            state.actions, state.reward, state.observation, state.final_observation, state.ended,
        )  # fmt: skip


class TreasureCollection(ParticleWorld):
    """Agents gather six treasures (+1 for the team) that appear elsewhere at once; two that touch cost the team 0.1.

    Observation [22 N]; 50 steps.  The world is of our own making, with the interface of resource occupation.

    Args:
        agents: N in 2..128.
        reward: As in ``ParticleWorld``; a treasure that several take at once pays each its share.
        treasures: L >= 1, all of radius 0.05.
        penalty: Cost >= 0 per colliding pair and step.
        horizon: Steps of an episode.
        check_actions: Check actions in every step.
    """

    name = "treasure_collection"

    def __init__(
        self,
        agents: int = 6,
        *,
        reward: Reward = "team",
        treasures: int = 6,
        penalty: float = 0.1,
        horizon: int = 50,
        check_actions: bool = True,
    ) -> None:
        if not 1 <= treasures <= 20:
            raise InvalidValue(f"treasures must lie in 1..20, got {treasures!r}")
        if not (math.isfinite(penalty) and penalty >= 0):
            raise InvalidValue(f"penalty must be finite and >= 0, got {penalty!r}")
        sizes = np.full(treasures, 0.05)
        super().__init__(
            agents, sizes=sizes, worth=np.ones(treasures), reward=reward, horizon=horizon, check_actions=check_actions
        )
        self.penalty = penalty

    def _advance(self, state: WorldState) -> None:
        own = state.own
        kernels.treasure_advance(
            state.key, state.clock, self.horizon, self._mode, self.penalty, state.elapsed, own["position"],
            own["velocity"], own["site"], self.sizes, self._worth, own["force"], own["count"], own["single"],
            own["team"], state.actions, state.reward, state.observation, state.final_observation, state.ended,
        )  # fmt: skip
