"""Attention over pairs of agents as torch operations with compiled gradients.

A linear layer on o_ij, what i sees of j, splits into W o_ij + b = a_j - c_i with a_j = W r_j + b (r_j the row of j in
the order of o) and c_i = W_place p_i.  The kernels make ReLU(a_j - c_i) on the fly.
"""

from __future__ import annotations

from typing import Any

from equilibria.agents.learning.torch_import import torch
from equilibria.agents.meta_representation import kernels

SCALE = float(kernels.SCALE)


class Pairs(torch.nn.Module):
    """First layer on all o_ij, kept as its two parts.

    Args:
        width: Entries of a row.
        units: Hidden units D, a multiple of 4.
    """

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(width, units)

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a and c [M, N, D] of rows [M, N, F]."""
        place = rows[..., 2:4]
        seen = torch.cat([place, rows[..., :2], rows[..., 4:]], dim=-1)
        return self.layer(seen), place @ self.layer.weight[:, :2].T


def attention(parts: tuple[torch.Tensor, torch.Tensor], u: torch.Tensor) -> torch.Tensor:
    """Return g [M, N, K, N] = softmax_j(u_ik . ReLU(a_j - c_i) / 8) over the others, u [M, N, K, D]."""
    return _Attend.apply(*parts, u)  # type: ignore[no-any-return]


def pool(parts: tuple[torch.Tensor, torch.Tensor], g: torch.Tensor) -> torch.Tensor:
    """Return sum_j g_ikj ReLU(a_j - c_i), [M, N, K, D], of weights g [M, N, K, N]."""
    return _Pool.apply(*parts, g)  # type: ignore[no-any-return]


def _arrays(*tensors: torch.Tensor) -> list[Any]:
    return [x.detach().contiguous().numpy() for x in tensors]


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, c: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        g = torch.empty((*u.shape[:3], u.shape[1]))
        kernels.attend(*_arrays(a, c, u, g))
        ctx.save_for_backward(a, c, u, g)
        return g

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, ...]:
        a, c, u, g = ctx.saved_tensors
        found = [torch.zeros_like(x, memory_format=torch.contiguous_format) for x in (a, c, u)]
        kernels.attend_back(*_arrays(a, c, u, g, slope, *found))
        return tuple(found)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, c: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        pooled = torch.empty((*g.shape[:3], a.shape[2]))
        kernels.gather(*_arrays(a, c, g, pooled))
        ctx.save_for_backward(a, c, g)
        return pooled

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, ...]:
        a, c, g = ctx.saved_tensors
        found = [torch.zeros_like(x, memory_format=torch.contiguous_format) for x in (a, c, g)]
        kernels.gather_back(*_arrays(a, c, g, slope, *found))
        return tuple(found)
