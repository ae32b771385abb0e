"""Compiled parts of a gradient step without an autograd graph; see ``perceptron_step``.

Arrays are feature-major: [H, R] holds feature j of row r at [j, r].  A layer's input x is normalised but neither
scaled nor shifted, since scale and shift are folded into the weights that follow; its last feature is 1, so the
bias is one more column of those weights.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.agents.learning.fused_kernels import tanh32
from equilibria.sim.jit import kernel

BLOCK = 128
_ONE = np.float32(1.0)
_NIL = np.float32(0.0)
_HALF = np.float32(0.5)
_MASKED = np.float32(-1e10)
_LOW = np.float32(-87.0)
_LOG2E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_C3, _C4, _C5, _C6, _C7 = (np.float32(1 / math.factorial(n)) for n in range(3, 8))


@kernel
def fold(weight, bias, scale, shift, out):  # type: ignore[no-untyped-def]
    """Write out [O, I + 1]: weights [O, I] times scale [<= I] and, last, bias + weights @ shift."""
    scaled = len(scale)
    inputs = weight.shape[1]
    for o in range(weight.shape[0]):
        total = 0.0
        for j in range(scaled):
            out[o, j] = weight[o, j] * scale[j]
            total += weight[o, j] * shift[j]
        for j in range(scaled, inputs):
            out[o, j] = weight[o, j]
        out[o, inputs] = bias[o] + total


@kernel
def unfold(weight, scale, shift, found, g_weight, g_bias, g_scale, g_shift):  # type: ignore[no-untyped-def]
    """Write the gradients of what ``fold`` was given from the gradient ``found`` [O, I + 1] of what it wrote."""
    scaled = len(scale)
    inputs = weight.shape[1]
    g_scale[:] = _NIL
    g_shift[:] = _NIL
    for o in range(weight.shape[0]):
        last = found[o, inputs]
        g_bias[o] = last
        for j in range(scaled):
            g_weight[o, j] = found[o, j] * scale[j] + last * shift[j]
            g_scale[j] += found[o, j] * weight[o, j]
            g_shift[j] += last * weight[o, j]
        for j in range(scaled, inputs):
            g_weight[o, j] = found[o, j]


@kernel
def adam(weights, gradient, first, second, largest, rate, step):  # type: ignore[no-untyped-def]
    """Clip the gradient [P] to norm ``largest`` and do Adam's step number ``step``; return the norm before.

    ``first`` and ``second`` [P] are the moments with decays .9 and .999; epsilon is 1e-5.  Nothing is changed when
    the norm is not finite.
    """
    lanes = np.zeros(16)
    size = len(weights)
    whole = size // 16 * 16
    for i in range(0, whole, 16):
        for k in range(16):
            g = np.float64(gradient[i + k])
            lanes[k] += g * g
    square = 0.0
    for k in range(16):
        square += lanes[k]
    for i in range(whole, size):
        square += np.float64(gradient[i]) ** 2
    norm = math.sqrt(square)
    if not math.isfinite(norm):
        return norm
    factor = np.float32(min(largest / (norm + 1e-6), 1.0))
    pace = np.float32(rate / (1.0 - 0.9**step))
    spread = np.float32(math.sqrt(1.0 - 0.999**step))
    keep, take, fresh, tiny = np.float32(0.999), np.float32(0.001), np.float32(0.1), np.float32(1e-5)
    _adam_loop(weights, gradient, first, second, factor, pace, spread, keep, take, fresh, tiny)
    return norm


@kernel(division="numpy")
def _adam_loop(  # type: ignore[no-untyped-def]
    weights, gradient, first, second, factor, pace, spread, keep, take, fresh, tiny
):
    for i in range(len(weights)):
        g = gradient[i] * factor
        m = first[i] + fresh * (g - first[i])
        v = second[i] * keep + take * g * g
        first[i] = m
        second[i] = v
        weights[i] -= pace * m / (np.float32(math.sqrt(v)) / spread + tiny)


@kernel(division="numpy")
def moments(source, everyone, columns, epsilon, out):  # type: ignore[no-untyped-def]
    """Write mean and 1 / sqrt(variance + epsilon) [S, 2] of the rows s * everyone + column of source [S, D]."""
    width = source.shape[1]
    share = 1.0 / width
    for first in range(0, source.shape[0], everyone):
        for column in columns:
            row = source[first + column]
            total = 0.0
            for j in range(width):
                total += row[j]
            total *= share
            spread = 0.0
            for j in range(width):
                spread += (row[j] - total) ** 2
            out[first + column, 0] = total
            out[first + column, 1] = 1.0 / math.sqrt(spread * share + epsilon)


@kernel
def gather(source, center, index, first, count, everyone, columns, out):  # type: ignore[no-untyped-def]
    """Write the rows of ``count`` samples from ``index[first]`` on, normalised if ``center`` is not empty.

    Row index * everyone + column of ``source`` becomes row sample * len(columns) + lane of ``out`` [R, >= D].
    """
    width = source.shape[1]
    normalise = center.shape[0] > 0
    r = 0
    for s in range(first, first + count):
        base = index[s] * everyone
        for column in columns:
            row, into = source[base + column], out[r]
            if normalise:
                mean, scale = center[base + column, 0], center[base + column, 1]
                for j in range(width):
                    into[j] = (row[j] - mean) * scale
            else:
                for j in range(width):
                    into[j] = row[j]
            r += 1


@kernel(division="numpy")
def standardise(source, first, rows, normalise, epsilon, out):  # type: ignore[no-untyped-def]
    """Write rows of source [S, D] from ``first`` on to out [>= rows, >= D], each normalised if asked."""
    width = source.shape[1]
    share = 1.0 / width
    for r in range(rows):
        row, into = source[first + r], out[r]
        mean, scale = 0.0, 1.0
        if normalise:
            for j in range(width):
                mean += row[j]
            mean *= share
            spread = 0.0
            for j in range(width):
                spread += (row[j] - mean) ** 2
            scale = 1.0 / math.sqrt(spread * share + epsilon)
        centre, factor = np.float32(mean), np.float32(scale)
        for j in range(width):
            into[j] = (row[j] - centre) * factor


@kernel(division="numpy")
def forward(tanh, epsilon, rows, x, mean, scale):  # type: ignore[no-untyped-def]
    """Replace x [H + 1, >= rows] by (y - mean) scale, y = activation(x), except for its last row.

    mean and scale [>= rows] are the moments over features: scale = 1 / sqrt(variance + epsilon).
    """
    width = x.shape[0] - 1
    share = _ONE / np.float32(width)
    for first in range(0, rows, BLOCK):
        last = min(first + BLOCK, rows)
        total, spread = mean[first:last], scale[first:last]
        total[:] = _NIL
        spread[:] = _NIL
        for j in range(width):
            row = x[j, first:last]
            if tanh:
                for r in range(len(row)):
                    y = tanh32(row[r])
                    row[r] = y
                    total[r] += y
            else:
                for r in range(len(row)):
                    y = max(row[r], _NIL)
                    row[r] = y
                    total[r] += y
        for r in range(len(total)):
            total[r] *= share
        for j in range(width):
            row = x[j, first:last]
            for r in range(len(row)):
                gap = row[r] - total[r]
                row[r] = gap
                spread[r] += gap * gap
        for r in range(len(spread)):
            spread[r] = _ONE / np.float32(math.sqrt(spread[r] * share + epsilon))
        for j in range(width):
            row = x[j, first:last]
            for r in range(len(row)):
                row[r] *= spread[r]


@kernel(division="numpy")
def backward(tanh, rows, g, x, mean, scale):  # type: ignore[no-untyped-def]
    """Replace g [H, >= rows], the gradient of what ``forward`` wrote to x, by that of what it was given."""
    width = g.shape[0]
    share = _ONE / np.float32(width)
    plain = np.empty(BLOCK, np.float32)
    along = np.empty(BLOCK, np.float32)
    width_of = np.empty(BLOCK, np.float32)
    for first in range(0, rows, BLOCK):
        last = min(first + BLOCK, rows)
        middle, spread = mean[first:last], scale[first:last]
        plain[:] = _NIL
        along[:] = _NIL
        for j in range(width):
            g_row, x_row = g[j, first:last], x[j, first:last]
            for r in range(len(g_row)):
                plain[r] += g_row[r]
                along[r] += g_row[r] * x_row[r]
        for r in range(len(middle)):
            plain[r] *= share
            along[r] *= share
            width_of[r] = _ONE / spread[r] if tanh else -middle[r] * spread[r]
        for j in range(width):
            g_row, x_row = g[j, first:last], x[j, first:last]
            if tanh:
                for r in range(len(g_row)):
                    a = x_row[r] * width_of[r] + middle[r]
                    g_row[r] = spread[r] * (g_row[r] - plain[r] - x_row[r] * along[r]) * (_ONE - a * a)
            else:
                for r in range(len(g_row)):  # an activation of 0 is normalised to just -mean scale
                    d = spread[r] * (g_row[r] - plain[r] - x_row[r] * along[r])
                    g_row[r] = d if x_row[r] > width_of[r] else _NIL


@kernel(division="numpy")
def _exponentials(logits, top, gap, weight, total, mean_gap, bits, powers):  # type: ignore[no-untyped-def]
    """Write gap [A, R] = logits - top, weight = exp(gap), and their sums total and sum of weight gap [R].

    exp(x) = 2^k exp(f) with a polynomial in f, relative error 1e-7; 0 below -87.  ``powers`` [R] is ``bits`` [R] seen
    as float32.  Not-a-number stays what it is.
    """
    top[:] = logits[0]
    for a in range(1, logits.shape[0]):
        row = logits[a]
        for r in range(len(row)):
            top[r] = max(row[r], top[r])
    total[:] = _NIL
    mean_gap[:] = _NIL
    for a in range(logits.shape[0]):
        row, gap_row, into = logits[a], gap[a], weight[a]
        for r in range(len(row)):
            g = row[r] - top[r]
            gap_row[r] = g
            z = max(g, _LOW)
            k = np.floor(z * _LOG2E + _HALF)
            f = z - k * _LN2_HIGH - k * _LN2_LOW
            into[r] = _ONE + f * (_ONE + f * (_HALF + f * (_C3 + f * (_C4 + f * (_C5 + f * (_C6 + f * _C7))))))
            bits[r] = (np.int32(k) + np.int32(127)) << np.int32(23)
        for r in range(len(row)):
            g = gap_row[r]
            e = _NIL if g < _LOW else into[r] * powers[r]
            into[r] = e
            total[r] += e
            mean_gap[r] += e * g


@kernel(division="numpy")
def _slopes(logits, gap, weight, mean_gap, pull, pressure, scale):  # type: ignore[no-untyped-def]
    """Write to logits [A, R] what both terms of the loss say about all actions, the drawn ones included."""
    for a in range(logits.shape[0]):
        into, gap_row, weight_row = logits[a], gap[a], weight[a]
        for r in range(len(into)):
            p = weight_row[r] * scale[r]
            into[r] = p * (pressure[r] * (gap_row[r] - mean_gap[r]) - pull[r])


@kernel
def policy_gradient(  # type: ignore[no-untyped-def]
    logits, index, first, count, mask, actions, old_log_prob, advantage, active, share, clip, entropy_weight, sums
):
    """Replace logits [A, R] by the gradient of the PPO loss of softmax policies; add up what is reported.

    Rows are ``count`` samples from ``index[first]`` on times N agents; samples hold mask [S, N, A], actions,
    old_log_prob, advantage and active [S, N], of which mask and active may be empty, which means all.  ``share`` is
    1 / number of active rows of the whole minibatch.  ``sums`` [5]: surrogate, entropy, ratio - 1 - log ratio,
    clipped rows, largest |log ratio|.
    """
    choices = logits.shape[0]
    agents = actions.shape[1]
    masked, everyone = mask.shape[0] > 0, active.shape[0] == 0
    rows = count * agents
    gaps, weights = np.empty((choices, BLOCK), np.float32), np.empty((choices, BLOCK), np.float32)
    vectors = np.empty((6, BLOCK), np.float32)
    bits = np.empty(BLOCK, np.int32)
    powers = bits.view(np.float32)
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        part, gap, weight = logits[:, start : start + size], gaps[:, :size], weights[:, :size]
        total, mean_gap, pull = vectors[0, :size], vectors[1, :size], vectors[2, :size]
        pressure, scale = vectors[3, :size], vectors[4, :size]
        if masked:
            for r in range(size):
                s, i = index[first + (start + r) // agents], (start + r) % agents
                for a in range(choices):
                    if not mask[s, i, a]:
                        part[a, r] = _MASKED
        _exponentials(part, vectors[5, :size], gap, weight, total, mean_gap, bits, powers)
        for r in range(size):
            s, i = index[first + (start + r) // agents], (start + r) % agents
            if not (everyone or active[s, i]):
                pull[r], pressure[r], scale[r], mean_gap[r] = _NIL, _NIL, _NIL, _NIL
                continue
            norm = math.log(total[r])
            middle = mean_gap[r] / np.float64(total[r])
            log_ratio = gap[actions[s, i], r] - norm - old_log_prob[s, i]
            ratio = math.exp(log_ratio)
            gain = advantage[s, i]
            near = min(max(ratio, 1.0 - clip), 1.0 + clip)
            beyond = ratio > 1.0 + clip if gain > 0.0 else ratio < 1.0 - clip  # where min() takes the clipped term
            pull[r] = 0.0 if beyond else -gain * ratio * share
            pressure[r] = entropy_weight * share
            scale[r] = 1.0 / total[r]
            mean_gap[r] = middle
            sums[0] += min(ratio * gain, near * gain)
            sums[1] += norm - middle
            sums[2] += ratio - 1.0 - log_ratio
            if abs(ratio - 1.0) > clip:
                sums[3] += 1.0
            sums[4] = max(sums[4], abs(log_ratio))
        _slopes(part, gap, weight, mean_gap, pull, pressure, scale)
        for r in range(size):
            s, i = index[first + (start + r) // agents], (start + r) % agents
            part[actions[s, i], r] += pull[r]


@kernel
def value_gradient(  # type: ignore[no-untyped-def]
    values, index, first, count, targets, old, here, mean, deviation, share, clip, huber
):
    """Replace values by the gradient of the clipped Huber loss; return the sum of the losses.

    values: [K, count], or [1, count * K] of one output per agent; targets, old (not normalised) and here [S, K] are
    those of samples; mean and deviation [1 or K] normalise them; ``share`` is 1 / number of entries that count.
    """
    lanes = targets.shape[1]
    flat = values.shape[0] == 1
    several = len(mean) > 1
    everyone = here.shape[0] == 0
    loss = 0.0
    for c in range(count):
        s = index[first + c]
        for k in range(lanes):
            row, column = (0, c * lanes + k) if flat else (k, c)
            v = values[row, column]
            values[row, column] = 0.0
            if not (everyone or here[s, k]):
                continue
            m, d = (mean[k], deviation[k]) if several else (mean[0], deviation[0])
            o, goal = (old[s, k] - m) / d, (targets[s, k] - m) / d
            kept = o + min(max(v - o, -clip), clip)
            error, other = goal - v, goal - kept
            size, far = abs(error), abs(other)
            mine = 0.5 * error * error if size <= huber else huber * (size - 0.5 * huber)
            theirs = 0.5 * other * other if far <= huber else huber * (far - 0.5 * huber)
            if theirs > mine:
                loss += theirs
                if abs(v - o) <= clip:
                    values[row, column] = (-other if far <= huber else -math.copysign(huber, other)) * share
            else:
                loss += mine + 0.0 * theirs  # not-a-number must not get lost
                values[row, column] = (-error if size <= huber else -math.copysign(huber, error)) * share
    return loss
