"""Time-major storage of one collection, allocated once and reused.

Axes: T steps, B worlds, E agents of the world, N controlled agents, D observation entries, A actions, K values.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.learning.batches import Batch
from equilibria.agents.learning.spaces import Spaces
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import NumericalError
from equilibria.sim.types import AnyArray, BoolArray, FloatArray


class Buffer:
    """Samples of ``steps`` steps of ``worlds`` worlds.

    Attributes:
        obs: float32 [T + 1, B, E, D] observations of all agents; zeros for absent ones.
        state: float32 [T + 1, B, S] of worlds that have a global state, else ``None``.
        mask: bool [T + 1, B, N, A], ``None`` when all actions are always available.
        active: bool [T + 1, B, N], ``None`` when all agents are always present.
        actions: int64 [T, B, N]; [T, B, N, P] for actions of P parts, float32 for continuous ones.
        log_prob: float32 [T, B, N].
        reward: float64 [T, B, N] numpy.
        terminated: bool [T, B] numpy.
        truncated: bool [T, B] numpy.
        begun: bool [T + 1, B] whether an episode begins with the step.
        extras: What the policy stored, by name, [T, B, ...].
        critic_hidden: [T, B, ...] states of a recurrent critic, ``None`` without.
        values: float64 [T + 1, B, K] numpy, denormalised.
        final_values: float64 [T, B, K] numpy, denormalised, where truncated.
        advantages: float32 [T, B, N], normalised.
        targets: float32 [T, B, K].
    """

    def __init__(
        self, spaces: Spaces, steps: int, worlds: int, values: int, *, masked: bool, absent: bool, state: bool = False
    ) -> None:
        size = (steps, worlds, spaces.agents)
        after = (steps + 1, worlds)
        self.spaces, self.steps, self.worlds = spaces, steps, worlds
        self.obs = torch.zeros(*after, spaces.everyone, spaces.observation)
        self.state = torch.zeros(*after, spaces.share) if state else None
        self.mask = torch.ones(*after, spaces.agents, spaces.actions, dtype=torch.bool) if masked else None
        self.active = torch.ones(*after, spaces.agents, dtype=torch.bool) if absent else None
        parts = spaces.parts
        self.actions = torch.zeros(size if parts is None else (*size, parts.width), dtype=_type_of(spaces))
        self.log_prob = torch.zeros(size)
        self.reward: FloatArray = np.zeros(size)
        self.terminated: BoolArray = np.zeros(size[:2], np.bool_)
        self.truncated: BoolArray = np.zeros(size[:2], np.bool_)
        self.begun = torch.zeros(after, dtype=torch.bool)
        self.extras: dict[str, torch.Tensor] = {}
        self.critic_hidden: torch.Tensor | None = None
        self.values: FloatArray = np.zeros((*after, values))
        self.final_values: FloatArray = np.zeros((*size[:2], values))
        self.advantages = torch.zeros(size)
        self.targets = torch.zeros(*size[:2], values)
        self._columns = _contiguous(spaces)

    def controlled(self, obs: torch.Tensor) -> torch.Tensor:
        """Return the controlled agents' part [..., N, D] of observations [..., E, D]."""
        if self.spaces.all_columns:
            return obs
        return obs[..., self._columns, :]

    def shared(self, step: int | None = None) -> torch.Tensor:
        """Return the central critic's input [B, S] of a step, or [T + 1, B, S] of all."""
        source = self.obs.flatten(-2) if self.state is None else self.state
        return source if step is None else source[step]

    def keep(self, step: int, extras: dict[str, torch.Tensor]) -> None:
        """Store what a policy wants to see again."""
        for name, value in extras.items():
            if name not in self.extras:
                with torch.inference_mode(False):  # updates read them with gradients on
                    self.extras[name] = torch.zeros((self.steps, *value.shape), dtype=value.dtype)
            self.extras[name][step] = value

    def batch(self, index: torch.Tensor | None = None, length: int = 1) -> Batch:
        """Return the samples of the flat positions t * B + b, or all of them without a copy.

        With chunks, positions are time-major (see ``Batch``).
        """
        rows = self.steps * self.worlds
        pick = _all if index is None else _rows(index)
        obs = pick(self.obs[:-1].flatten(0, 1))
        share = obs.flatten(-2) if self.state is None else pick(self.state[:-1].flatten(0, 1))
        old = torch.from_numpy(self.values[:-1].reshape(rows, -1))
        return Batch(
            obs=self.controlled(obs),
            share=share,
            mask=None if self.mask is None else pick(self.mask[:-1].flatten(0, 1)),
            actions=pick(self.actions.flatten(0, 1)),
            log_prob=pick(self.log_prob.flatten(0, 1)),
            advantages=pick(self.advantages.flatten(0, 1)),
            targets=pick(self.targets.flatten(0, 1)),
            old_values=pick(old),
            active=None if self.active is None else pick(self.active[:-1].flatten(0, 1)),
            begun=pick(self.begun[:-1].flatten()),
            index=torch.arange(rows) if index is None else index,
            length=length,
            extras={name: pick(value.flatten(0, 1)) for name, value in self.extras.items()},
            critic_hidden=None if self.critic_hidden is None else pick(self.critic_hidden.flatten(0, 1)),
        )

    def check(self, unit: int) -> None:
        """Stop on observations, rewards or values that are not finite; names tensor, step, world and agent.

        Raises:
            NumericalError: With the first such number.
        """
        kept = (("observation", self.obs.numpy()), ("reward", self.reward), ("value", self.values))
        for name, array in kept:
            if not np.isfinite(array).all():
                step, world, agent, *_ = where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                place = f"step {step}, world {world}, agent {agent} of update {unit}"
                raise NumericalError(name, float(array[where]), step=unit, where=place)


def _type_of(spaces: Spaces) -> torch.dtype:
    return torch.float32 if spaces.parts is not None and spaces.parts.continuous else torch.int64


def _all(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _rows(index: torch.Tensor):  # type: ignore[no-untyped-def]
    return lambda tensor: tensor.index_select(0, index)


def _contiguous(spaces: Spaces) -> slice | torch.Tensor:
    first, last = int(spaces.columns[0]), int(spaces.columns[-1])
    if last - first + 1 == spaces.agents:
        return slice(first, last + 1)
    columns: AnyArray = spaces.columns
    return torch.from_numpy(columns)
