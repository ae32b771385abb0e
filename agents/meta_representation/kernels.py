"""Compiled attention over pairs: hidden units of pairs are made when needed and never stored.

Axes: M joint samples, N agents, K relations per agent, D hidden units.  Everywhere

    hidden_ijd = max(0, a_jd - c_id),

a [M, N, D] the part of the observed agent, c [M, N, D] that of the observer.  Sums run in a fixed order.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel

SCALE = np.float32(8.0)
"""Scores are divided by the root of 64, as published."""


@kernel
def attend(a, c, u, g):  # type: ignore[no-untyped-def]
    """Write g [M, N, K, N] = softmax over j != i of sum_d u_ikd hidden_ijd / 8, 0 at j = i."""
    m, n, k, width = u.shape
    zero = np.float32(0.0)
    hidden = np.empty(width, dtype=np.float32)
    for s in range(m):
        for i in range(n):
            for j in range(n):
                if j == i:
                    continue
                for d in range(width):
                    hidden[d] = max(zero, a[s, j, d] - c[s, i, d])
                for h in range(k):
                    p, q, r, t = zero, zero, zero, zero  # four partial sums: short chains of additions
                    for d in range(0, width, 4):
                        p += hidden[d] * u[s, i, h, d]
                        q += hidden[d + 1] * u[s, i, h, d + 1]
                        r += hidden[d + 2] * u[s, i, h, d + 2]
                        t += hidden[d + 3] * u[s, i, h, d + 3]
                    g[s, i, h, j] = ((p + q) + (r + t)) / SCALE
            for h in range(k):
                top = np.float32(-np.inf)
                for j in range(n):
                    if j != i:
                        top = max(top, g[s, i, h, j])
                total = zero
                for j in range(n):
                    if j != i:
                        g[s, i, h, j] = np.float32(math.exp(g[s, i, h, j] - top))
                        total += g[s, i, h, j]
                for j in range(n):
                    g[s, i, h, j] = g[s, i, h, j] / total if j != i else zero


@kernel
def attend_back(a, c, u, g, slope, da, dc, du):  # type: ignore[no-untyped-def]
    """Add to da, dc [M, N, D] and du [M, N, K, D] the gradients for ``slope`` [M, N, K, N] by g."""
    m, n, k, width = u.shape
    zero = np.float32(0.0)
    back = np.empty((k, n), dtype=np.float32)
    for s in range(m):
        for i in range(n):
            for h in range(k):
                mean = zero
                for j in range(n):
                    mean += g[s, i, h, j] * slope[s, i, h, j]
                for j in range(n):
                    back[h, j] = g[s, i, h, j] * (slope[s, i, h, j] - mean) / SCALE
            for j in range(n):
                if j == i:
                    continue
                for h in range(k):
                    w = back[h, j]
                    for d in range(width):
                        x = a[s, j, d] - c[s, i, d]
                        hidden = max(zero, x)
                        du[s, i, h, d] += w * hidden
                        y = w * u[s, i, h, d] if x > zero else zero
                        da[s, j, d] += y
                        dc[s, i, d] -= y


@kernel
def gather(a, c, g, pooled):  # type: ignore[no-untyped-def]
    """Write pooled [M, N, K, D] = sum over j of g_ikj hidden_ijd."""
    m, n, k, _ = g.shape
    width = a.shape[2]
    zero = np.float32(0.0)
    for s in range(m):
        for i in range(n):
            for h in range(k):
                for d in range(width):
                    pooled[s, i, h, d] = zero
                for j in range(n):
                    w = g[s, i, h, j]
                    if j != i:
                        for d in range(width):
                            pooled[s, i, h, d] += w * max(zero, a[s, j, d] - c[s, i, d])


@kernel
def gather_back(a, c, g, slope, da, dc, dg):  # type: ignore[no-untyped-def]
    """Add to da, dc [M, N, D] and write dg [M, N, K, N] for ``slope`` [M, N, K, D] by pooled."""
    m, n, k, _ = g.shape
    width = a.shape[2]
    zero = np.float32(0.0)
    hidden = np.empty(width, dtype=np.float32)
    for s in range(m):
        for i in range(n):
            for j in range(n):
                if j == i:
                    for h in range(k):
                        dg[s, i, h, j] = zero
                    continue
                for d in range(width):
                    hidden[d] = max(zero, a[s, j, d] - c[s, i, d])
                for h in range(k):
                    w = g[s, i, h, j]
                    p, q, r, t = zero, zero, zero, zero
                    for d in range(0, width, 4):
                        p += hidden[d] * slope[s, i, h, d]
                        q += hidden[d + 1] * slope[s, i, h, d + 1]
                        r += hidden[d + 2] * slope[s, i, h, d + 2]
                        t += hidden[d + 3] * slope[s, i, h, d + 3]
                    dg[s, i, h, j] = (p + q) + (r + t)
                    for d in range(width):
                        y = w * slope[s, i, h, d] if hidden[d] > zero else zero
                        da[s, j, d] += y
                        dc[s, i, d] -= y
