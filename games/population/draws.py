"""Bulk draws for population kernels: word streams and random orders.

A *stream* is the sequence of 32-bit words ``w[0], w[1], ...`` of one (key, step, stream number):
word ``p`` is output word ``p % 4`` of the Philox block with counter ``(step, p // 4, stream)``.  A
value is a pure function of (key, step, stream, position), so nothing depends on threads, on chunks
or on what was drawn before.  Kernels fetch words by the buffer: a buffer of independent blocks is
what compilers vectorise.

Cost: one block per four words, about 1 ns per word.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words

BUFFER = 1024
"""Words per buffer; a multiple of four that stays in the first-level cache (4 KiB)."""

_FOUR = np.int64(4)


@kernel
def fill(buffer, key, step, stream, first):  # type: ignore[no-untyped-def]
    """Write words ``first .. first + len(buffer) - 1`` of a stream.

    Args:
        buffer: uint32 [W], W a multiple of four; overwritten.
        key: 64-bit key of the component.
        step: Step number, from 1 (0 is the initial draw).
        stream: Stream number within the step.
        first: First position, a multiple of four.
    """
    base = first // _FOUR
    for b in range(buffer.shape[0] // _FOUR):
        w0, w1, w2, w3 = words(key, step, base + b, stream)
        buffer[4 * b] = w0
        buffer[4 * b + 1] = w1
        buffer[4 * b + 2] = w2
        buffer[4 * b + 3] = w3


@kernel
def shuffle(order, buffer, key, step, stream):  # type: ignore[no-untyped-def]
    """Write a uniformly random permutation of ``0 .. N - 1`` (Fisher and Yates, forward form).

    Position ``p`` is swapped with ``p + bounded(w[p], N - p)``; the bias of a swap is below N / 2**32.

    Args:
        order: int32 [N], overwritten.
        buffer: uint32 [BUFFER] scratch space.
        key: 64-bit key.
        step: Step number.
        stream: Stream number within the step.
    """
    n = order.shape[0]
    for p in range(n):
        order[p] = p
    for first in range(0, n, buffer.shape[0]):
        fill(buffer, key, step, stream, first)
        for p in range(first, min(n, first + buffer.shape[0])):
            other = p + bounded(buffer[p - first], n - p)
            held = order[p]
            order[p] = order[other]
            order[other] = held
