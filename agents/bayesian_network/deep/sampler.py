"""Differentiable sampling of context-dependent directed acyclic graphs.

An order of the agents and an on/off choice for every pair are drawn from two small networks of the context;
an edge j -> i stands when it is on and j comes before i, so every sample is acyclic.  Forward values are
exactly 0 and 1, gradients are those of the relaxed samples (straight-through).

Axes: B samples, n agents; ``graph[b, j, i]`` = 1 when j is a parent of i, as in ``dag_matrix``.

Source: Charpentier, Kibler, Guennemann (2022), Differentiable DAG Sampling, ICLR; Chen and Zhang (2023), Context-
Aware Bayesian Network Actor-Critic, arXiv 2306.01920.  Cost per sample: n^3 multiply-adds; the order
``sinkhorn`` adds 20 rounds over n^2 entries and one optimal assignment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from equilibria.agents.bayesian_network.deep.assignment import assign
from equilibria.agents.bayesian_network.deep.noise import draw
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import InvalidValue

Order = Literal["identity", "plackett_luce", "sinkhorn"]
Noise = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class SampledDag:
    """A batch of graphs.

    Attributes:
        graph: [B, n, n] adjacency, 0 or 1, with straight-through gradients.
        order: int64 [B, n] agent at each position, parents first; ``None`` for 0, 1, ..., n - 1.
        on: [B, n, n] probability that each pair's switch is on (an edge also needs j before i).
    """

    graph: torch.Tensor
    order: torch.Tensor | None
    on: torch.Tensor

    def density(self) -> torch.Tensor:
        """Return the mean share of the n (n - 1) / 2 possible edges, a scalar in [0, 1] with a gradient."""
        batch, n = self.graph.shape[:2]
        return self.graph.sum() * (2.0 / (batch * n * (n - 1)))


class DagSampler(torch.nn.Module):
    """Networks of the order and of the edges.

    Args:
        context: Length of the context.
        agents: n >= 2.
        order: ``"identity"`` (0, 1, ..., only edges are learned), ``"plackett_luce"`` (sort noisy scores),
            ``"sinkhorn"`` (noisy assignment, as published).
        hidden: Width of the two networks.
        temperature: Of the relaxed samples, > 0.
        edge_bias: Added to the edge logits; large values begin with all edges.
        gain: Factor of both networks' outputs, > 0.  Their last layers start smaller by it, so first graphs do not
            depend on it, and under Adam, whose steps have a fixed size, graphs change faster by it.
        generator: Source of the first weights.
    """

    before: torch.Tensor
    edges: torch.nn.Sequential
    order: torch.nn.Sequential | None

    def __init__(
        self,
        context: int,
        agents: int,
        *,
        order: Order = "identity",
        hidden: int = 64,
        temperature: float = 1.0,
        edge_bias: float = 0.0,
        gain: float = 1.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if agents < 2 or context < 1 or temperature <= 0 or gain <= 0:
            raise InvalidValue(
                f"a graph sampler needs a context, at least 2 agents and temperature and gain above 0, got {context}, "
                f"{agents}, {temperature!r}, {gain!r}"
            )
        self.agents, self.kind, self.temperature, self.edge_bias = agents, order, temperature, edge_bias
        self.gain = gain
        self.edges = _network(context, hidden, agents * agents, gain, generator)
        width = {"identity": 0, "plackett_luce": agents, "sinkhorn": agents * agents}[order]
        self.order = _network(context, hidden, width, gain, generator) if width else None
        self.register_buffer("before", torch.triu(torch.ones(agents, agents), 1), persistent=False)

    def noise(self, batch: int, generator: torch.Generator) -> Noise:
        """Return fresh noise of a batch: logistic for edges, Gumbel for the order; store it to repeat the sample."""
        n = self.agents
        drawn = {"dag_edges": draw((batch, n, n), generator, logistic=True)}
        if self.kind != "identity":
            drawn["dag_order"] = draw((batch, n) if self.kind == "plackett_luce" else (batch, n, n), generator)
        return drawn

    def forward(self, context: torch.Tensor, noise: Noise | None = None) -> SampledDag:
        """Return graphs for contexts [B, C]; without noise the most likely order and edges."""
        n = self.agents
        logits = self.gain * self.edges(context).view(-1, n, n) + self.edge_bias
        on = torch.sigmoid(logits)
        noisy = logits if noise is None else logits + noise["dag_edges"]
        switch = _straight((noisy > 0).to(logits.dtype), torch.sigmoid(noisy / self.temperature))
        if self.order is None:
            return SampledDag(switch * self.before, None, on)
        raw = self.gain * self.order(context)
        if self.kind == "plackett_luce":
            place, order = _sorted(raw if noise is None else raw + noise["dag_order"], self.temperature)
        else:
            scores = torch.nn.functional.logsigmoid(raw.view(-1, n, n))
            place, order = _matched(scores if noise is None else scores + noise["dag_order"], self.temperature)
        return SampledDag(switch * (place.transpose(1, 2) @ self.before @ place), order, on)


def _network(inputs: int, hidden: int, outputs: int, gain: float, generator: torch.Generator) -> torch.nn.Sequential:
    first, last = _uniform_linear(inputs, hidden, generator), _uniform_linear(hidden, outputs, generator)
    with torch.no_grad():
        for tensor in (last.weight, last.bias):
            tensor.div_(gain)
    return torch.nn.Sequential(first, torch.nn.ReLU(), last)


def _uniform_linear(inputs: int, outputs: int, generator: torch.Generator) -> torch.nn.Linear:
    """Return a linear layer with torch's usual first weights, drawn from the given generator."""
    layer: torch.nn.Linear = torch.nn.utils.skip_init(torch.nn.Linear, inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        for tensor in (layer.weight, layer.bias):
            tensor.uniform_(-bound, bound, generator=generator)
    return layer


def _straight(hard: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
    """Return the values of ``hard``, exactly, with the gradient of ``soft``."""
    return hard + (soft - soft.detach())


def _positions(order: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return [B, k, j] = 1 where agent j stands at position k."""
    return torch.nn.functional.one_hot(order, order.shape[-1]).to(like.dtype)


def _sorted(scores: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Order agents by falling score; relaxed by distances to the sorted scores."""
    ranked, order = scores.sort(dim=-1, descending=True)
    soft = torch.softmax(-(ranked.unsqueeze(2) - scores.unsqueeze(1)).abs() / temperature, dim=-1)
    return _straight(_positions(order, scores), soft), order


def _matched(scores: torch.Tensor, temperature: float, rounds: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Order agents by an optimal assignment to positions; relaxed by Sinkhorn's alternating normalisation."""
    log_soft = scores / temperature
    for _ in range(rounds):
        log_soft = log_soft - log_soft.logsumexp(dim=2, keepdim=True)
        log_soft = log_soft - log_soft.logsumexp(dim=1, keepdim=True)
    found = np.empty(scores.shape[:2], dtype=np.int64)
    assign(scores.detach().double().numpy(), found)
    order = torch.from_numpy(found)
    return _straight(_positions(order, scores), log_soft.exp()), order
