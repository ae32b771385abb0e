"""Ranking of bids inside kernels, ties by key."""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms.ties import beats, tie_key
from equilibria.sim.jit import kernel

_SMALL = 48


@kernel
def rank_high(values, order, count, random, seed, auction, offset):  # type: ignore[no-untyped-def]
    """Sort the first ``count`` bidders of ``order`` by falling value, ties by key.

    Args:
        values: [n] values.
        order: [n] bidder indices, sorted in place.
        count: Number of bidders to sort.
        random: Ties by hash, else to the lowest index.
        seed: Seed of the keys.
        auction: Number of the auction.
        offset: Added to the index for the key (sellers come after buyers).
    """
    if count <= _SMALL:
        for a in range(1, count):
            j = order[a]
            b = a
            while b > 0:
                o = order[b - 1]
                if values[j] > values[o] or (
                    values[j] == values[o] and beats(j + offset, o + offset, random, seed, auction)
                ):
                    order[b] = o
                    b -= 1
                else:
                    break
            order[b] = j
        return
    held = np.sort(order[:count])
    keys = np.empty(count, np.uint64)
    for a in range(count):
        keys[a] = tie_key(random, seed, auction, held[a] + offset)
    by_key = held[np.argsort(keys, kind="mergesort")]
    fall = np.empty(count)
    for a in range(count):
        fall[a] = -values[by_key[a]]
    order[:count] = by_key[np.argsort(fall, kind="mergesort")]
