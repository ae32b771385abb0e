"""Networks of actors and critics: perceptrons with layer normalisation, optionally a GRU, for N agents at once.

Layout: LayerNorm(input) -> [Linear, activation, LayerNorm] x layers -> (GRU, LayerNorm) -> linear head.
Weights are stacked by group of agents; a group per agent means one batched product, never a loop over agents.

Source: Yu et al. (2022), MAPPO, arXiv 2103.01955, and its code.  Axes: M samples, N agents, G groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from equilibria.agents.learning import fused
from equilibria.agents.learning.torch_import import torch

Activation = Literal["tanh", "relu"]
GAIN = {"tanh": 5 / 3, "relu": math.sqrt(2)}
_EPSILON = 1e-5


def orthogonal(groups: int, out: int, inputs: int, gain: float, generator: torch.Generator) -> torch.nn.Parameter:
    """Return weights [G, out, inputs], each group's orthogonal with this gain."""
    weight = torch.empty(groups, out, inputs)
    for part in weight:
        torch.nn.init.orthogonal_(part, gain, generator=generator)
    return torch.nn.Parameter(weight)


class GroupLinear(torch.nn.Module):
    """Linear map whose weights belong to groups of agents.

    Args:
        inputs: Entries of an input.
        out: Entries of an output.
        gain: Gain of the orthogonal weights.
        groups: Group of each agent, or empty for one group that serves any number of agents.
        generator: Source of the weights.
    """

    def __init__(
        self, inputs: int, out: int, *, gain: float, groups: Sequence[int] = (), generator: torch.Generator
    ) -> None:
        super().__init__()
        count = max(groups, default=0) + 1
        self.weight = orthogonal(count, out, inputs, gain, generator)
        self.bias = torch.nn.Parameter(torch.zeros(count, out))
        self._pick = _picker(groups)

    def narrow(self, agent: int) -> None:
        """Keep the weights of one agent."""
        if self.weight.shape[0] > 1:
            group = agent if self._pick is None else int(self._pick[agent])
            self.weight = torch.nn.Parameter(self.weight[group : group + 1].clone())
            self.bias = torch.nn.Parameter(self.bias[group : group + 1].clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [M, N, inputs] to [M, N, out]."""
        if self.weight.shape[0] == 1:
            return torch.nn.functional.linear(x, self.weight[0], self.bias[0])
        weight, bias = _picked(self.weight, self._pick), _picked(self.bias, self._pick)
        return torch.baddbmm(bias.unsqueeze(1), x.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1)


class GroupNorm(torch.nn.Module):
    """Layer normalisation of the last axis with scale and shift per group."""

    def __init__(self, width: int, groups: Sequence[int] = ()) -> None:
        super().__init__()
        count = max(groups, default=0) + 1
        self.weight = torch.nn.Parameter(torch.ones(count, width))
        self.bias = torch.nn.Parameter(torch.zeros(count, width))
        self._pick = _picker(groups)

    def narrow(self, agent: int) -> None:
        """Keep the weights of one agent."""
        if self.weight.shape[0] > 1:
            group = agent if self._pick is None else int(self._pick[agent])
            self.weight = torch.nn.Parameter(self.weight[group : group + 1].clone())
            self.bias = torch.nn.Parameter(self.bias[group : group + 1].clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise [M, N, width]."""
        shape = (x.shape[-1],)
        if self.weight.shape[0] == 1:
            return torch.nn.functional.layer_norm(x, shape, self.weight[0], self.bias[0], _EPSILON)
        plain = torch.nn.functional.layer_norm(x, shape, None, None, _EPSILON)
        return plain * _picked(self.weight, self._pick) + _picked(self.bias, self._pick)


class Trunk(torch.nn.Module):
    """Features [M, N, hidden] of inputs [M, N, D].

    Args:
        inputs: D.
        hidden: Units of a layer.
        layers: Number of layers.
        activation: ``"tanh"`` or ``"relu"``.
        norm: Normalise the inputs.
        groups: Group of each agent, empty for one group.
        ids: Number of agents that get a one-hot number beside the input, 0 for none.
        recurrent: Put a GRU behind the layers.
        generator: Source of the weights.
    """

    def __init__(
        self,
        inputs: int,
        *,
        hidden: int = 64,
        layers: int = 2,
        activation: Activation = "tanh",
        norm: bool = True,
        groups: Sequence[int] = (),
        ids: int = 0,
        recurrent: bool = False,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.inputs, self.ids, self.recurrent, self.hidden = inputs, ids, recurrent, hidden
        self._activate = torch.tanh if activation == "tanh" else torch.relu
        self.tanh, self.grouped = activation == "tanh", bool(groups)
        gain = GAIN[activation]
        self.input_norm = GroupNorm(inputs, groups) if norm else None
        widths = [inputs + ids] + [hidden] * layers
        self.linears = torch.nn.ModuleList(
            GroupLinear(a, b, gain=gain, groups=groups, generator=generator) for a, b in pairwise(widths)
        )
        self.norms = torch.nn.ModuleList(GroupNorm(hidden, groups) for _ in range(layers))
        self.gru = GroupGRU(hidden, groups=groups, generator=generator) if recurrent else None
        self.gru_norm = GroupNorm(hidden, groups) if recurrent else None

    def forward(
        self,
        x: torch.Tensor,
        hidden: torch.Tensor | None = None,
        begun: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return features [M, N, hidden] and the last GRU state.

        Args:
            x: [M, N, D]; with a GRU, M = L * C rows: L steps of C chunks, time-major.
            hidden: [C, N, hidden] GRU state before the first step; needed with a GRU.
            begun: bool [M] whether an episode begins with a row, ``None`` for nowhere.
        """
        seen = self._seen(x)
        plain = self.grouped or seen.dtype != torch.float32  # the compiled layers are written for float32
        x = self._stacked(seen) if plain else self._fused(seen).t().unflatten(0, seen.shape[:-1])
        if self.gru is None or self.gru_norm is None:
            return x, None
        assert hidden is not None
        x = x.contiguous()
        states = self.gru(x.reshape(-1, *hidden.shape[:2], x.shape[-1]), hidden, begun)
        return self.gru_norm(states.reshape(x.shape)), states[-1]

    def narrow(self, agent: int) -> None:
        """Keep the weights of one agent; its number becomes part of the first bias."""
        for module in self.modules():
            if isinstance(module, GroupLinear | GroupNorm):
                module.narrow(agent)
        self.grouped = False
        if self.ids:
            first = self.linears[0]
            assert isinstance(first, GroupLinear)
            own = first.weight[0, :, self.inputs + agent] + first.bias[0]
            first.bias = torch.nn.Parameter(own.unsqueeze(0).clone())
            first.weight = torch.nn.Parameter(first.weight[:, :, : self.inputs].clone())
            self.ids = 0

    def headed(
        self, head: GroupLinear, x: torch.Tensor, hidden: torch.Tensor | None = None, begun: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return ``head(features)`` [M, N, out] and the last GRU state; faster than the two calls."""
        if self.grouped or self.recurrent or x.dtype != torch.float32:
            features, after = self(x, hidden, begun)
            return head(features), after
        seen = self._seen(x)
        weights: list[torch.Tensor] = []
        for linear, norm in zip(self.linears, self.norms, strict=True):
            assert isinstance(linear, GroupLinear) and isinstance(norm, GroupNorm)
            weights += [linear.weight[0], linear.bias[0], norm.weight[0], norm.bias[0]]
        weights += [head.weight[0], head.bias[0]]
        return fused.perceptron(seen.flatten(0, -2), self.tanh, weights).unflatten(0, seen.shape[:-1]), None

    def _seen(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised input with the agents' numbers."""
        if self.input_norm is not None:
            x = self.input_norm(x)
        if not self.ids:
            return x
        numbers = torch.eye(self.ids, dtype=x.dtype).expand(*x.shape[:-1], -1)
        return torch.cat((x, numbers), dim=-1)

    def begin(self, worlds: int, agents: int) -> torch.Tensor | None:
        """Return the GRU state [worlds, agents, hidden] before an episode, ``None`` without a GRU."""
        return torch.zeros(worlds, agents, self.hidden) if self.recurrent else None

    def _stacked(self, x: torch.Tensor) -> torch.Tensor:
        """Apply layers whose weights differ between agents."""
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = norm(self._activate(linear(x)))
        return x

    def _fused(self, x: torch.Tensor) -> torch.Tensor:
        """Apply layers that all agents share; returns feature-major rows [hidden, M * N]."""
        rows = x.flatten(0, -2).t()
        for linear, norm in zip(self.linears, self.norms, strict=True):
            assert isinstance(linear, GroupLinear) and isinstance(norm, GroupNorm)
            rows = fused.layer(rows, linear.weight[0], linear.bias[0], norm.weight[0], norm.bias[0], self.tanh)
        return rows


class GroupGRU(torch.nn.Module):
    """Gated recurrent unit whose weights belong to groups of agents."""

    def __init__(self, width: int, *, groups: Sequence[int] = (), generator: torch.Generator) -> None:
        super().__init__()
        self.width = width
        self.input = GroupLinear(width, 3 * width, gain=1.0, groups=groups, generator=generator)
        self.state = GroupLinear(width, 3 * width, gain=1.0, groups=groups, generator=generator)

    def forward(self, x: torch.Tensor, hidden: torch.Tensor, begun: torch.Tensor | None = None) -> torch.Tensor:
        """Return states [L, C, N, H] for inputs [L, C, N, H] and a first state [C, N, H]."""
        length, chunks, agents, _ = x.shape
        gates = self.input(x.reshape(length * chunks, agents, -1)).reshape(length, chunks, agents, -1)
        keep = None if begun is None else (~begun).to(x.dtype).reshape(length, chunks, 1, 1)
        states = []
        for step in range(length):
            if keep is not None:
                hidden = hidden * keep[step]
            reset_x, update_x, new_x = gates[step].chunk(3, dim=-1)
            reset_h, update_h, new_h = self.state(hidden).chunk(3, dim=-1)
            update = torch.sigmoid(update_x + update_h)
            new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
            hidden = new + update * (hidden - new)
            states.append(hidden)
        return torch.stack(states)


def _picker(groups: Sequence[int]) -> torch.Tensor | None:
    """Return the index that spreads group weights over agents, ``None`` when each agent is its own group."""
    listed = list(groups)
    return None if listed == list(range(len(listed))) else torch.tensor(listed)


def _picked(weights: torch.Tensor, pick: torch.Tensor | None) -> torch.Tensor:
    return weights if pick is None else weights.index_select(0, pick)
