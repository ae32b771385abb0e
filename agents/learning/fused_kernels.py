"""Compiled layers: bias, activation and layer normalisation in one pass, and their derivatives.

Arrays are feature-major: [H, R] holds feature j of row r at [j, r], so that sums over features run over whole
vectors of rows and the compiler needs no reassociation.  Rows are handled in blocks that stay in the cache.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel

BLOCK = 128

# Rational fit x P(x^2) / Q(x^2) of tanh on [-9, 9] by reweighted least squares: relative error 2e-8, with
# float32 arithmetic an absolute error of 3e-7.
_P0, _P1, _P2, _P3, _P4 = (
    np.float32(0.9999999796671255), np.float32(0.13381015777687827), np.float32(0.003495575967127962),
    np.float32(2.060887290698619e-05), np.float32(1.3354363169340847e-08),
)  # fmt: skip
_Q0, _Q1, _Q2, _Q3, _Q4 = (
    np.float32(1.0), np.float32(0.46714331442401114), np.float32(0.02587693693855806),
    np.float32(0.0003285614451791822), np.float32(7.776437534725676e-07),
)  # fmt: skip
_EDGE = np.float32(9.0)
_ONE = np.float32(1.0)
_NIL = np.float32(0.0)


@kernel(inline="always")
def tanh32(x):  # type: ignore[no-untyped-def]
    """Return tanh of a float32; not-a-number stays what it is."""
    z = _EDGE if x > _EDGE else (max(x, -_EDGE))
    u = z * z
    return z * (_P0 + u * (_P1 + u * (_P2 + u * (_P3 + u * _P4)))) / (_Q0 + u * (_Q1 + u * (_Q2 + u * (_Q3 + u * _Q4))))


@kernel(division="numpy")
def forward(tanh, epsilon, rows, z, bias, weight, shift, mean, scale, out):  # type: ignore[no-untyped-def]
    """Replace z [H, >= rows] by y = activation(z + bias); write out = weight (y - mean) scale + shift.

    mean and scale [rows] are the moments over features: scale = 1 / sqrt(variance + epsilon).
    """
    width = z.shape[0]
    share = _ONE / np.float32(width)
    for first in range(0, rows, BLOCK):
        last = min(first + BLOCK, rows)
        total, spread = mean[first:last], scale[first:last]
        total[:] = _NIL
        spread[:] = _NIL
        for j in range(width):
            b, row = bias[j], z[j, first:last]
            if tanh:
                for r in range(len(row)):
                    y = tanh32(row[r] + b)
                    row[r] = y
                    total[r] += y
            else:
                for r in range(len(row)):
                    y = row[r] + b
                    y = max(y, _NIL)
                    row[r] = y
                    total[r] += y
        for r in range(len(total)):
            total[r] *= share
        for j in range(width):
            row = z[j, first:last]
            for r in range(len(row)):
                gap = row[r] - total[r]
                spread[r] += gap * gap
        for r in range(len(spread)):
            spread[r] = _ONE / np.float32(math.sqrt(spread[r] * share + epsilon))
        for j in range(width):
            w, s, row, into = weight[j], shift[j], z[j, first:last], out[j, first:last]
            for r in range(len(row)):
                into[r] = (row[r] - total[r]) * spread[r] * w + s


@kernel(division="numpy")
def backward(  # type: ignore[no-untyped-def]
    tanh, rows, g, y, weight, mean, scale, gz, g_weight, g_shift, g_bias
):
    """Write gz [H, >= rows], the gradient before the activation, and gradients [H, BLOCK] of the three vectors.

    g [H, >= rows] is the gradient of the output of ``forward``, y its activations; to be summed over the block.
    """
    width = g.shape[0]
    share = _ONE / np.float32(width)
    plain = np.empty(BLOCK, np.float32)
    along = np.empty(BLOCK, np.float32)
    for first in range(0, rows, BLOCK):
        last = min(first + BLOCK, rows)
        middle, spread = mean[first:last], scale[first:last]
        plain[:] = _NIL
        along[:] = _NIL
        for j in range(width):
            w, g_row, y_row = weight[j], g[j, first:last], y[j, first:last]
            for r in range(len(g_row)):
                h = g_row[r] * w
                plain[r] += h
                along[r] += h * (y_row[r] - middle[r]) * spread[r]
        plain *= share
        along *= share
        for j in range(width):
            w, g_row, y_row, into = weight[j], g[j, first:last], y[j, first:last], gz[j, first:last]
            if tanh:
                for r in range(len(g_row)):
                    a = y_row[r]
                    x = (a - middle[r]) * spread[r]
                    into[r] = spread[r] * (g_row[r] * w - plain[r] - x * along[r]) * (_ONE - a * a)
            else:
                for r in range(len(g_row)):
                    a = y_row[r]
                    x = (a - middle[r]) * spread[r]
                    d = spread[r] * (g_row[r] * w - plain[r] - x * along[r])
                    into[r] = d if a > _NIL else _NIL
            lanes, lanes_shift, lanes_bias = g_weight[j], g_shift[j], g_bias[j]
            for r in range(len(g_row)):
                lanes[r] += g_row[r] * (y_row[r] - middle[r]) * spread[r]
                lanes_shift[r] += g_row[r]
                lanes_bias[r] += into[r]


@kernel(division="numpy")
def affine(rows, y, mean, scale, weight, shift, out):  # type: ignore[no-untyped-def]
    """Write out [H, >= rows] = weight (y - mean) scale + shift again from the activations."""
    middle, spread = mean[:rows], scale[:rows]
    for j in range(y.shape[0]):
        w, s, row, into = weight[j], shift[j], y[j, :rows], out[j, :rows]
        for r in range(len(row)):
            into[r] = (row[r] - middle[r]) * spread[r] * w + s
