"""Critics: normalised values of the present state, from all observations (MAPPO) or the own one (IPPO).

Axes: B worlds, M samples, N controlled agents, K values (N, or 1 for a team value), S entries of the shared input.
"""

from __future__ import annotations

from typing import Protocol

from equilibria.agents.learning.batches import Batch, Context
from equilibria.agents.learning.networks import GroupLinear, Trunk
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.spaces import Spaces
from equilibria.agents.learning.torch_import import torch


class Critic(Protocol):
    """A ``torch.nn.Module`` that predicts normalised values."""

    values: int
    recurrent: bool

    def begin(self, worlds: int) -> Context:
        """Return the context before an episode."""
        ...

    def step(self, obs: torch.Tensor, share: torch.Tensor, context: Context) -> tuple[torch.Tensor, Context]:
        """Return values [B, K] and the context for the next step."""
        ...

    def evaluate(self, batch: Batch) -> torch.Tensor:
        """Return values [M, K] with gradients."""
        ...


class _TrunkCritic(torch.nn.Module):
    """A critic with one trunk; subclasses choose the input and the output."""

    def __init__(self, trunk: Trunk, head: GroupLinear, values: int, lanes: int) -> None:
        super().__init__()
        self.trunk, self.head, self.values, self._lanes = trunk, head, values, lanes
        self.recurrent = trunk.recurrent

    def begin(self, worlds: int) -> Context:
        hidden = self.trunk.begin(worlds, self._lanes)
        return {} if hidden is None else {"hidden": hidden}

    def step(self, obs: torch.Tensor, share: torch.Tensor, context: Context) -> tuple[torch.Tensor, Context]:
        found, after = self.trunk.headed(self.head, self._input(obs, share), context.get("hidden"))
        return self._output(found), {} if after is None else {"hidden": after}

    def evaluate(self, batch: Batch) -> torch.Tensor:
        hidden = None if batch.critic_hidden is None else batch.critic_hidden[: batch.chunks]
        found, _ = self.trunk.headed(self.head, self._input(batch.obs, batch.share), hidden, batch.begun)
        return self._output(found)

    def _input(self, obs: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """Return the trunk's input [M, lanes, D]."""
        raise NotImplementedError

    def _output(self, found: torch.Tensor) -> torch.Tensor:
        """Return values [M, K] of the head's output."""
        raise NotImplementedError


class CentralCritic(_TrunkCritic):
    """One perceptron on the shared input with an output per value."""

    def __init__(self, spaces: Spaces, settings: PPOSettings, generator: torch.Generator) -> None:
        values = spaces.agents if settings.values == "agent" else 1
        trunk = _trunk(spaces.share, spaces, settings, (), 0, generator)
        super().__init__(trunk, GroupLinear(settings.hidden, values, gain=1.0, generator=generator), values, 1)

    def _input(self, obs: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        return share.unsqueeze(-2)

    def _output(self, found: torch.Tensor) -> torch.Tensor:
        return found.squeeze(-2)


class OwnCritic(_TrunkCritic):
    """A value per agent from its own observation; weights are shared as the policy's are."""

    def __init__(self, spaces: Spaces, settings: PPOSettings, generator: torch.Generator) -> None:
        groups = spaces.groups(settings.share)
        ids = spaces.agents if settings.agent_ids and not groups and spaces.agents > 1 else 0
        trunk = _trunk(spaces.observation, spaces, settings, groups, ids, generator)
        head = GroupLinear(settings.hidden, 1, gain=1.0, groups=groups, generator=generator)
        self.team = settings.values == "team"
        super().__init__(trunk, head, 1 if self.team else spaces.agents, spaces.agents)

    def _input(self, obs: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        return obs

    def _output(self, found: torch.Tensor) -> torch.Tensor:
        values = found.squeeze(-1)
        return values.mean(dim=-1, keepdim=True) if self.team else values


def _trunk(
    inputs: int, spaces: Spaces, settings: PPOSettings, groups: tuple[int, ...], ids: int, generator: torch.Generator
) -> Trunk:
    return Trunk(
        inputs,
        hidden=settings.hidden,
        layers=settings.layers,
        activation=settings.activation,
        norm=spaces.normalises(settings.input_norm, inputs),
        groups=groups,
        ids=ids,
        recurrent=settings.recurrent,
        generator=generator,
    )
