"""Gradient ascent of bidders' utilities in their own reports, written out for additive demand.

With shares s_k = softmax over the bidders and nobody, part paid q = sigmoid, reports r and values v, bidder i has
u = sum_j s_ij (v_ij - q_i r_ij).  Matrix products are torch's; everything between them is one compiled pass over
arrays that are allocated once.  Tests compare it with recorded gradients.

Cost: two matrix products of [2, n B, H] with [2, H, H] per step and pair of layers, about 0.3 ms for n = 1, B = 128,
H = 100; a third of the time of recorded gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.learning.torch_import import torch
from equilibria.agents.mechanism_design import kernels

Tensor = Any
_BETA1, _BETA2, _EPSILON = np.float32(0.9), np.float32(0.999), np.float32(1e-8)


class Ascent:
    """Workspace for profiles of one size.

    Args:
        profiles: Profiles B.
        bidders: n.
        items: m.
        hidden: Units per layer H.
        layers: Hidden layers.
        scale: What reports are divided by.
        lows: float32 [m] least values.
        highs: float32 [m] greatest values.
    """

    def __init__(
        self, profiles: int, bidders: int, items: int, hidden: int, layers: int, scale: float, lows: Any, highs: Any
    ) -> None:
        n, m, rows = bidders, items, profiles * bidders
        self._scale, self._lows, self._highs = np.float32(scale), lows, highs
        self._units = [torch.empty(2, rows, hidden) for _ in range(layers)]
        self._back = [torch.empty(2, rows, hidden) for _ in range(layers)]
        self._mixed, self._input = torch.empty(n, profiles, n, m), torch.empty(2, rows, n * m)
        self._logits, self._parts = torch.empty(rows, (n + 1) * (m + 1)), torch.empty(rows, n)
        self._slope, self._moments = torch.empty(profiles, n, m), torch.empty(2, profiles, n, m)
        self._table = self._logits.view(rows, n + 1, m + 1).numpy()

    def slope(self, layers: list[Tensor], values: Tensor, reports: Tensor) -> Tensor:
        """Return the slopes [B, n, m] of utilities in reports [B, n, m]; overwritten by the next call."""
        *body, to_shares, shift, to_parts, shift_parts = layers
        weights, shifts = body[::2], body[1::2]
        v, r = values.numpy(), reports.numpy()
        kernels.mix(v, r, self._mixed.numpy())
        rows = self._parts.shape[0]
        h = self._mixed.view(1, rows, -1).expand(2, rows, -1)
        for k, (unit, weight, shift_k) in enumerate(zip(self._units, weights, shifts, strict=True)):
            torch.bmm(h, weight / self._scale if k == 0 else weight, out=unit)
            kernels.activate(unit.numpy(), shift_k[:, 0].numpy())
            h = unit
        torch.addmm(shift, h[0], to_shares, out=self._logits)
        torch.addmm(shift_parts, h[1], to_parts, out=self._parts)
        kernels.heads(self._table, self._parts.numpy(), v, r, self._slope.numpy())
        torch.mm(self._logits, to_shares.T, out=self._back[-1][0])
        torch.mm(self._parts, to_parts.T, out=self._back[-1][1])
        for k in range(len(self._units) - 1, -1, -1):
            kernels.through_tanh(self._back[k].view(-1).numpy(), self._units[k].view(-1).numpy())
            target = self._back[k - 1] if k else self._input
            torch.bmm(self._back[k], weights[k].transpose(1, 2), out=target)
        kernels.own_columns(self._input.numpy(), self._scale, self._slope.numpy())
        return self._slope

    def run(self, layers: list[Tensor], values: Tensor, reports: Tensor, steps: int, step: float) -> Tensor:
        """Return reports [B, n, m] after Adam steps of ``step`` ranges of the values."""
        found = reports.clone()
        self._moments.zero_()
        first, second = self._moments.numpy()
        for k in range(1, steps + 1):
            slope = self.slope(layers, values, found).numpy()
            size, root = np.float32(step / (1 - 0.9**k)), np.float32(1 - 0.999**k)
            kernels.climb(
                found.numpy(), slope, first, second, self._lows, self._highs, size, _BETA1, _BETA2, root, _EPSILON
            )
        return found
