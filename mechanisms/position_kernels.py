"""Compiled position auctions.  Cost: O(n^2) comparisons per auction for n <= 48, O(n log n) beyond, plus O(n K)."""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms.ranking import rank_high
from equilibria.sim.jit import kernel

GSP, GFP, VCG = range(3)
CODES = {"gsp": GSP, "gfp": GFP, "vcg_position": VCG}


@kernel
def run(  # type: ignore[no-untyped-def]
    code,
    bids,
    quality,
    ctr,
    reserve,
    per_click,
    random,
    seed,
    first,
    stride,
    low,
    high,
    alloc,
    pay,
    winner,
    price,
    welfare,
    revenue,
):
    """Run auctions low .. high - 1 in place.

    Args:
        code: Rule.
        bids: [N, n] bids per click.
        quality: [n] quality > 0.
        ctr: [K] click-through rates, not increasing.
        reserve: Least score, or least bid per click.
        per_click: Which of the two it is.
        random: Ties by hash, else to the lowest index.
        seed: Seed of the tie keys.
        first: Number of auction 0.
        stride: 1, or 0 if every row is auction ``first``.
        low: First row.
        high: One past the last row.
        alloc: [N, n, K] out; 1 where the bidder has the slot.
        pay: [N, n] out; expected payment per impression.
        winner: [N, K] out.
        price: [N, K] out; price per click.
        welfare: [N] out.
        revenue: [N] out.
    """
    n, slots = bids.shape[1], ctr.shape[0]
    order = np.empty(n, np.int64)
    score = np.empty(n)
    for i in range(low, high):
        count = 0
        for j in range(n):
            score[j] = quality[j] * bids[i, j]
            if (bids[i, j] if per_click else score[j]) >= reserve:
                order[count] = j
                count += 1
        rank_high(score, order, count, random, seed, first + stride * i, 0)
        total = 0.0
        earned = 0.0
        for k in range(min(slots, count)):
            j = order[k]
            q = quality[j]
            floor = q * reserve if per_click else reserve  # least score that keeps this bidder in
            if code == GFP:
                per = bids[i, j]
            elif code == GSP:
                following = score[order[k + 1]] if k + 1 < count else 0.0
                per = max(following, floor) / q
            else:
                due = 0.0
                for nxt in range(k + 1, slots + 1):
                    here = ctr[nxt] if nxt < slots else 0.0
                    displaced = score[order[nxt]] if nxt < count else 0.0
                    due += (ctr[nxt - 1] - here) * max(displaced, floor)
                per = due / (ctr[k] * q) if ctr[k] > 0.0 else 0.0
            paid = due if code == VCG else ctr[k] * q * per
            alloc[i, j, k] = 1.0
            pay[i, j] = paid
            winner[i, k] = j
            price[i, k] = per
            total += ctr[k] * score[j]
            earned += paid
        welfare[i] = total
        revenue[i] = earned
