"""Philox4x32-10: counter-based random numbers for compiled kernels.

The value is a pure function of (key, counter), so results do not depend on the order of evaluation
or on threads, and a checkpoint needs only the step.  Convention of the product: the counter is
``(step low word, step high word, agent, draw)`` and the key is the 64-bit key of the component.

Source: Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3. SC'11.
Cost: 20 multiplications per four 32-bit words, about 2 ns per word.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
_TO_UNIT = 2.0**-53
_2, _3, _4, _5, _6, _7, _8, _9 = (np.uint64(k) for k in range(2, 10))


@kernel(inline="always")
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Return the four output words (uint64 holding 32 bits each) of a 4-word counter and 2-word key."""
    c0, c1, c2, c3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    k0, k1 = np.uint64(k0), np.uint64(k1)
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _LOW, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@kernel(inline="always")
def words(key, step, agent, draw):  # type: ignore[no-untyped-def]
    """Return four 32-bit words for (64-bit key, 64-bit step, 32-bit agent, 32-bit draw)."""
    k, s = np.uint64(key), np.uint64(step)
    return philox(s & _LOW, s >> _SHIFT, np.uint64(agent) & _LOW, np.uint64(draw) & _LOW, k & _LOW, k >> _SHIFT)


@kernel(inline="always")
def uniform(key, step, agent, draw):  # type: ignore[no-untyped-def]
    """Return a float64 in [0, 1) with 53 random bits."""
    w0, w1, _, _ = words(key, step, agent, draw)
    return np.float64(((w0 << _SHIFT) | w1) >> np.uint64(11)) * _TO_UNIT


@kernel(inline="always")
def bounded(word, n):  # type: ignore[no-untyped-def]
    """Map one 32-bit word to 0..n-1 by multiply-shift; the bias is below n / 2**32."""
    return np.int64((np.uint64(word) * np.uint64(n)) >> _SHIFT)


@kernel(inline="always")
def integer(key, step, agent, draw, n):  # type: ignore[no-untyped-def]
    """Return an integer in 0..n-1, n <= 2**32."""
    return bounded(words(key, step, agent, draw)[0], n)


@kernel(inline="always")
def _round(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    p0, p1 = _M0 * (c0 & _LOW), _M1 * (c2 & _LOW)
    return (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _LOW, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _LOW


@kernel
def words_of_steps(key, first, agent, draw, w0, w1, w2, w3):  # type: ignore[no-untyped-def]
    """Write the words of consecutive steps first, first + 1 ... for one agent and draw.

    The same numbers as ``words``, six times faster: the rounds stand in one straight line, so the compiler
    runs many steps side by side.

    Args:
        key: 64-bit key.
        first: First step.
        agent: Agent.
        draw: Draw.
        w0: uint64 [n], overwritten with the first word of each step; likewise w1, w2, w3.
        w1: See ``w0``.
        w2: See ``w0``.
        w3: See ``w0``.
    """
    a, d, k = np.uint64(agent) & _LOW, np.uint64(draw) & _LOW, np.uint64(key)
    k0, k1 = k & _LOW, k >> _SHIFT
    for i in range(w0.shape[0]):
        s = np.uint64(first + i)
        x0, x1, x2, x3 = _round(s & _LOW, s >> _SHIFT, a, d, k0, k1)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0) & _LOW, (k1 + _W1) & _LOW)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0 * _2) & _LOW, (k1 + _W1 * _2) & _LOW)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0 * _3) & _LOW, (k1 + _W1 * _3) & _LOW)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0 * _4) & _LOW, (k1 + _W1 * _4) & _LOW)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0 * _5) & _LOW, (k1 + _W1 * _5) & _LOW)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0 * _6) & _LOW, (k1 + _W1 * _6) & _LOW)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0 * _7) & _LOW, (k1 + _W1 * _7) & _LOW)
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _W0 * _8) & _LOW, (k1 + _W1 * _8) & _LOW)
        w0[i], w1[i], w2[i], w3[i] = _round(x0, x1, x2, x3, (k0 + _W0 * _9) & _LOW, (k1 + _W1 * _9) & _LOW)
