"""Gradient steps of a Bayesian-network policy without an autograd graph.

The mathematics is that of ``policy.BNJointPolicy``.  In an update all actions are known, so the parents' network is
a perceptron on the parents' slots (see ``joint_kernels``): the sum over parents is its first layer.  Agents go one
after the other through both networks, forward, loss and backward, in blocks that stay in the cache; normalisations
are folded as in ``perceptron_step``.  With sampled graphs every sample multiplies the slots by its edges, and the
gradients of the edges are handed out; the small graph networks themselves are autograd's.  Results differ from those
of autograd by rounding only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from equilibria.agents.bayesian_network.deep import joint_kernels
from equilibria.agents.learning import step_kernels
from equilibria.agents.learning.adam import FlatAdam
from equilibria.agents.learning.fused import padded
from equilibria.agents.learning.perceptron_step import EPSILON, Rows, block_rows, folded_layer, whole
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.types import AnyArray, IntArray

if TYPE_CHECKING:
    from equilibria.agents.bayesian_network.deep.policy import BNJointPolicy

Loss = Callable[[int, AnyArray, int, int], None]
"""Replaces logits [A, >= count] of an agent for samples first .. first + count by their gradients."""


def worthwhile(policy: BNJointPolicy) -> bool:
    """Say whether the first layer on parents' slots is narrow enough.

    On average 8 hidden layers wide, 4 with sampled graphs; from there on the sum of messages is faster (measured
    with 10 and 24 agents that see 30 to 200 numbers).
    """
    if not policy.connected:
        return True
    slots, hidden = _Slots(policy), policy.own.weight.shape[2]
    return sum(high - low for low, high in slots.spans) <= (4 if slots.sampled else 8) * hidden * policy.agents


class JointStep:
    """Adam steps of a ``BNJointPolicy``.

    Args:
        policy: The policy; its parameters move into the optimiser's vector.
        rate: Learning rate.
    """

    def __init__(self, policy: BNJointPolicy, rate: float) -> None:
        self.adam = FlatAdam(policy, rate)
        trunk, choices = policy.trunk, policy.actions
        self.agents, self._tanh, hidden = policy.agents, trunk.tanh, trunk.hidden
        self.size = block_rows(hidden)
        self.slots = _Slots(policy)
        self._center: AnyArray = np.zeros((0, 2), np.float32)
        self._normalises = trunk.input_norm is not None
        self._own = torch.ones(self.agents, self.size, trunk.inputs + 1)
        self.seen = torch.ones(self.size, self.agents * self.slots.width)
        self._thinned = torch.ones(self.size, self.agents * self.slots.width + 1) if self.slots.sampled else None
        self._pull = padded(self.agents * self.slots.width + 1, self.size)
        self._edges: AnyArray = np.zeros((0, 0, 0), np.float32)
        self._first = 0
        norms: list[Any] = [trunk.input_norm, *trunk.norms]
        linears: list[Any] = [*trunk.linears, policy.own]
        self._layers = [folded_layer(self.adam, *pair) for pair in zip(linears, norms, strict=True)]
        trunk_layers, own_head = self._layers[:-1], self._layers[-1]
        heads = [slice(i * choices, (i + 1) * choices) for i in range(self.agents)]
        layers = [[(layer.folded, layer.found) for layer in trunk_layers]] * self.agents
        self._towers = [_Tower(layers, [(own_head.folded[h], own_head.found[h]) for h in heads], hidden, self.size)]
        self._parents: _Parents | None = None
        if policy.connected:
            self._parents = first = _Parents(policy, self.adam, self.slots)
            second = folded_layer(self.adam, policy.encoder.second, policy.encoder.middle)
            social = folded_layer(self.adam, policy.social, policy.encoder.last)
            self._layers += [second, social]
            layers = [[first.part(i), (second.folded, second.found)] for i in range(self.agents)]
            self._towers += [_Tower(layers, [(social.folded[h], social.found[h]) for h in heads], hidden, self.size)]
        self._up = [padded(hidden, self.size) for _ in range(2)]
        self._out = padded(choices, self.size)
        self._views: dict[int, _Views] = {}

    def rows(self, source: AnyArray, everyone: int, columns: IntArray) -> Rows:
        """Describe the observations of samples; ``source`` [S * everyone, D] must not change while it is used."""
        self.adam.gather()
        if not self._normalises:
            return Rows(source, np.zeros((0, 2), np.float32), everyone, columns)
        if len(self._center) != len(source):
            self._center = np.zeros((len(source), 2), np.float32)
        step_kernels.moments(source, everyone, columns, EPSILON, self._center)
        return Rows(source, self._center, everyone, columns)

    def fold(self) -> None:
        """Take in the present weights; ``gradient`` does so itself, ``logits`` does not."""
        for layer in self._layers:
            layer.fold()
        if self._parents is not None:
            self._parents.fold()

    def look(
        self, rows: Rows, actions: AnyArray, index: IntArray, first: int, count: int, edges: AnyArray | None = None
    ) -> None:
        """Take in ``count`` <= size samples from ``index[first]`` on, with actions int64 [S, N], negative for none.

        With sampled graphs, edges float32 [M, N, N] are those of all samples of ``index`` [M].
        """
        slots, self._first = self.slots, first
        if edges is not None:
            self._edges = edges
        joint_kernels.gather(
            rows.source, rows.center, actions, index, first, count, rows.everyone, rows.columns, slots.place, slots.width,
            slots.observed, self._own.numpy(), self.seen.numpy(),
        )  # fmt: skip

    def logits(self, agent: int, count: int) -> AnyArray:
        """Return an agent's logits [A, >= count], given its parents' slots; valid until the next call."""
        views, slots = self._view(count), self.slots
        if self._thinned is not None:
            joint_kernels.thin(
                self.seen.numpy(),
                self._edges,
                self._first,
                count,
                agent,
                slots.allowed,
                slots.width,
                self._thinned.numpy(),
            )
        for k, tower in enumerate(self._towers):
            top = tower.rise(agent, views.inputs[k][agent], views.into[k], count, self._tanh)
            weights = tower.heads[agent][0]
            if k:
                views.out.addmm_(weights, top)
            else:
                torch.mm(weights, top, out=views.out)
        return views.out_array

    def gradient(
        self, rows: Rows, actions: AnyArray, index: IntArray, loss: Loss, edges: AnyArray | None = None
    ) -> AnyArray | None:
        """Write the gradient on samples ``index`` [M] to ``adam.gradient``; return that of sampled edges [M, N, N]."""
        slopes = None if edges is None else np.zeros_like(edges)
        self.fold()
        for layer in self._layers:
            layer.found.zero_()
        if self._parents is not None:
            self._parents.found.zero_()
        total = len(index)
        parts = -(-total // self.size)
        for part in range(parts):
            first, last = total * part // parts, total * (part + 1) // parts
            self.look(rows, actions, index, first, last - first, edges)
            views = self._view(last - first)
            for agent in range(self.agents):
                loss(agent, self.logits(agent, last - first), first, last - first)
                for k, tower in enumerate(self._towers):
                    g = tower.fall(agent, views.inputs[k][agent], views.into[k], views, last - first, self._tanh)
                if slopes is not None:
                    self._slopes_of(agent, g, last - first, slopes)
        for layer in self._layers:
            layer.unfold()
        if self._parents is not None:
            self._parents.unfold()
        return slopes

    def _slopes_of(self, agent: int, g: torch.Tensor, count: int, slopes: AnyArray) -> None:
        """Write the gradient of the edges to an agent, given that of its first layer on parents' slots."""
        slots, weights = self.slots, self._towers[1].layers[agent][0][0]
        torch.mm(weights.t(), g, out=self._pull[: weights.shape[1], :count])
        joint_kernels.pull(
            whole(self._pull), self.seen.numpy(), self._first, count, agent, slots.allowed, slots.width, slopes
        )

    def _view(self, count: int) -> _Views:
        found = self._views.get(count)
        if found is None:
            if len(self._views) > 16:
                self._views.clear()
            found = self._views[count] = _Views(self, count)
        return found


class _Slots:
    """Where agents' slots stand: agent i at place[i], those of allowed parents in the columns spans[i].

    Fixed graphs let the 1 of a slot carry what every agent's first layer adds.  Sampled edges may be absent, so
    there is a column of its own before all slots.
    """

    def __init__(self, policy: BNJointPolicy) -> None:
        n = policy.agents
        self.observed = policy.graph.parent_input == "observed_actions"
        self.offset = policy.spaces.observation if self.observed else 0
        self.width = self.offset + policy.actions + 1
        self.sampled = policy.dag is None
        self.lead = int(self.sampled)
        if policy.dag is not None:
            self.order, self.allowed = policy.order, np.ascontiguousarray(policy.dag)
        else:  # slopes of relaxed orders touch all pairs, an agent and itself included
            everything = np.ones((n, n), np.bool_)
            self.order = tuple(range(n))
            self.allowed = np.triu(everything, 1) if policy.graph.order == "identity" else everything
        self.place = np.argsort(np.array(self.order, np.int64))
        self.spans: list[tuple[int, int]] = []
        for i in range(n):
            held = self.place[self.allowed[:, i]]
            if self.sampled:
                self.spans.append((0, 1 + (int(held.max()) + 1) * self.width if len(held) else 1))
            elif len(held):
                self.spans.append((int(held.min()) * self.width, (int(held.max()) + 1) * self.width))
            else:  # the 1 of any slot
                self.spans.append((self.width - 1, self.width))
        own = [0 if self.sampled or high - low == 1 else self.width - 1 for low, high in self.spans]
        self.ones = np.array([low + k for (low, _), k in zip(self.spans, own, strict=True)], np.int64)


class _Parents:
    """The first layer of the parents' network as one matrix [H, W] per agent."""

    def __init__(self, policy: BNJointPolicy, adam: FlatAdam, slots: _Slots) -> None:
        shape = tuple(policy.messages.weight.shape)
        self._weight, self._g_weight = (x.reshape(shape) for x in adam.views(policy.messages.weight))
        self._bias, self._g_bias = (x.reshape(shape[:2]) for x in adam.views(policy.messages.bias))
        self._first, self._g_first = adam.views(policy.encoder.bias)
        self._slots = slots
        size = (*shape[:2], slots.lead + shape[0] * slots.width)
        self.folded, self.found = (torch.zeros(size) for _ in range(2))

    def part(self, agent: int) -> tuple[torch.Tensor, torch.Tensor]:
        low, high = self._slots.spans[agent]
        return self.folded[agent, :, low:high], self.found[agent, :, low:high]

    def fold(self) -> None:
        slots, out = self._slots, self.folded.numpy()
        joint_kernels.collect(
            self._weight, self._bias, self._first, slots.allowed, slots.place, slots.lead, slots.ones, out
        )

    def unfold(self) -> None:
        slots, found = self._slots, self.found.numpy()
        joint_kernels.scatter(
            found, slots.allowed, slots.place, slots.lead, slots.ones, self._g_weight, self._g_bias, self._g_first
        )


class _Tower:
    """Hidden layers and heads by agent, as pairs of folded weights and where their gradients are added up."""

    def __init__(self, layers: list[Any], heads: list[Any], hidden: int, size: int) -> None:
        self.layers, self.heads = layers, heads
        self.x = [padded(hidden + 1, size) for _ in layers[0]]
        for x in self.x:
            x[-1] = 1.0
        self.moments = [(np.empty(size, np.float32), np.empty(size, np.float32)) for _ in self.x]

    def rise(self, agent: int, below: torch.Tensor, into: list[Any], count: int, tanh: bool) -> torch.Tensor:
        """Return the last layer's output [H + 1, count]."""
        for (weights, _), (array, x, top, mean, scale) in zip(self.layers[agent], into, strict=True):
            torch.mm(weights, below, out=x)
            step_kernels.forward(tanh, EPSILON, count, array, mean, scale)
            below = top
        return below

    def fall(
        self, agent: int, first: torch.Tensor, into: list[Any], views: _Views, count: int, tanh: bool
    ) -> torch.Tensor:
        """Add the gradients of all weights, given that of the logits; return that of the first layer [H, count]."""
        (weights, found), g = self.heads[agent], views.out
        for k in range(len(into) - 1, -1, -1):
            array, _, top, mean, scale = into[k]
            found.addmm_(g, top.t())
            above, g_array = views.up[k % 2]
            torch.mm(weights[:, :-1].t(), g, out=above)
            step_kernels.backward(tanh, count, g_array, array, mean, scale)
            g = above
            weights, found = self.layers[agent][k]
        found.addmm_(g, first.t())
        return g


class _Views:
    """The parts of the workspace that blocks of ``count`` samples use."""

    def __init__(self, step: JointStep, count: int) -> None:
        self.inputs = [[own[:count].t() for own in step._own]]
        slots = step.seen if step._thinned is None else step._thinned
        self.inputs += [[slots[:count, low:high].t() for low, high in step.slots.spans]]
        self.into = [
            [
                (whole(x), x[:-1, :count], x[:, :count], mean, scale)
                for x, (mean, scale) in zip(tower.x, tower.moments, strict=True)
            ]
            for tower in step._towers
        ]
        self.up = [(x[:, :count], whole(x)) for x in step._up]
        self.out, self.out_array = step._out[:, :count], whole(step._out)
