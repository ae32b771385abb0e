"""Compiled multi-unit auctions.  Cost: O(n k) per auction, O(n k) more per winner for Vickrey payments."""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms.ties import beats
from equilibria.sim.jit import kernel

DISCRIMINATORY, UNIFORM, VICKREY = range(3)
CODES = {"discriminatory": DISCRIMINATORY, "uniform_price": UNIFORM, "vickrey_multiunit": VICKREY}


@kernel
def _best_head(bids, i, taken, skip, random, seed, auction):  # type: ignore[no-untyped-def]
    """Return the bidder whose next bid is highest, -1 if all bids are taken."""
    top = -1
    for j in range(bids.shape[1]):
        if j == skip or taken[j] >= bids.shape[2]:
            continue
        b = bids[i, j, taken[j]]
        if top < 0:
            top = j
            continue
        t = bids[i, top, taken[top]]
        if b > t or (b == t and beats(j, top, random, seed, auction)):
            top = j
    return top


@kernel
def run(  # type: ignore[no-untyped-def]
    code, lowest_winning, bids, random, seed, first, stride, low, high, alloc, pay, winner, price, welfare, revenue
):
    """Run auctions low .. high - 1 in place.

    Args:
        code: Rule.
        lowest_winning: Uniform price at the k-th instead of the (k+1)-th bid.
        bids: [N, n, k] non-increasing along the last axis.
        random: Ties by hash, else to the lowest index.
        seed: Seed of the tie keys.
        first: Number of auction 0.
        stride: 1, or 0 if every row is auction ``first``.
        low: First row.
        high: One past the last row.
        alloc: [N, n, k] out; column u is the u-th unit by falling winning bid.
        pay: [N, n] out.
        winner: [N, k] out.
        price: [N, k] out.
        welfare: [N] out.
        revenue: [N] out.
    """
    n, units = bids.shape[1], bids.shape[2]
    if n == 0:
        return
    taken = np.empty(n, np.int64)
    scratch = np.empty(n, np.int64)
    for i in range(low, high):
        auction = first + stride * i
        taken[:] = 0
        total = 0.0
        last = 0.0
        for u in range(units):
            j = _best_head(bids, i, taken, -1, random, seed, auction)
            last = bids[i, j, taken[j]]
            taken[j] += 1
            alloc[i, j, u] = 1.0
            winner[i, u] = j
            total += last
            if code == DISCRIMINATORY:
                pay[i, j] += last
                price[i, u] = last
        welfare[i] = total
        if code == UNIFORM:
            p = last
            if not lowest_winning:
                j = _best_head(bids, i, taken, -1, random, seed, auction)
                p = bids[i, j, taken[j]] if j >= 0 else 0.0
            for u in range(units):
                price[i, u] = p
            for j in range(n):
                pay[i, j] = p * taken[j]
        elif code == VICKREY:
            for j in range(n):
                scratch[:] = taken
                for _ in range(taken[j]):
                    other = _best_head(bids, i, scratch, j, random, seed, auction)
                    if other < 0:
                        break
                    pay[i, j] += bids[i, other, scratch[other]]
                    scratch[other] += 1
        earned = 0.0
        for j in range(n):
            earned += pay[i, j]
        revenue[i] = earned
