"""Compiled normal numbers for continuous actions."""

from __future__ import annotations

import math

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform


@kernel
def draw_normals(key, out):  # type: ignore[no-untyped-def]
    """Fill out [B, N, P] with standard normals; those of (b, i) depend on (key, b, i) only (Box-Muller)."""
    batch, agents, parts = out.shape
    for b in range(batch):
        for i in range(agents):
            for j in range((parts + 1) // 2):
                first = uniform(key, 2 * j, b, i)
                radius = math.sqrt(-2.0 * math.log(1.0 - first))
                angle = 2.0 * math.pi * uniform(key, 2 * j + 1, b, i)
                out[b, i, 2 * j] = radius * math.cos(angle)
                if 2 * j + 1 < parts:
                    out[b, i, 2 * j + 1] = radius * math.sin(angle)
