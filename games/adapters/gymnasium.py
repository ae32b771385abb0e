"""Vector games as Gymnasium vector environments: one agent's view, or the whole team as one agent.

Axes: B worlds, N agents, D observation entries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from equilibria.games.adapters.pettingzoo import action_space
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.errors import GameError, UnknownName, Unsupported, did_you_mean
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray

Others = Callable[[str, AnyArray, np.random.Generator], AnyArray]
"""Role, its observations [B, N, D] and a generator to its actions [B, N] (or [B, N, parts])."""

JOINT = "joint"


class VectorView(VectorEnv):  # type: ignore[misc]
    """B worlds of a vector game behind ``gymnasium.vector``; episodes begin anew in the step that ends them.

    Args:
        world: The game.
        worlds: Number B of worlds.
        agent: Name of the agent to play (see ``world.names()``), or ``"joint"`` for all: observations and actions
            of the agents one after the other, paid their mean.
        others: What the other agents do; ``None`` for uniformly random discrete actions.

    Raises:
        UnknownName: If there is no such agent.
        Unsupported: If others act at random and have no single discrete actions.
    """

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}

    def __init__(self, world: VectorWorld, worlds: int, *, agent: str = JOINT, others: Others | None = None) -> None:
        names = world.names()
        if agent != JOINT and agent not in names:
            raise UnknownName(f"{world.name} has no agent {agent!r}; {did_you_mean(agent, names, 'agent')}")
        specs = [spec for spec in world.roles.values() for _ in range(spec.count)]
        rules = [world.action_rule(role) for role, spec in world.roles.items() for _ in range(spec.count)]
        if others is None and agent != JOINT and any(not s.actions for s in specs) and len(specs) > 1:
            raise Unsupported(f"{world.name}: say what others do; only single discrete actions can be drawn at random")
        self.world, self.num_envs, self._others = world, worlds, others
        self._mine = list(range(len(names))) if agent == JOINT else [names.index(agent)]
        entries = specs[0].observation[0] * len(self._mine)
        self.single_observation_space = Box(*world.bounds, (entries,), np.float32)
        self.single_action_space = _joined([action_space(specs[i], rules[i]) for i in self._mine])
        self._widths = [max(1, sum(specs[i].action_shape)) for i in self._mine]
        self.observation_space = batch_space(self.single_observation_space, worlds)
        self.action_space = batch_space(self.single_action_space, worlds)
        self._joint: AnyArray = np.zeros((worlds, len(names), *world.action_shape), world.action_type)
        self._by_role: dict[str, AnyArray] = {}
        first = 0
        for role, spec in world.roles.items():
            part = self._joint[:, first : first + spec.count]
            self._by_role[role] = part[..., : spec.action_shape[0]] if world.action_shape else part
            first += spec.count
        self._state: WorldState | None = None
        self._node, self._resets = SeedTree(0), 0
        self._rng = np.random.default_rng(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[AnyArray, dict[str, Any]]:
        """Begin fresh episodes in all worlds; world b depends on (seed, b) only.  Returns observations [B, D]."""
        self._resets += 1
        if seed is not None:
            self._node, self._resets = SeedTree(int(seed)), 0
        node = self._node.child("environment", self._resets)
        self._rng = node.child("others").generator()
        self._state = self.world.reset(int(node.key()), self.num_envs)
        return self._seen(self._state.observation), {}

    def step(self, actions: AnyArray) -> tuple[AnyArray, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Play actions; returns observations, rewards, terminations and truncations [B], and infos.

        Where an episode ended, the observation begins the next one and ``infos["final_obs"]`` (objects, see
        ``infos["_final_obs"]`` for where) holds the last one.  The world's ``details`` stand in the infos as arrays
        [B] for one agent, [B, N] for several of a role.

        Raises:
            GameError: Before the first reset.
            IllegalAction: If an action is out of range.
        """
        state = self._state
        if state is None:
            raise GameError(f"{self.world.name}: step() before reset()")
        self._others_play(state)
        given, place = np.asarray(actions).reshape(self.num_envs, -1), 0
        for i, width in zip(self._mine, self._widths, strict=True):
            own = given[:, place : place + width]
            if self.world.action_shape:
                self._joint[:, i, :width] = own
            else:
                self._joint[:, i] = own[:, 0]
            place += width
        self.world.step(state, self._by_role)
        over = state.ended.copy()
        infos: dict[str, Any] = {}
        if over.any():
            final = np.full(self.num_envs, None, dtype=object)
            last = self._seen(state.final_observation)
            for b in np.flatnonzero(over):
                final[b] = last[b]
            infos = {"final_obs": final, "_final_obs": over}
        infos |= self._details(state)
        reward = state.reward[:, self._mine].mean(axis=1)
        ended, cut = self.world.terminated(state).copy(), self.world.truncated(state).copy()
        return self._seen(state.observation), reward, ended, cut, infos

    def _others_play(self, state: WorldState) -> None:
        if len(self._mine) == self.world.agents:
            return
        for role, spec in self.world.roles.items():
            if self._others is not None:
                self._by_role[role][:] = self._others(role, self.world.observe(state, role), self._rng)
                continue
            mask = self.world.action_mask(state, role)
            noise = self._rng.random((self.num_envs, spec.count, spec.actions))
            self._by_role[role][:] = (noise if mask is None else np.where(mask, noise, -1.0)).argmax(axis=-1)

    def _details(self, state: WorldState) -> dict[str, AnyArray]:
        """Return the details of the step that belong to the agents played, and where they hold: everywhere."""
        found: dict[str, AnyArray] = {}
        first = 0
        for role, spec in self.world.roles.items():
            own = [i - first for i in self._mine if first <= i < first + spec.count]
            first += spec.count
            for key, value in self.world.details(state, role).items() if own else ():
                found[key] = value[:, own[0]].copy() if len(own) == 1 else value[:, own]
                found[f"_{key}"] = np.ones(self.num_envs, np.bool_)
        return found

    def _seen(self, observation: AnyArray) -> AnyArray:
        return np.ascontiguousarray(observation[:, self._mine].reshape(self.num_envs, -1))


def _joined(spaces: list[Any]) -> Space[Any]:
    """Return one space for several agents' actions, one after the other."""
    if len(spaces) == 1:
        only: Space[Any] = spaces[0]
        return only
    if isinstance(spaces[0], Box):
        return Box(np.concatenate([s.low for s in spaces]), np.concatenate([s.high for s in spaces]), dtype=np.float32)
    return MultiDiscrete(np.concatenate([[s.n] if isinstance(s, Discrete) else s.nvec for s in spaces]))


def gymnasium_env(world: VectorWorld, worlds: int, *, agent: str = JOINT, others: Others | None = None) -> VectorView:
    """Return B worlds of a vector game as a Gymnasium vector environment; arguments as ``VectorView``.

    Example:
        >>> from equilibria.games.vector import TeamMatrixWorld
        >>> env = gymnasium_env(TeamMatrixWorld.climbing(), 2)
        >>> env.reset(seed=1)[0].shape
        (2, 2)
        >>> env.step(np.array([[0, 0], [2, 2]]))[1].tolist()
        [11.0, 5.0]
    """
    return VectorView(world, worlds, agent=agent, others=others)
