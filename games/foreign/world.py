"""Batches of environments of other libraries, stepped one after the other in Python.

They satisfy the contract of compiled worlds, so every learner runs on them; expect 10^2 to 10^3 times fewer
steps per second.  Python objects cannot be saved: a saved batch holds the seeds of the running episodes and
their actions, and loading plays them again, which is exact for environments that obey their seed.

Axes: B worlds, N agents (roles in order), D observation entries (shorter ones end in zeros), A actions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from equilibria.games.foreign.seats import ParallelSeat, Seat, TurnSeat, acting, entries, seen_space
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.errors import GameError, InvalidValue, Unsupported
from equilibria.sim.types import AnyArray, BoolArray


@dataclass(slots=True)
class ForeignState(WorldState):
    """A batch of environments in progress; ``seats`` holds the Python objects."""

    seats: list[Seat] = field(default_factory=list, repr=False)


class ForeignWorld(VectorWorld):
    """A PettingZoo environment as a vector game.

    Agents are grouped to roles by the letters of their names (``red_0`` and ``red_1`` are two of the role
    ``red``) as long as their spaces agree.  In turn-based environments only the agent to move has a choice;
    all others can only play 0, which does nothing.

    Args:
        make: Makes a fresh environment, parallel or AEC.
        name: Name for messages.
        horizon: Steps after which an episode is cut.

    Raises:
        Unsupported: If actions are of no known kind, or observations have no fixed length.
    """

    def __init__(self, make: Callable[[], Any], *, name: str, horizon: int = 1000) -> None:
        self.name = name  # type: ignore[misc]
        self._make = make
        env = make()
        self._turns = hasattr(env, "agent_iter")
        self._names = _order(env)
        groups = _roles(env, self._names)
        length = max(entries(env.observation_space(agent), agent) for agent in self._names)
        roles = {
            role: Role(count=len(members), observation=(length,), **acting(env.action_space(members[0]), members[0]))
            for role, members in groups.items()
        }
        VectorWorld.__init__(self, roles, horizon=horizon, end="truncated", bounds=_bounds(env, self._names))
        if self._turns and self.action_shape:
            raise Unsupported(f"{name}: turn-based environments need Discrete actions; others cannot be told to wait")
        self._most = max(1, *(role.actions for role in roles.values()))
        env.close()

    def reset(self, key: int, batch: int) -> ForeignState:
        """Return ``batch`` fresh environments; number b depends on (key, b) only."""
        plain = super().reset(key, batch)
        state = ForeignState(**{f.name: getattr(plain, f.name) for f in fields(plain)})
        state.seats = [self._seat() for _ in range(batch)]
        for b in range(batch):
            self._start(state, b)
        return state

    def names(self) -> tuple[str, ...]:
        """Return the environment's own names of the agents, roles in order."""
        return tuple(self._names)

    def active(self, state: WorldState) -> BoolArray:
        """Return [B, N] who is there."""
        return np.asarray(state.own["present"], dtype=np.bool_)

    def action_mask(self, state: WorldState, role: str) -> BoolArray | None:
        """Return [B, N, A] legal actions of a role, ``None`` for actions of several parts."""
        if self.action_shape:
            return None
        mask = state.own["mask"][:, self._slice(role), : self.roles[role].actions]
        return np.asarray(mask, dtype=np.bool_)

    def terminated(self, state: WorldState) -> BoolArray:
        """Return [B] whether the last step ended an episode for good."""
        return np.logical_and(state.ended, np.logical_not(state.own["cut"]))

    def truncated(self, state: WorldState) -> BoolArray:
        """Return [B] whether the last step cut an episode that would have gone on."""
        return np.logical_and(state.ended, state.own["cut"])

    def resume(self, state: WorldState) -> None:
        """Play the running episodes again after their arrays were loaded.

        Raises:
            GameError: If an environment does not come to the same observations: it does not obey its seed.
        """
        assert isinstance(state, ForeignState)
        seen, mask, present = self._blank(state)
        unused = np.zeros(self.agents)
        for b, seat in enumerate(state.seats):
            seat.reset(self._seed(state, b))
            for t in range(int(state.elapsed[b])):
                seat.step(state.own["log"][b, t], unused)
            seat.look(seen[b], mask[b], present[b])
            if not np.array_equal(seen[b], state.observation[b]):
                raise GameError(f"{self.name}: world {b} came out differently when its episode was played again")

    def _seat(self) -> Seat:
        """Return a fresh environment behind arrays."""
        return (TurnSeat if self._turns else ParallelSeat)(self._make(), self._names)

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {
            "episode": np.zeros(batch, np.int64),
            "cut": np.zeros(batch, np.bool_),
            "present": np.zeros((batch, self.agents), np.bool_),
            "mask": np.zeros((batch, self.agents, self._most), np.bool_),
            "log": np.zeros((batch, self.horizon, self.agents, *self.action_shape), self.action_type),
        }

    def _begin(self, state: WorldState) -> None:
        """Episodes begin in ``reset``, when the environments exist."""

    def _advance(self, state: WorldState) -> None:
        assert isinstance(state, ForeignState)
        own = state.own
        for b, seat in enumerate(state.seats):
            own["log"][b, state.elapsed[b]] = state.actions[b]
            seat.step(state.actions[b], state.reward[b])
            state.elapsed[b] += 1
            own["cut"][b] = seat.cut or (not seat.over and state.elapsed[b] >= self.horizon)
            state.ended[b] = seat.over or own["cut"][b]
            if state.ended[b]:
                self._look(state, b, state.final_observation[b])
                own["episode"][b] += 1
                self._start(state, b)
            else:
                self._look(state, b, state.observation[b])

    def _start(self, state: ForeignState, b: int) -> None:
        state.elapsed[b] = 0
        state.seats[b].reset(self._seed(state, b))
        self._look(state, b, state.observation[b])

    def _look(self, state: ForeignState, b: int, observation: AnyArray) -> None:
        observation[:], state.own["mask"][b], state.own["present"][b] = 0.0, False, False
        state.seats[b].look(observation, state.own["mask"][b], state.own["present"][b])

    def _seed(self, state: ForeignState, b: int) -> int:
        sequence = np.random.SeedSequence(int(state.key), spawn_key=(b, int(state.own["episode"][b])))
        return int(sequence.generate_state(1, np.uint32)[0]) >> 1

    def _blank(self, state: ForeignState) -> tuple[AnyArray, BoolArray, BoolArray]:
        return (
            np.zeros_like(state.observation),
            np.zeros(state.own["mask"].shape, np.bool_),
            np.zeros(state.own["present"].shape, np.bool_),
        )


def _order(env: Any) -> list[str]:
    """Return the agents, those of a role side by side."""
    names = [str(name) for name in env.possible_agents]
    if not names:
        raise InvalidValue("the environment has no possible_agents")
    return [name for members in _roles(env, names).values() for name in members]


def _roles(env: Any, names: list[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(re.sub(r"[_-]?\d+$", "", name) or name, []).append(name)
    split: dict[str, list[str]] = {}
    for role, members in groups.items():
        kinds = {(str(env.observation_space(a)), str(env.action_space(a))) for a in members}
        split |= {role: members} if len(kinds) == 1 else {a: [a] for a in members}
    return split


def _bounds(env: Any, names: list[str]) -> tuple[float, float]:
    spaces = [seen_space(env.observation_space(name)) for name in names]
    low = min(float(np.min(getattr(s, "low", 0.0))) for s in spaces)
    high = max(float(np.max(getattr(s, "high", 1.0))) for s in spaces)
    return min(low, 0.0), max(high, 0.0)
