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
        run = _Blocks(x.detach(), tanh, [w.detach() for w in weights], keep=True)
        ctx.run, ctx.wanted = run, x.requires_grad
        return run.forward()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        """Return the gradients of x and of all weights."""
        g_x, found = ctx.run.backward(grads[0], ctx.needs_input_grad[0])
        return g_x, None, *found


def perceptron(x: torch.Tensor, tanh: bool, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the head's output [R, out] for rows x [R, D], with gradients where they are on.

    Args:
        x: [R, D].
        tanh: Activation: tanh, or ReLU.
        weights: Per layer matrix [H, D], bias, scale and shift of the normalisation [H]; then the head's matrix
            [out, H] and bias [out].
    """
    if torch.is_grad_enabled():
        found: torch.Tensor = Perceptron.apply(x, tanh, *weights)
        return found
    return _Blocks(x, tanh, [w.detach() for w in weights], keep=False).forward()


class _Blocks:
    """One pass through a perceptron, block by block.

    Activations of a block are feature-major [H, block]; the normalised outputs are computed again in the
    backward pass, which costs less than keeping them.
    """

    def __init__(self, x: torch.Tensor, tanh: bool, weights: list[torch.Tensor], *, keep: bool) -> None:
        self.x, self.tanh, self.keep = x.contiguous(), tanh, keep
        self.layers = [weights[i : i + 4] for i in range(0, len(weights) - 2, 4)]
        self.vectors = [[v.numpy() for v in part[1:]] for part in self.layers]
        self.head, self.bias = weights[-2:]
        self.rows = len(x)
        widest = max(len(part[0]) for part in self.layers)
        self.size = min(max(_ENTRIES // widest // 128 * 128, 128), -(-self.rows // 16) * 16)
        self.count = -(-self.rows // self.size)
        kept = self.count if keep else 1
        self.y = [torch.empty(kept, len(part[0]), self.size) for part in self.layers]
        self.moments = np.empty((len(self.layers), 2, kept * self.size), np.float32)
        self.out = [torch.empty(len(part[0]), self.size) for part in self.layers]

    def forward(self) -> torch.Tensor:
        found = torch.empty(self.rows, len(self.head))
        small = torch.empty(len(self.head), self.size)
        for block in range(self.count):
            first = block * self.size
            n = min(self.size, self.rows - first)
            place = block if self.keep else 0
            seen = self.x[first : first + n].t()
            for i, (matrix, *_) in enumerate(self.layers):
                y, out = self.y[i][place], self.out[i]
                torch.mm(matrix, seen, out=y[:, :n])
                mean, scale = self._moments(i, place)
                bias, weight, shift = self.vectors[i]
                fused_kernels.forward(self.tanh, _EPSILON, n, y.numpy(), bias, weight, shift, mean, scale, out.numpy())
                seen = out[:, :n]
            torch.mm(self.head, seen, out=small[:, :n])
            found[first : first + n] = small[:, :n].t()
        return found.add_(self.bias)

    def backward(self, g: torch.Tensor, wanted: bool) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        g_t = g.t().contiguous()
        g_x = torch.empty_like(self.x) if wanted else None
        g_matrices = [torch.zeros_like(part[0]) for part in self.layers]
        g_head = torch.zeros_like(self.head)
        sums = [np.zeros((3, len(part[0]), fused_kernels.BLOCK), np.float32) for part in self.layers]
        widest = max(len(part[0]) for part in self.layers)
        spare, gz_all = torch.empty(widest, self.size), torch.empty(widest, self.size)
        for block in range(self.count):
            first = block * self.size
            n = min(self.size, self.rows - first)
            for i, out in enumerate(self.out):
                mean, scale = self._moments(i, block)
                _, weight, shift = self.vectors[i]
                fused_kernels.affine(n, self.y[i][block].numpy(), mean, scale, weight, shift, out.numpy())
            above = g_t[:, first : first + n]
            g_head.addmm_(above, self.out[-1][:, :n].t())
            up = spare[: len(self.layers[-1][0])]
            torch.mm(self.head.t(), above, out=up[:, :n])
            for i in range(len(self.layers) - 1, -1, -1):
                matrix = self.layers[i][0]
                mean, scale = self._moments(i, block)
                gz = gz_all[: len(matrix)]
                fused_kernels.backward(
                    self.tanh, n, up.numpy(), self.y[i][block].numpy(), self.vectors[i][1], mean, scale, gz.numpy(),
                    *sums[i],
                )  # fmt: skip
                below = self.out[i - 1][:, :n].t() if i else self.x[first : first + n]
                g_matrices[i].addmm_(gz[:, :n], below)
                if i:
                    up = spare[: matrix.shape[1]]
                    torch.mm(matrix.t(), gz[:, :n], out=up[:, :n])
                elif g_x is not None:
                    torch.mm(gz[:, :n].t(), matrix, out=g_x[first : first + n])
        found: list[torch.Tensor] = []
        for matrix, part in zip(g_matrices, sums, strict=True):
            g_weight, g_shift, g_bias = torch.from_numpy(part.sum(axis=2))
            found += [matrix, g_bias, g_weight, g_shift]
        return g_x, [*found, g_head, g.sum(dim=0)]

    def _moments(self, layer: int, block: int) -> Any:
        return self.moments[layer, :, block * self.size : (block + 1) * self.size]


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
