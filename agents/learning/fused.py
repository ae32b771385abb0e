"""Perceptron layers on compiled kernels: products by the linear-algebra library, everything between them in one pass.

Feature-major: a batch of R rows with H features is [H, R].  Used for networks with one group of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equilibria.agents.learning import fused_kernels
from equilibria.agents.learning.torch_import import torch

_EPSILON = np.float32(1e-5)
_ENTRIES = 65536
"""Activations of one layer and block; about eight such arrays are in use at once."""
_PAGE = 1024  # float32 entries; rows a multiple of a page apart would fall on the same cache lines


def padded(features: int, rows: int) -> torch.Tensor:
    """Return an uninitialised float32 [features, rows] whose rows do not lie a power of two apart."""
    stride = -(-rows // 16) * 16
    if stride % _PAGE == 0:
        stride += 16
    return torch.empty(features, stride)[:, :rows]


def _array(x: torch.Tensor) -> Any:
    """Return a tensor [F, R] as a contiguous array [F, >= R] without a copy if its rows are contiguous."""
    if x.stride(1) != 1 or x.stride(0) < x.shape[1]:
        x = x.contiguous()
    whole = x.as_strided((x.shape[0], x.stride(0)), (x.stride(0), 1)) if x.shape[0] > 1 else x
    return whole.numpy()


class ActivateNormalise(torch.autograd.Function):
    """LayerNorm(activation(weight @ x + bias)) for x [D, R]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        matrix: torch.Tensor,
        bias: torch.Tensor,
        weight: torch.Tensor,
        shift: torch.Tensor,
        tanh: bool,
    ) -> torch.Tensor:
        """Return [H, R]."""
        y, mean, scale, out = _layer(x, matrix, bias, weight, shift, tanh)
        ctx.save_for_backward(x, matrix, weight, y, mean, scale)
        ctx.tanh = tanh
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        """Return the gradients of all inputs."""
        x, matrix, weight, y, mean, scale = ctx.saved_tensors
        g = grads[0]
        gz = padded(*y.shape)
        sums = np.zeros((3, len(weight), fused_kernels.BLOCK), np.float32)
        fused_kernels.backward(
            ctx.tanh,
            g.shape[1],
            _array(g),
            _array(y),
            weight.detach().numpy(),
            mean.numpy(),
            scale.numpy(),
            _array(gz),
            *sums,
        )
        g_weight, g_shift, g_bias = torch.from_numpy(sums.sum(axis=2))
        g_x = None
        if ctx.needs_input_grad[0]:
            g_x = padded(*x.shape)
            torch.mm(matrix.t(), gz, out=g_x)
        return g_x, gz @ x.t(), g_bias, g_weight, g_shift, None


def layer(
    x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor, weight: torch.Tensor, shift: torch.Tensor, tanh: bool
) -> torch.Tensor:
    """Return LayerNorm(activation(matrix @ x + bias)) [H, R] of x [D, R], with gradients where they are on."""
    if torch.is_grad_enabled():
        found: torch.Tensor = ActivateNormalise.apply(x, matrix, bias, weight, shift, tanh)
        return found
    return _layer(x, matrix, bias, weight, shift, tanh)[3]


class Perceptron(torch.autograd.Function):
    """All layers and the head in blocks of rows that stay in the cache; see ``perceptron``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, tanh: bool, *weights: torch.Tensor) -> torch.Tensor:
        """Return [R, out]; keeps the activations, one block after the other."""
        run = _workspace(x, weights, keep=True)
        ctx.run, ctx.tanh, ctx.x, ctx.weights = run, tanh, x.detach().contiguous(), weights
        return run.forward(ctx.x, tanh, weights)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        """Return the gradients of x and of all weights; works once, as the activations are given back."""
        run, ctx.run = ctx.run, None
        g_x, found = run.backward(ctx.x, ctx.tanh, ctx.weights, grads[0], ctx.needs_input_grad[0])
        _give_back(run)
        return g_x, None, *found


def perceptron(x: torch.Tensor, tanh: bool, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the head's output [R, out] for rows x [R, D], with gradients where they are on.

    Args:
        x: [R, D].
        tanh: Activation: tanh, or ReLU.
        weights: Per layer matrix [H, D], bias, scale and shift of the normalisation [H]; then the head's matrix
            [out, H] and bias [out].

    A graph can be gone through backward once.
    """
    if torch.is_grad_enabled():
        found: torch.Tensor = Perceptron.apply(x, tanh, *weights)
        return found
    run = _workspace(x, weights, keep=False)
    result = run.forward(x.contiguous(), tanh, [w.detach() for w in weights])
    _give_back(run)
    return result


_FREE: dict[Any, list[_Blocks]] = {}
_MOST_FREE = 4


def _workspace(x: torch.Tensor, weights: Sequence[torch.Tensor], *, keep: bool) -> _Blocks:
    """Return arrays of the right sizes, used ones if there are free ones."""
    shape = (len(x), *(len(w) for w in weights[0:-2:4]), len(weights[-2]), keep)
    free = _FREE.get(shape)
    if free:
        return free.pop()
    with torch.inference_mode(False):  # a workspace made while collecting serves updates, too
        return _Blocks(shape)


def _give_back(run: _Blocks) -> None:
    if len(_FREE) > 64:  # many batch sizes: forget all rather than keep ever more
        _FREE.clear()
    free = _FREE.setdefault(run.shape, [])
    if len(free) < _MOST_FREE:
        free.append(run)


class _Blocks:
    """Arrays of one pass through a perceptron, block by block.

    Activations of a block are feature-major [H, block]; the normalised outputs are computed again in the
    backward pass, which costs less than keeping them.
    """

    def __init__(self, shape: tuple[Any, ...]) -> None:
        self.shape = shape
        self.rows, *widths, self.outputs, keep = shape
        widest = max(widths)
        size = min(max(_ENTRIES // widest // 128 * 128, 128), -(-self.rows // 16) * 16)
        self.spans = [(first, min(size, self.rows - first)) for first in range(0, self.rows, size)]
        kept = len(self.spans) if keep else 1
        moments = np.empty((len(widths), kept, 2, size), np.float32)
        self.moments = [[tuple(moments[i, b]) for b in range(kept)] for i in range(len(widths))]
        y = [torch.empty(kept, width, size) for width in widths]
        out = [torch.empty(width, size) for width in widths]
        self.y_arrays = [[part[b].numpy() for b in range(kept)] for part in y]
        self.out_arrays = [part.numpy() for part in out]
        self.places = list(range(kept)) if keep else [0] * len(self.spans)
        self.y = [[part[p][:, :n] for p, (_, n) in zip(self.places, self.spans, strict=True)] for part in y]
        self.out = [[part[:, :n] for _, n in self.spans] for part in out]
        self.small = [torch.empty(self.outputs, n) for _, n in self.spans[:1] + self.spans[-1:]]
        if keep:
            self.up, self.gz = ([torch.empty(width, size) for width in widths] for _ in range(2))
            self.up_arrays, self.gz_arrays = ([t.numpy() for t in ts] for ts in (self.up, self.gz))
            self.sums = [np.empty((3, width, fused_kernels.BLOCK), np.float32) for width in widths]

    def forward(self, x: torch.Tensor, tanh: bool, weights: Sequence[torch.Tensor]) -> torch.Tensor:
        weights = [w.detach() for w in weights]
        vectors = [[v.numpy() for v in weights[i + 1 : i + 4]] for i in range(0, len(weights) - 2, 4)]
        head, bias = weights[-2:]
        found = torch.empty(self.rows, self.outputs)
        for block, (first, n) in enumerate(self.spans):
            place = self.places[block]
            seen = x[first : first + n].t()
            for i, (before, weight, shift) in enumerate(vectors):
                torch.mm(weights[4 * i], seen, out=self.y[i][block])
                mean, scale = self.moments[i][place]
                fused_kernels.forward(
                    tanh, _EPSILON, n, self.y_arrays[i][place], before, weight, shift, mean, scale, self.out_arrays[i]
                )
                seen = self.out[i][block]
            small = self.small[0 if n == self.spans[0][1] else 1]
            torch.mm(head, seen, out=small)
            found[first : first + n] = small.t()
        return found.add_(bias)

    def backward(
        self, x: torch.Tensor, tanh: bool, weights: Sequence[torch.Tensor], g: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        weights = [w.detach() for w in weights]
        matrices, head = weights[0:-2:4], weights[-2]
        scales, shifts = ([w.numpy() for w in weights[k:-2:4]] for k in (2, 3))
        g_t = g.t().contiguous()
        g_x = torch.empty_like(x) if wanted else None
        g_matrices, g_head = [torch.zeros_like(m) for m in matrices], torch.zeros_like(head)
        for sums in self.sums:
            sums[:] = 0.0
        last = len(matrices) - 1
        for block, (first, n) in enumerate(self.spans):
            for i in range(last + 1):
                mean, scale = self.moments[i][block]
                fused_kernels.affine(n, self.y_arrays[i][block], mean, scale, scales[i], shifts[i], self.out_arrays[i])
            above = g_t[:, first : first + n]
            g_head.addmm_(above, self.out[last][block].t())
            torch.mm(head.t(), above, out=self.up[last][:, :n])
            for i in range(last, -1, -1):
                mean, scale = self.moments[i][block]
                fused_kernels.backward(
                    tanh, n, self.up_arrays[i], self.y_arrays[i][block], scales[i], mean, scale, self.gz_arrays[i],
                    *self.sums[i],
                )  # fmt: skip
                gz = self.gz[i][:, :n]
                g_matrices[i].addmm_(gz, self.out[i - 1][block].t() if i else x[first : first + n])
                if i:
                    torch.mm(matrices[i].t(), gz, out=self.up[i - 1][:, :n])
                elif g_x is not None:
                    torch.mm(gz.t(), matrices[0], out=g_x[first : first + n])
        found: list[torch.Tensor] = []
        for matrix, part in zip(g_matrices, self.sums, strict=True):
            g_weight, g_shift, g_bias = torch.from_numpy(part.sum(axis=2))
            found += [matrix, g_bias, g_weight, g_shift]
        return g_x, [*found, g_head, g.sum(dim=0)]


def _layer(
    x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor, weight: torch.Tensor, shift: torch.Tensor, tanh: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rows = x.shape[1]
    y, out = padded(len(matrix), rows), padded(len(matrix), rows)
    torch.mm(matrix.detach(), x.detach(), out=y)
    mean, scale = torch.empty(rows), torch.empty(rows)
    fused_kernels.forward(
        tanh, _EPSILON, rows, _array(y), bias.detach().numpy(), weight.detach().numpy(), shift.detach().numpy(),
        mean.numpy(), scale.numpy(), _array(out),
    )  # fmt: skip
    return y, mean, scale, out
