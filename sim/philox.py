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
