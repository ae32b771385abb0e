"""What PettingZoo views of worlds that are no vector games share: spaces, the sequence of episodes, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, Space
from pettingzoo import ParallelEnv

from equilibria.sim.errors import GameError, IllegalAction
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray

Stepped = tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]
"""Observations, rewards, terminations, truncations and infos by agent."""


class MaskedDiscrete(Discrete):  # type: ignore[misc]
    """Options of which only some are allowed at present; samples are always allowed ones.

    PettingZoo's tests draw from the space without looking at masks.

    Attributes:
        allowed: int8 [n], 1 for an allowed option; whoever owns the space keeps it up to date.
    """

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.allowed = np.ones(n, np.int8)

    def sample(self, mask: AnyArray | None = None, probability: AnyArray | None = None) -> Any:
        """Draw an option allowed by a mask, by default the present one."""
        if mask is None and probability is None:
            mask = self.allowed
        return super().sample(mask=mask, probability=probability)


class EpisodicView(ParallelEnv):  # type: ignore[misc]
    """Base of views; subclasses write ``reset`` and ``step``.

    Args:
        name: Registry name of the game.
        seen: Observation space by agent, in the agents' order.
        acts: Action space by agent.
        seeds: Source of everything random until ``reset`` is given a seed.

    Attributes:
        possible_agents: Names of the agents.
        agents: Agents of the running episode, empty when it is over.
    """

    render_mode = None

    def __init__(
        self, name: str, seen: Mapping[str, Space[Any]], acts: Mapping[str, Space[Any]], seeds: SeedTree
    ) -> None:
        self.name = name
        self.metadata = {"name": f"{name}_v0", "render_modes": [], "is_parallelizable": True}
        self.possible_agents = list(seen)
        self.agents: list[str] = []
        self._seen, self._acts = dict(seen), dict(acts)
        self._seeds, self._episode = seeds, -1

    def observation_space(self, agent: str) -> Space[Any]:
        """Return the space of an agent, the same object every time."""
        return self._seen[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Return the space of an agent, the same object every time."""
        return self._acts[agent]

    def _begin(self, seed: int | None) -> None:
        """Move to episode 0 of a seed, or to the next episode of the last one; all agents are alive.

        Raises:
            InvalidValue: If the seed is negative.
        """
        if seed is None:
            self._episode += 1
        else:
            self._seeds, self._episode = SeedTree(int(seed)), 0
        self.agents = list(self.possible_agents)

    def _refuse(self, actions: Mapping[str, Any]) -> None:
        """Refuse actions that the view cannot take.

        Raises:
            GameError: Before the first reset, or after the end of an episode.
            IllegalAction: If an agent has no action or one outside its space, or an action is nobody's.
        """
        if self._episode < 0:
            raise GameError(f"{self.name}: step() before reset()")
        if not self.agents:
            raise GameError(f"{self.name}: the episode is over; call reset() before step()")
        if actions.keys() != set(self.agents):
            wrong = sorted(set(self.agents) ^ actions.keys())
            raise IllegalAction(
                f"{self.name}: need one action for each of {', '.join(self.agents)}; check {', '.join(wrong)}"
            )
        for agent, action in actions.items():
            if not self._acts[agent].contains(action):
                raise IllegalAction(f"{self.name}: action of {agent} must be in {self._acts[agent]}, got {action!r}")
