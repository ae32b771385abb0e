"""Perceptron layers on compiled kernels: products by the linear-algebra library, everything between them in one pass.

Feature-major: a batch of R rows with H features is [H, R].  Used for networks with one group of weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.learning import fused_kernels
from equilibria.agents.learning.torch_import import torch

_EPSILON = np.float32(1e-5)
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


class Head(torch.autograd.Function):
    """Linear map of feature-major rows x [H, R] to [R, out]."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return [R, out]."""
        ctx.save_for_backward(x, matrix)
        return torch.mm(matrix, x).t() + bias  # the product the other way round is many times slower

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        """Return the gradients of all inputs; that of x is feature-major again."""
        x, matrix = ctx.saved_tensors
        g = grads[0]
        g_x = padded(*x.shape)
        torch.mm(matrix.t(), g.t(), out=g_x)
        return g_x, g.t() @ x.t(), g.sum(dim=0)


def head(x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return matrix @ x + bias as rows [R, out] for x [H, R]."""
    found: torch.Tensor = Head.apply(x, matrix, bias)
    return found


def layer(
    x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor, weight: torch.Tensor, shift: torch.Tensor, tanh: bool
) -> torch.Tensor:
    """Return LayerNorm(activation(matrix @ x + bias)) [H, R] of x [D, R], with gradients where they are on."""
    if torch.is_grad_enabled():
        found: torch.Tensor = ActivateNormalise.apply(x, matrix, bias, weight, shift, tanh)
        return found
    return _layer(x, matrix, bias, weight, shift, tanh)[3]


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
