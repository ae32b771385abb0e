"""Vector games as PettingZoo environments: one world behind the parallel or the turn-based interface.

Everything handed out is a copy.  Without a seed, ``reset`` goes on with the next episode of the last
seed (of seed 0 at first): there is no hidden randomness.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from equilibria.games.adapters.spaces import refusal, ruled_space
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import ActionRule, Role
from equilibria.sim.errors import GameError, IllegalAction
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray


def action_space(spec: Role, rule: ActionRule | None = None) -> Space[Any]:
    """Return the space of one action of a role; with a rule, the space holds and draws legal actions only."""
    if rule is not None:
        return ruled_space(spec, rule)
    if spec.actions:
        return Discrete(spec.actions)
    if spec.choices:
        return MultiDiscrete(spec.choices)
    low = np.array(spec.low or [-np.inf] * spec.action_shape[0], np.float32)
    high = np.array(spec.high or [np.inf] * spec.action_shape[0], np.float32)
    return Box(low, high, spec.action_shape, np.float32)


class ParallelView(ParallelEnv):  # type: ignore[misc]
    """A vector game of one world as a PettingZoo parallel environment.

    Args:
        world: The game; several views may share it.

    Attributes:
        possible_agents: Names of the agents.
        agents: Agents of the running episode, empty when it is over.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "equilibria_v0", "render_modes": [], "is_parallelizable": True}
    render_mode = None

    def __init__(self, world: VectorWorld) -> None:
        self.world = world
        self.metadata = {**type(self).metadata, "name": f"{world.name}_v0"}  # type: ignore[misc]
        self.possible_agents = list(world.names())
        self.agents: list[str] = []
        low, high = world.bounds
        self._places: dict[str, tuple[str, int]] = {}
        self._observation_spaces: dict[str, Any] = {}
        self._action_spaces: dict[str, Any] = {}
        names = iter(self.possible_agents)
        for role, spec in world.roles.items():
            for i in range(spec.count):
                name = next(names)
                self._places[name] = (role, i)
                self._observation_spaces[name] = Box(low, high, spec.observation, np.float32)
                self._action_spaces[name] = action_space(spec, world.action_rule(role))
        self._actions: dict[str, AnyArray] = {
            role: np.zeros((1, spec.count, *spec.action_shape), dtype=world.action_type)
            for role, spec in world.roles.items()
        }
        self._state: WorldState | None = None
        self._seed, self._episode = 0, 0

    def observation_space(self, agent: str) -> Any:
        """Return the space of an agent, the same object every time."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """Return the space of an agent, the same object every time."""
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, AnyArray], dict[str, dict[str, Any]]]:
        """Begin an episode; returns observations and infos by agent.

        Raises:
            InvalidValue: If the seed is negative.
        """
        if seed is None:
            self._episode += 1
        else:
            self._seed, self._episode = int(seed), 0
        key = SeedTree(self._seed).child("environment", self._episode).key()
        self._state = self.world.reset(int(key), 1)
        self.agents = list(self.possible_agents)
        return self._look(self._state.observation), self._infos(self._state)

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Apply one action per agent; returns observations, rewards, terminations, truncations and infos.

        Infos hold the world's ``details`` of the step, and action masks where it has some.

        Raises:
            GameError: Before the first reset, or after the end of an episode.
            IllegalAction: If an agent has no action or an illegal one, or an action is nobody's.
        """
        state = self._state
        if state is None:
            raise GameError(f"{self.world.name}: step() before reset()")
        if not self.agents:
            if actions:
                raise GameError(f"{self.world.name}: the episode is over; call reset() before step()")
            return {}, {}, {}, {}, {}
        self._collect(actions)
        self.world.step(state, self._actions)
        over = bool(state.ended[0])
        observations = self._look(state.final_observation if over else state.observation)
        rewards = dict(zip(self.agents, state.reward[0].tolist(), strict=True))
        ended = dict.fromkeys(self.agents, bool(self.world.terminated(state)[0]))
        cut = dict.fromkeys(self.agents, bool(self.world.truncated(state)[0]))
        infos = self._infos(state)
        for name, (role, i) in self._places.items():
            infos[name] |= {key: value[0, i].tolist() for key, value in self.world.details(state, role).items()}
        if over:
            self.agents = []
        return observations, rewards, ended, cut, infos

    def _collect(self, actions: dict[str, Any]) -> None:
        if actions.keys() != self._places.keys():
            wrong = sorted(self._places.keys() ^ actions.keys())
            raise IllegalAction(
                f"{self.world.name}: need one action for each of {', '.join(self.agents)}; check {', '.join(wrong)}"
            )
        for name, action in actions.items():
            role, i = self._places[name]
            space = self._action_spaces[name]
            if not space.contains(action):
                spec = self.world.roles[role]
                wanted = f"an integer in 0..{spec.actions - 1}" if spec.actions else f"in {space}"
                why = refusal(space, action) or f"must be {wanted}"
                raise IllegalAction(f"{self.world.name}: action of {name} {why}, got {action!r}")
            self._actions[role][0, i] = action

    def _look(self, observation: AnyArray) -> dict[str, AnyArray]:
        return dict(zip(self.agents, observation[0].copy(), strict=True))

    def _infos(self, state: WorldState) -> dict[str, dict[str, Any]]:
        infos: dict[str, dict[str, Any]] = {name: {} for name in self.agents}
        for role in self.world.roles:
            mask = self.world.action_mask(state, role)
            if mask is not None:
                for name, (own, i) in self._places.items():
                    if own == role:
                        infos[name]["action_mask"] = mask[0, i].astype(np.int8)
        return infos


def parallel_env(world: VectorWorld) -> ParallelView:
    """Return a vector game as a PettingZoo parallel environment.

    Example:
        >>> from equilibria.games.vector import TeamMatrixWorld
        >>> env = parallel_env(TeamMatrixWorld.climbing())
        >>> observations, infos = env.reset(seed=1)
        >>> env.step({"player_0": 0, "player_1": 0})[1]
        {'player_0': 11.0, 'player_1': 11.0}
    """
    return ParallelView(world)


def aec_env(world: VectorWorld) -> AECEnv:
    """Return a vector game as a PettingZoo turn-based environment; agents move in order, then all are paid."""
    return parallel_to_aec(parallel_env(world))
