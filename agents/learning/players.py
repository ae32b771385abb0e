"""Players that act in worlds without learning: frozen policies and rules.

Axes: B worlds, n agents of the player.
"""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np

from equilibria.agents.learning.batches import Context
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.learning.tensors import context_from, context_state, generator_from, generator_state, renewed
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.contract import Agent, State
from equilibria.sim.types import AnyArray, BoolArray, IntArray


class Player(Protocol):
    """Who acts for some agents of a batch of worlds."""

    def begin(self, worlds: int) -> None:
        """Begin fresh episodes in all worlds."""
        ...

    def act(self, obs: torch.Tensor, mask: torch.Tensor | None) -> AnyArray:
        """Return actions [B, n], or [B, n, parts], for observations float32 [B, n, D] and masks bool [B, n, A]."""
        ...

    def ended(self, over: BoolArray) -> None:
        """Take note that episodes [B] ended and new ones began."""
        ...

    def copy(self) -> Player:
        """Return an independent player that acts alike."""
        ...

    def save(self) -> State:
        """Return everything needed to go on bit-identically, weights excluded."""
        ...

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        ...


class FrozenPlayer:
    """A joint policy that no longer learns.

    Args:
        policy: The policy; ``copied`` keeps a copy, so that later training does not change the player.
        key: Seed of its own random numbers, 0..2**63 - 1.
        greedy: Choose the likeliest actions.
        copied: Copy the policy.
    """

    def __init__(self, policy: JointPolicy, key: int, *, greedy: bool = False, copied: bool = True) -> None:
        self.policy = copy.deepcopy(policy) if copied else policy
        self._greedy = greedy
        self._generator = torch.Generator().manual_seed(int(key))
        self._context: Context = {}
        self._worlds = 0

    def begin(self, worlds: int) -> None:
        """Begin fresh episodes in all worlds."""
        self._worlds = worlds
        self._context = self.policy.begin(worlds, self._generator)

    def act(self, obs: torch.Tensor, mask: torch.Tensor | None) -> AnyArray:
        """Return actions [B, n]."""
        with torch.inference_mode():
            action = self.policy.act(obs, mask, self._context, self._generator, greedy=self._greedy)
        self._context = action.context
        return action.actions.numpy()

    def ended(self, over: BoolArray) -> None:
        """Renew the context of ended worlds."""
        self._context = renewed(self.policy, self._context, over, self._generator)

    def copy(self) -> FrozenPlayer:
        """Return an independent player with a copy of the policy."""
        twin = FrozenPlayer(self.policy, 0, greedy=self._greedy)
        twin._generator.set_state(self._generator.get_state())
        return twin

    def save(self) -> State:
        """Return generator and context."""
        return generator_state(self._generator).merged(context_state(self._context))

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        generator_from(self._generator, state)
        self._context = context_from(state)


class AgentPlayer:
    """A rule (``sim.contract.Agent``), called with all its agents' observations as one batch.

    Args:
        agent: The rule; it gets observations [B * n, D], masks [B * n, A] and a generator.
        rng: Source of its random numbers.
    """

    def __init__(self, agent: Agent, rng: np.random.Generator) -> None:
        self._agent, self._rng = agent, rng

    def begin(self, worlds: int) -> None:
        """Do nothing: rules have no memory."""

    def act(self, obs: torch.Tensor, mask: torch.Tensor | None) -> AnyArray:
        """Return actions [B, n]."""
        worlds, agents = obs.shape[:2]
        allowed = None if mask is None else mask.flatten(0, 1).numpy()
        chosen = self._agent.act(obs.flatten(0, 1).numpy(), allowed, self._rng)
        found = np.asarray(chosen)
        return found.reshape(worlds, agents, *found.shape[1:])

    def ended(self, over: BoolArray) -> None:
        """Do nothing: rules have no memory."""

    def copy(self) -> AgentPlayer:
        """Return a player with a copy of the generator."""
        return AgentPlayer(self._agent, copy.deepcopy(self._rng))

    def save(self) -> State:
        """Return the generator's state."""
        return State({}, {"rng": _plain(self._rng.bit_generator.state)})

    def load(self, state: State) -> None:
        """Restore the generator."""
        saved: Any = state.meta["rng"]
        self._rng.bit_generator.state = saved


class UniformPlayer:
    """Chooses among the available actions with equal probability."""

    def __init__(self, actions: int, key: int) -> None:
        self._actions = actions
        self._generator = torch.Generator().manual_seed(int(key))

    def begin(self, worlds: int) -> None:
        """Do nothing."""

    def act(self, obs: torch.Tensor, mask: torch.Tensor | None) -> AnyArray:
        """Return actions [B, n]."""
        from equilibria.agents.learning.policies import sample

        actions: IntArray = sample(torch.zeros(*obs.shape[:2], self._actions), mask, self._generator)[0].numpy()
        return actions

    def ended(self, over: BoolArray) -> None:
        """Do nothing."""

    def copy(self) -> UniformPlayer:
        """Return a player with a copy of the generator."""
        twin = UniformPlayer(self._actions, 0)
        twin._generator.set_state(self._generator.get_state())
        return twin

    def save(self) -> State:
        """Return the generator."""
        return generator_state(self._generator)

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        generator_from(self._generator, state)


def _plain(value: Any) -> Any:
    """Return a bit generator's state as JSON values."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return int(value) if isinstance(value, np.integer) else value
