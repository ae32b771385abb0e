"""Compiled pieces of the slope of bidders' utilities in their reports; all in float32."""

from __future__ import annotations

import math

import numpy as np

from equilibria.agents.learning.fused_kernels import tanh32
from equilibria.sim.jit import kernel

_ONE = np.float32(1.0)
_NIL = np.float32(0.0)


@kernel(division="numpy")
def activate(z, bias):  # type: ignore[no-untyped-def]
    """Replace z [2, R, H] by tanh(z + bias), bias [2, H]."""
    for k in range(z.shape[0]):
        shift = bias[k]
        for r in range(z.shape[1]):
            row = z[k, r]
            for j in range(row.shape[0]):
                row[j] = tanh32(row[j] + shift[j])


@kernel
def through_tanh(back, unit):  # type: ignore[no-untyped-def]
    """Multiply back [N] by 1 - unit^2, both flat."""
    for j in range(back.shape[0]):
        back[j] *= _ONE - unit[j] * unit[j]


@kernel
def mix(values, reports, out):  # type: ignore[no-untyped-def]
    """Write the profiles out [n, B, n, m] in which one bidder reports [B, n, m] and the others tell the truth."""
    bidders = values.shape[1]
    for i in range(bidders):
        for b in range(values.shape[0]):
            for k in range(bidders):
                source = reports if k == i else values
                for j in range(values.shape[2]):
                    out[i, b, k, j] = source[b, k, j]


@kernel(division="numpy")
def heads(logits, part_logits, values, reports, slope):  # type: ignore[no-untyped-def]
    """Differentiate u = sum_j s_j (v_j - q r_j) of the bidder whose report is in the row.

    Args:
        logits: [n B, n + 1, m + 1] of the shares, the softmax over the first axis; overwritten with slopes.
        part_logits: [n B, n] of the parts paid, sigmoid; overwritten with slopes.
        values: [B, n, m].
        reports: [B, n, m].
        slope: [B, n, m], overwritten with -q s_j, what the payment takes directly.
    """
    bidders, items = values.shape[1], values.shape[2]
    for row in range(logits.shape[0]):
        i, b = row // values.shape[0], row % values.shape[0]
        q = _ONE / (_ONE + math.exp(-part_logits[row, i]))
        paid = _NIL
        for j in range(items):
            top = logits[row, 0, j]
            for k in range(1, bidders + 1):
                top = max(top, logits[row, k, j])
            total = _NIL
            for k in range(bidders + 1):
                logits[row, k, j] = math.exp(logits[row, k, j] - top)
                total += logits[row, k, j]
            share = logits[row, i, j] / total
            worth = share * (values[b, i, j] - q * reports[b, i, j])
            for k in range(bidders + 1):
                logits[row, k, j] = -worth * logits[row, k, j] / total
            logits[row, i, j] += worth
            slope[b, i, j] = -q * share
            paid += share * reports[b, i, j]
        for k in range(bidders + 1):
            logits[row, k, items] = _NIL
        for k in range(bidders):
            part_logits[row, k] = _NIL
        part_logits[row, i] = -q * (_ONE - q) * paid


@kernel
def own_columns(inputs, scale, slope):  # type: ignore[no-untyped-def]
    """Add the slopes [2, n B, n m] of both networks in the own columns, divided by scale, to slope [B, n, m]."""
    profiles, bidders, items = slope.shape
    for i in range(bidders):
        for b in range(profiles):
            for j in range(items):
                at = inputs[0, i * profiles + b, i * items + j] + inputs[1, i * profiles + b, i * items + j]
                slope[b, i, j] += at / scale


@kernel(division="numpy")
def climb(reports, slope, first, second, lows, highs, size, decay1, decay2, root, epsilon):  # type: ignore[no-untyped-def]
    """Move reports [B, n, m] up their slopes by a step of Adam in units of the range of values, clipped to it.

    Args:
        reports: Moved in place.
        slope: Slopes.
        first: First moments, updated.
        second: Second moments, updated.
        lows: [m].
        highs: [m].
        size: Step divided by 1 - beta_1^k.
        decay1: beta_1.
        decay2: beta_2.
        root: 1 - beta_2^k.
        epsilon: Added to the root of the second moment.
    """
    for b in range(reports.shape[0]):
        for i in range(reports.shape[1]):
            for j in range(reports.shape[2]):
                width = highs[j] - lows[j]
                g = slope[b, i, j] * width
                one = decay1 * first[b, i, j] + (_ONE - decay1) * g
                two = decay2 * second[b, i, j] + (_ONE - decay2) * g * g
                first[b, i, j], second[b, i, j] = one, two
                moved = reports[b, i, j] + size * width * one / (np.float32(math.sqrt(two / root)) + epsilon)
                reports[b, i, j] = min(max(moved, lows[j]), highs[j])
