"""What all compiled worlds share: state buffers, checked actions, automatic resets.

Axes: B parallel worlds, N agents of a world over all roles (roles in order), D observation entries.

A step writes into the buffers of the state and returns the same state: no allocation, and whoever keeps
an array across steps must copy it.  When an episode ends, the same step begins the next one: the
observation belongs to the new episode and ``final_observation`` holds the last one of the old.

Random numbers are counter-based: world b at clock c draws ``philox(key, c, b, draw)``, so a world depends
on (key, b) and its own actions, never on the batch size or on threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from equilibria.games.vector.actions import check_parts, check_rule
from equilibria.games.vector.actions import kind as _kind
from equilibria.games.vector.kernels import tally
from equilibria.sim.contract import ActionRule, Role
from equilibria.sim.errors import GameError, IllegalAction, InvalidValue
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

Observations = NDArray[np.float32]
MAX_BATCH = 2**31


@dataclass(slots=True)
class WorldState:
    """A batch of worlds; the arrays are overwritten by every step.

    Attributes:
        key: 64-bit key of the random numbers.
        clock: Steps since ``reset``, over all episodes.
        elapsed: [B] steps done in the present episode.
        own: Arrays of the world's own, by name.
        actions: [B, N] actions of the last step; [B, N, parts] for actions of several parts.
        observation: float32 [B, N, D].
        final_observation: float32 [B, N, D] last observation of the episode that ended most recently.
        reward: [B, N] of the last step.
        ended: [B] whether the last step ended an episode.
        running_return: [B, N] undiscounted return of the present episode.
        episode_return: [B, N] return of the episode that ended most recently, 0 before the first end.
    """

    key: np.uint64
    clock: int
    elapsed: IntArray
    own: dict[str, AnyArray]
    actions: AnyArray
    observation: Observations
    final_observation: Observations
    reward: FloatArray
    ended: BoolArray
    running_return: FloatArray = field(repr=False)
    episode_return: FloatArray = field(repr=False)

    @property
    def batch(self) -> int:
        """Number of worlds B."""
        return len(self.elapsed)


class VectorWorld:
    """Base of compiled worlds; satisfies ``sim.contract.VectorGame``.

    Args:
        roles: Roles by name; all observations of a world have the same length, all actions are of one kind: single
            discrete ones, or [parts] numbers, or [parts] discrete ones (shorter ones leave the last parts unused).
        horizon: Steps of an episode.
        end: ``"terminated"`` when nothing follows the last step, ``"truncated"`` when only the clock ends it.
        bounds: Least and largest entry of an observation.
        check_actions: Check shape, type and range of actions in every step.

    Raises:
        InvalidValue: If the horizon is below 1 or roles have different kinds of actions.

    Attributes:
        action_shape: () for single discrete actions, else [most parts].
        action_type: int64, or float64 for continuous actions.
    """

    backend: ClassVar[Literal["numba", "torch"]] = "numba"
    name: ClassVar[str] = "world"

    def __init__(
        self,
        roles: Mapping[str, Role],
        *,
        horizon: int,
        end: Literal["terminated", "truncated"],
        bounds: tuple[float, float],
        check_actions: bool = True,
    ) -> None:
        if horizon < 1:
            raise InvalidValue(f"{self.name}: horizon must be at least 1 step, got {horizon!r}")
        self.roles = dict(roles)
        self.horizon, self.end, self.bounds, self.check_actions = horizon, end, bounds, check_actions
        self.action_shape, self.action_type = _kind(self.name, self.roles)
        self._slices: dict[str, slice] = {}
        agents = 0
        for role, spec in self.roles.items():
            self._slices[role] = slice(agents, agents + spec.count)
            agents += spec.count
        self.agents = agents

    def reset(self, key: int, batch: int) -> WorldState:
        """Return ``batch`` fresh worlds; world b depends on (key, b) only.

        Raises:
            InvalidValue: If the batch is not in 1..2**31 or the key not in 0..2**64 - 1.
        """
        if not 1 <= batch <= MAX_BATCH:
            raise InvalidValue(f"{self.name}: batch must lie in 1..{MAX_BATCH}, got {batch!r}")
        if not 0 <= int(key) < 2**64:
            raise InvalidValue(f"{self.name}: key must lie in 0..2**64 - 1, got {key!r}")
        size = (batch, self.agents)
        length = next(iter(self.roles.values())).observation[0]
        state = WorldState(
            key=np.uint64(key),
            clock=0,
            elapsed=np.zeros(batch, dtype=np.int64),
            own=self._allocate(batch),
            actions=np.zeros((*size, *self.action_shape), dtype=self.action_type),
            observation=np.zeros((*size, length), dtype=np.float32),
            final_observation=np.zeros((*size, length), dtype=np.float32),
            reward=np.zeros(size),
            ended=np.zeros(batch, dtype=np.bool_),
            running_return=np.zeros(size),
            episode_return=np.zeros(size),
        )
        self._begin(state)
        return state

    def step(self, state: WorldState, actions: Mapping[str, AnyArray]) -> tuple[WorldState, Mapping[str, FloatArray]]:
        """Apply actions [B, N] per role; returns the same state and views of the rewards [B, N] per role.

        Raises:
            IllegalAction: If a role is missing, or shape, type or range of its actions is wrong.
        """
        self._take(state, actions)
        state.clock += 1
        self._advance(state)
        tally(state.reward, state.ended, state.running_return, state.episode_return)
        return state, {role: state.reward[:, part] for role, part in self._slices.items()}

    def observe(self, state: WorldState, role: str) -> Observations:
        """Return the observations float32 [B, N, D] of a role (a view)."""
        return state.observation[:, self._slice(role)]

    def action_mask(self, state: WorldState, role: str) -> BoolArray | None:
        """Return ``None``: all actions are always legal."""
        self._slice(role)
        return None

    def action_rule(self, role: str) -> ActionRule | None:
        """Return ``None``: an action whose parts lie in their ranges is legal."""
        self._slice(role)
        return None

    def details(self, state: WorldState, role: str) -> Mapping[str, AnyArray]:
        """Return what else the last step brought, arrays [B, N, ...] by name: views show them as infos."""
        return {}

    def active(self, state: WorldState) -> BoolArray | None:
        """Return bool [B, N] who is present, or ``None``: everyone always is."""
        return None

    def terminated(self, state: WorldState) -> BoolArray:
        """Return [B] whether the last step ended an episode for good."""
        return state.ended if self.end == "terminated" else np.zeros_like(state.ended)

    def truncated(self, state: WorldState) -> BoolArray:
        """Return [B] whether the last step cut an episode that would have gone on."""
        return state.ended if self.end == "truncated" else np.zeros_like(state.ended)

    def resume(self, state: WorldState) -> None:
        """Rebuild what arrays cannot hold after ``load_worlds``; compiled worlds have nothing of the kind."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all agents, roles in order: ``role_i``, or ``role`` for a role of one."""
        return tuple(
            role if spec.count == 1 else f"{role}_{i}" for role, spec in self.roles.items() for i in range(spec.count)
        )

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        """Return the arrays of the world's own."""
        raise NotImplementedError

    def _begin(self, state: WorldState) -> None:
        """Draw the first episode of every world and write the observations."""
        raise NotImplementedError

    def _advance(self, state: WorldState) -> None:
        """Step, pay, write observations; end and begin episodes."""
        raise NotImplementedError

    def _slice(self, role: str) -> slice:
        if role not in self._slices:
            raise GameError(f"{self.name} has no role {role!r}; it has {', '.join(self._slices)}")
        return self._slices[role]

    def _take(self, state: WorldState, actions: Mapping[str, AnyArray]) -> None:
        for role, part in self._slices.items():
            if role not in actions:
                raise IllegalAction(f"{self.name}: no actions for role {role!r}")
            given = np.asarray(actions[role])
            if self.check_actions:
                self._check(role, given, state.batch)
            if self.action_shape:
                state.actions[:, part, : self.roles[role].action_shape[0]] = given
            else:
                state.actions[:, part] = given

    def _check(self, role: str, given: AnyArray, batch: int) -> None:
        spec = self.roles[role]
        if self.action_shape:
            check_parts(self.name, role, spec, given, batch)
            rule = self.action_rule(role)
            if rule is not None:
                check_rule(self.name, role, rule, given)
            return
        if given.shape != (batch, spec.count) or not np.issubdtype(given.dtype, np.integer):
            raise IllegalAction(
                f"{self.name}: actions of role {role!r} must be integers of shape ({batch}, {spec.count}), "
                f"got {given.dtype} {given.shape}"
            )
        values: NDArray[np.integer[Any]] = given  # type: ignore[assignment]
        if values.min() < 0 or values.max() >= spec.actions:
            world, agent = (int(x) for x in np.argwhere((values < 0) | (values >= spec.actions))[0])
            raise IllegalAction(
                f"{self.name}: action of {role} {agent} in world {world} must lie in 0..{spec.actions - 1}, "
                f"got {int(values[world, agent])}"
            )
