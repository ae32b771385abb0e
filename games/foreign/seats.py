"""One environment of another library behind arrays: N agents in a fixed order, D entries, A actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space
from gymnasium.spaces.utils import flatdim, flatten

from equilibria.sim.errors import Unsupported
from equilibria.sim.types import AnyArray, BoolArray, FloatArray


class Seat(Protocol):
    """One environment in progress.

    Attributes:
        over: Whether the episode has ended.
        cut: Whether it ended by a limit of time only.
    """

    over: bool
    cut: bool

    def reset(self, seed: int) -> None:
        """Begin an episode that the seed fixes."""
        ...

    def look(self, observation: AnyArray, mask: BoolArray, present: BoolArray) -> None:
        """Write observations [N, D], legal actions [N, A] and who is there [N]."""
        ...

    def step(self, actions: AnyArray, reward: FloatArray) -> None:
        """Play actions [N] or [N, parts]; write rewards [N]."""
        ...


def seen_space(space: Any) -> Any:
    """Return the space of the observation itself, without the mask that some environments put beside it."""
    if isinstance(space, Dict) and "observation" in space.spaces:
        return space.spaces["observation"]
    return space


def entries(space: Space[Any], agent: str) -> int:
    """Return the length of a flattened observation.

    Raises:
        Unsupported: If the space has no fixed length.
    """
    try:
        return int(flatdim(seen_space(space)))
    except (NotImplementedError, ValueError) as error:
        raise Unsupported(f"observations of {agent!r} have no fixed length: {space}") from error


def acting(space: Space[Any], agent: str) -> dict[str, Any]:
    """Return what a ``Role`` says of actions in this space.

    Raises:
        Unsupported: If the space is none of Discrete, MultiDiscrete, MultiBinary and Box of floating-point numbers,
            or its options do not begin at 0.
    """
    if isinstance(space, Discrete) and int(space.start) == 0:
        return {"actions": int(space.n)}
    if isinstance(space, MultiBinary):
        parts = int(np.prod(space.shape))
        return {"actions": 0, "action_shape": (parts,), "choices": (2,) * parts}
    if isinstance(space, MultiDiscrete) and not np.any(space.start):
        options = tuple(int(n) for n in space.nvec.ravel())
        return {"actions": 0, "action_shape": (len(options),), "choices": options}
    if isinstance(space, Box) and np.issubdtype(space.dtype, np.floating) and space.low.size:
        low, high = (tuple(float(x) for x in bound.ravel()) for bound in (space.low, space.high))
        return {"actions": 0, "action_shape": (len(low),), "low": low, "high": high}
    raise Unsupported(
        f"actions of {agent!r} must be Discrete or MultiDiscrete beginning at 0, MultiBinary, or a Box of floating-point "
        f"numbers, got {space}"
    )


def played(space: Space[Any], action: AnyArray) -> Any:
    """Return an agent's row of the joint actions as its environment takes it; numbers are clipped to the bounds."""
    if isinstance(space, Discrete):
        return int(action)
    flat = action[: int(np.prod(space.shape))]
    if isinstance(space, Box):
        flat = np.clip(flat, space.low.ravel(), space.high.ravel())
    return flat.astype(space.dtype).reshape(space.shape)


class _Eye:
    """Flattening of what the agents of one environment see."""

    def __init__(self, env: Any, agents: Sequence[str]) -> None:
        self.spaces = [seen_space(env.observation_space(agent)) for agent in agents]
        self.counts = [int(acting(env.action_space(agent), agent)["actions"]) for agent in agents]

    def write(self, i: int, seen: Any, info: Any, observation: AnyArray, mask: BoolArray) -> None:
        """Write row i; actions without a mask are all legal."""
        legal = info.get("action_mask") if isinstance(info, dict) else None
        if isinstance(seen, dict) and "observation" in seen:
            legal = seen.get("action_mask", legal)
            seen = seen["observation"]
        space = self.spaces[i]
        flat = np.asarray(seen).reshape(-1) if isinstance(space, Box) else flatten(space, seen)
        observation[i, : len(flat)] = flat
        mask[i, : self.counts[i]] = True if legal is None else np.asarray(legal).astype(np.bool_)


class ParallelSeat:
    """A PettingZoo parallel environment."""

    def __init__(self, env: Any, agents: Sequence[str]) -> None:
        self.env, self.agents, self._eye = env, list(agents), _Eye(env, agents)
        self.over = self.cut = False
        self._seen: dict[str, Any] = {}
        self._infos: dict[str, Any] = {}

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self._seen, self._infos = self.env.reset(seed=seed)
        self.over = self.cut = False

    def look(self, observation: AnyArray, mask: BoolArray, present: BoolArray) -> None:
        """Write what is seen; rows of absent agents are zero and their action 0 is legal."""
        there = set(self.env.agents) or set(self._seen)  # the last look of an episode shows everybody in it
        for i, agent in enumerate(self.agents):
            present[i] = agent in there
            if present[i] and agent in self._seen:
                self._eye.write(i, self._seen[agent], self._infos.get(agent), observation, mask)
            else:
                mask[i, 0] = True

    def step(self, actions: AnyArray, reward: FloatArray) -> None:
        """Play the actions of those who are there."""
        there = set(self.env.agents)
        chosen = {
            agent: played(self.env.action_space(agent), a)
            for agent, a in zip(self.agents, actions, strict=True)
            if agent in there
        }
        self._seen, paid, ended, cut, self._infos = self.env.step(chosen)
        reward[:] = [float(paid.get(agent, 0.0)) for agent in self.agents]
        self.over = not self.env.agents or all(ended[a] or cut[a] for a in ended)
        self.cut = self.over and any(cut.values())


class TurnSeat:
    """A PettingZoo AEC environment: one move per step; who is not to move can only play 0, which does nothing."""

    def __init__(self, env: Any, agents: Sequence[str]) -> None:
        self.env, self.agents, self._eye = env, list(agents), _Eye(env, agents)
        self.over = self.cut = False

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self.env.reset(seed=seed)
        self.over = self.cut = False

    def look(self, observation: AnyArray, mask: BoolArray, present: BoolArray) -> None:
        """Write what is seen; nobody has a choice but the agent to move."""
        env = self.env
        for i, agent in enumerate(self.agents):
            present[i] = self.over or agent in env.agents
            if not present[i] or (self.over and agent not in env.infos):
                mask[i, 0] = True
                continue
            self._eye.write(i, env.observe(agent), env.infos.get(agent), observation, mask)
            if self.over or agent != env.agent_selection:
                mask[i] = False
                mask[i, 0] = True

    def step(self, actions: AnyArray, reward: FloatArray) -> None:
        """Play the move of the agent whose turn it is; everybody is paid at once."""
        env = self.env
        mover = env.agent_selection
        env.step(int(actions[self.agents.index(mover)]))
        reward[:] = [float(env.rewards.get(agent, 0.0)) for agent in self.agents]
        self.over = all(env.terminations[a] or env.truncations[a] for a in env.agents)
        self.cut = self.over and any(env.truncations.values())
        while not self.over and (env.terminations[env.agent_selection] or env.truncations[env.agent_selection]):
            env.step(None)
