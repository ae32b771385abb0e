"""Compiled proportional response.  Cost: two passes over n x m numbers per iteration."""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel


@kernel
def respond(values, budget, money, saved, steps):  # type: ignore[no-untyped-def]
    """Do ``steps`` proportional-response iterations in place on ``money`` [n, m] and ``saved`` [n]."""
    n, m = values.shape
    total = np.empty(m)
    for _ in range(steps):
        total[:] = 0.0
        for i in range(n):
            for j in range(m):
                total[j] += money[i, j]
        for i in range(n):
            wealth = saved[i]
            for j in range(m):
                gain = values[i, j] * money[i, j] / total[j] if total[j] > 0.0 else 0.0
                money[i, j] = gain
                wealth += gain
            scale = budget[i] / wealth
            for j in range(m):
                money[i, j] *= scale
            saved[i] *= scale
