"""Compiled sums of logistic regressions whose columns are an intercept, numeric features and one indicator of I.

A row has 2 + d entries that are not 0, so a Hessian costs (1 + d)(2 + d) / 2 + 2 + d additions per row instead of
(1 + d + I)^2.
"""

from __future__ import annotations

import math

from equilibria.sim.jit import kernel


@kernel
def loss_and_slopes(features, group, reward, rows, w, gradient, hessian):  # type: ignore[no-untyped-def]
    """Write gradient and Hessian (lower triangle and diagonal) of the logistic loss and return the loss.

    Args:
        features: float64 [N, d].
        group: int64 [N] in 0 .. I-1.
        reward: float64 [N] in [0, 1].
        rows: int64 [R] rows that count.
        w: float64 [1 + d + I] intercept, weights of features, effects of groups.
        gradient: float64 [1 + d + I], overwritten.
        hessian: float64 [1 + d + I, 1 + d + I], overwritten.
    """
    d = features.shape[1]
    gradient[:] = 0.0
    hessian[:, :] = 0.0
    loss = 0.0
    for r in rows:
        g = 1 + d + group[r]
        z = w[0] + w[g]
        for j in range(d):
            z += w[1 + j] * features[r, j]
        small = math.exp(-abs(z))
        p = 1.0 / (1.0 + small) if z >= 0.0 else small / (1.0 + small)
        loss += math.log1p(small) + max(z, 0.0) - reward[r] * z
        slope, curvature = p - reward[r], small / (1.0 + small) ** 2
        gradient[0] += slope
        gradient[g] += slope
        hessian[0, 0] += curvature
        hessian[g, 0] += curvature
        hessian[g, g] += curvature
        for j in range(d):
            x = features[r, j]
            gradient[1 + j] += slope * x
            hessian[1 + j, 0] += curvature * x
            hessian[g, 1 + j] += curvature * x
            for k in range(j + 1):
                hessian[1 + j, 1 + k] += curvature * x * features[r, k]
    return loss
