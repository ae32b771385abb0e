"""Gradient steps of a perceptron without an autograd graph: forward, loss and backward block by block in the cache.

The mathematics is that of ``networks.Trunk`` and a head.  Scale and shift of every normalisation are folded into the
weights that follow it, and the bias is one more column of them, so that a layer is one matrix product and one
compiled pass.  Results differ from those of autograd by rounding only.

Axes: M samples of a minibatch, N rows per sample, D observation entries, H units, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from equilibria.agents.learning import step_kernels
from equilibria.agents.learning.adam import FlatAdam
from equilibria.agents.learning.fused import padded
from equilibria.agents.learning.networks import GroupLinear, GroupNorm, Trunk
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.types import AnyArray, FloatArray, IntArray

EPSILON = np.float32(1e-5)
_ENTRIES = 49152
"""Activations of one layer and block; about four such arrays are in use at once."""
_LEAST_ROWS = 256
"""Rows of a block of a wide network; fewer would read the weights too often."""

Loss = Callable[[AnyArray, int, int], None]
"""Replaces outputs [O, >= rows] of samples first .. first + count of the minibatch by their gradients."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Where a perceptron's inputs lie.

    Attributes:
        source: float32 [S, D].
        center: float32 [S, 2] mean and 1 / deviation of the rows in use; [0, 2] if inputs are not normalised.
        everyone: Rows of ``source`` per sample.
        columns: int64 [N] those in use.
    """

    source: AnyArray
    center: AnyArray
    everyone: int
    columns: IntArray


@dataclass(frozen=True, slots=True)
class FoldedLayer:
    """A linear map as parts of the parameter vector, and its folded form [O, I + 1]."""

    weight: AnyArray
    bias: AnyArray
    scale: AnyArray
    shift: AnyArray
    gradients: tuple[AnyArray, ...]
    folded: torch.Tensor
    found: torch.Tensor

    def fold(self) -> None:
        """Write ``folded``."""
        step_kernels.fold(self.weight, self.bias, self.scale, self.shift, self.folded.numpy())

    def unfold(self) -> None:
        """Write ``gradients`` from ``found``, the gradient of ``folded``."""
        step_kernels.unfold(self.weight, self.scale, self.shift, self.found.numpy(), *self.gradients)


def folded_layer(adam: FlatAdam, linear: GroupLinear, norm: GroupNorm | torch.nn.LayerNorm | None) -> FoldedLayer:
    """Return a linear map with the normalisation before it; weights of several groups lie below each other."""
    weight, g_weight = (x.reshape(-1, x.shape[-1]) for x in adam.views(linear.weight))
    bias, g_bias = (x.ravel() for x in adam.views(linear.bias))
    none = np.zeros(0, np.float32)
    scale, g_scale = (none, none) if norm is None else adam.views(norm.weight)
    shift, g_shift = (none, none) if norm is None else adam.views(norm.bias)
    folded, found = (torch.zeros(weight.shape[0], weight.shape[1] + 1) for _ in range(2))
    return FoldedLayer(weight, bias, scale, shift, (g_weight, g_bias, g_scale, g_shift), folded, found)


class PerceptronStep:
    """Adam steps of a module that is a trunk and a head with one group of weights and no memory.

    Args:
        module: Owner of all parameters of trunk and head, and of no others.
        trunk: Its layers.
        head: Its output.
        lanes: Rows N per sample.
        rate: Learning rate.
    """

    def __init__(self, module: torch.nn.Module, trunk: Trunk, head: GroupLinear, lanes: int, rate: float) -> None:
        self.adam = FlatAdam(module, rate)
        self._tanh, self._lanes, self._normalises = trunk.tanh, lanes, trunk.input_norm is not None
        norms: list[Any] = [trunk.input_norm, *trunk.norms]
        linears: list[Any] = [*trunk.linears, head]
        self._layers = [folded_layer(self.adam, *pair) for pair in zip(linears, norms, strict=True)]
        self.samples = -(-block_rows(trunk.hidden) // lanes)
        size = self.samples * lanes
        self._input = torch.zeros(size, trunk.inputs + trunk.ids + 1)
        self._input[:, -1] = 1.0
        for k in range(trunk.ids):
            self._input[k :: trunk.ids, trunk.inputs + k] = 1.0
        self._x = [padded(trunk.hidden + 1, size) for _ in trunk.linears]
        for x in self._x:
            x[-1] = 1.0
        self._up = [padded(trunk.hidden, size) for _ in range(2)]
        self._out = padded(head.weight.shape[1], size)
        self._moments = [(np.empty(size, np.float32), np.empty(size, np.float32)) for _ in trunk.linears]
        self._center: AnyArray = np.zeros((0, 2), np.float32)
        self._views: dict[int, tuple[Any, ...]] = {}

    def rows(self, source: AnyArray, everyone: int, columns: IntArray) -> Rows:
        """Describe the inputs of one update; ``source`` [S, D] must not change until its last step."""
        self.adam.gather()
        if not self._normalises:
            return Rows(source, np.zeros((0, 2), np.float32), everyone, columns)
        if len(self._center) != len(source):
            self._center = np.zeros((len(source), 2), np.float32)
        step_kernels.moments(source, everyone, columns, EPSILON, self._center)
        return Rows(source, self._center, everyone, columns)

    def gradient(self, rows: Rows, index: IntArray, loss: Loss) -> None:
        """Write the gradient on samples ``index`` [M] to ``adam.gradient``."""
        self.fold()
        total = len(index)
        parts = -(-total // self.samples)
        for part in range(parts):
            first, last = total * part // parts, total * (part + 1) // parts
            self._block(rows, index, first, last - first, loss)
        for layer in self._layers:
            layer.unfold()

    def fold(self) -> None:
        """Take in the present weights; ``gradient`` does so itself, ``outputs`` does not."""
        for layer in self._layers:
            layer.fold()

    def outputs(self, source: AnyArray) -> torch.Tensor:
        """Return the head's outputs [S, O] for rows [S, D] of whole samples, with the weights of the last ``fold``."""
        found = torch.empty(len(source), len(self._out))
        for first in range(0, len(source), self.samples * self._lanes):
            n = min(self.samples * self._lanes, len(source) - first)
            seen, below, into, _, out = self._views.get(n // self._lanes) or self._make_views(n // self._lanes)
            step_kernels.standardise(source, first, n, self._normalises, EPSILON, seen)
            found[first : first + n] = self._forward(n, below, into, out).t()
        return found

    def _forward(self, n: int, below: Any, into: Any, out: Any) -> torch.Tensor:
        """Go through all layers; return the head's outputs [O, n]."""
        last = len(self._layers) - 1
        for i in range(last):
            array, x, mean, scale = into[i]
            torch.mm(self._layers[i].folded, below[i], out=x)
            step_kernels.forward(self._tanh, EPSILON, n, array, mean, scale)
        found: torch.Tensor = out[0]
        torch.mm(self._layers[last].folded, below[last], out=found)
        return found

    def _block(self, rows: Rows, index: IntArray, first: int, count: int, loss: Loss) -> None:
        """Write the gradients of the first samples, add those of later samples to those of the samples before them."""
        n = count * self._lanes
        seen, below, into, up, out = self._views.get(count) or self._make_views(count)
        step_kernels.gather(rows.source, rows.center, index, first, count, rows.everyone, rows.columns, seen)
        g = self._forward(n, below, into, out)
        loss(out[1], first, count)
        for i in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[i]
            if first:
                layer.found.addmm_(g, below[i].t())
            else:
                torch.mm(g, below[i].t(), out=layer.found)
            if i:
                above, g_array = up[i % 2]
                torch.mm(layer.folded[:, :-1].t(), g, out=above)
                array, _, mean, scale = into[i - 1]
                step_kernels.backward(self._tanh, n, g_array, array, mean, scale)
                g = above

    def _make_views(self, count: int) -> tuple[Any, ...]:
        """Return the parts of the workspace that blocks of this many samples use."""
        n = count * self._lanes
        below = [self._input[:n].t(), *(x[:, :n] for x in self._x)]
        into = [(whole(x), x[:-1, :n], mean, scale) for x, (mean, scale) in zip(self._x, self._moments, strict=True)]
        up = [(x[:, :n], whole(x)) for x in self._up]
        views = (self._input.numpy(), below, into, up, (self._out[:, :n], whole(self._out)))
        if len(self._views) > 16:
            self._views.clear()
        self._views[count] = views
        return views


def block_rows(hidden: int) -> int:
    """Return how many rows of a perceptron with this many units are worked on at a time."""
    return max(_ENTRIES // hidden, _LEAST_ROWS)


def whole(x: torch.Tensor) -> FloatArray:
    """Return a padded tensor [F, R] as a contiguous array [F, >= R]."""
    found: FloatArray = x.as_strided((x.shape[0], x.stride(0)), (x.stride(0), 1)).numpy()
    return found
