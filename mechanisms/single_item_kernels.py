"""Compiled single-item auctions.  Cost: O(n) per auction, 8 bytes read and 16 written per bid."""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms.ties import beats
from equilibria.sim.jit import kernel

FIRST, SECOND, THIRD, ALL_PAY, ATTRITION, POSTED, DUTCH, ENGLISH = range(8)
CODES = {
    "first_price": FIRST,
    "second_price": SECOND,
    "third_price": THIRD,
    "all_pay": ALL_PAY,
    "war_of_attrition": ATTRITION,
    "posted_price": POSTED,
    "dutch": DUTCH,
    "english": ENGLISH,
}


@kernel(inline="always")
def clock_level(bid, start, step):  # type: ignore[no-untyped-def]
    """Return the highest level k with start + k step <= bid, rounding put right; needs bid >= start."""
    k = np.floor((bid - start) / step)
    if start + k * step > bid:
        k -= 1.0
    elif start + (k + 1.0) * step <= bid:
        k += 1.0
    return k


@kernel
def _posted_winner(bids, i, price, random, seed, auction):  # type: ignore[no-untyped-def]
    """Return the buyer who is asked first among those who accept, -1 if nobody does."""
    top = -1
    for j in range(bids.shape[1]):
        if bids[i, j] >= price and (top < 0 or beats(j, top, random, seed, auction)):
            top = j
    return top


@kernel
def _plain(  # type: ignore[no-untyped-def]
    code, bids, reserve, soft, random, seed, first, stride, low, high, alloc, pay, winner, price, welfare, revenue
):
    """Run first- and second-price auctions with one reserve; the loops over bidders hold no branches."""
    n = bids.shape[1]
    for i in range(low, high):
        row = bids[i]
        b1 = 0.0
        b2 = 0.0
        for j in range(n):
            b = row[j]
            b2 = max(b2, min(b, b1))
            b1 = max(b1, b)
        if b1 < reserve:
            continue
        w = -1
        for j in range(n):
            if row[j] == b1 and (w < 0 or beats(j, w, random, seed, first + stride * i)):
                w = j
        p = b1
        if code == SECOND:
            if soft <= reserve:
                p = max(b2, reserve)
            elif b1 >= soft:
                p = max(b2, soft)
        alloc[i, w] = 1.0
        pay[i, w] = p
        winner[i, 0] = w
        price[i, 0] = p
        welfare[i] = b1
        revenue[i] = p


@kernel
def run(  # type: ignore[no-untyped-def]
    code,
    bids,
    reserve,
    eager,
    soft,
    step,
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
        bids: [N, n].
        reserve: [n] own reserve of each bidder; the price of a posted price sale.
        eager: Drop bidders below their own reserve before the auction.
        soft: Soft floor, at most the reserve for none.
        step: Step of the clock (Dutch and English).
        random: Ties by hash, else to the lowest index.
        seed: Seed of the tie keys.
        first: Number of auction 0 of the batch.
        stride: 1, or 0 if every row is auction ``first``.
        low: First row.
        high: One past the last row.
        alloc: [N, n] out.
        pay: [N, n] out.
        winner: [N, 1] out.
        price: [N, 1] out.
        welfare: [N] out.
        revenue: [N] out.
    """
    n = bids.shape[1]
    plain = (code == FIRST or code == SECOND) and eager and n > 0
    for j in range(1, n):
        plain = plain and reserve[j] == reserve[0]
    if plain:
        _plain(code, bids, reserve[0], soft, random, seed, first, stride, low, high, alloc, pay, winner, price,
               welfare, revenue)  # fmt: skip
        return
    for i in range(low, high):
        auction = first + stride * i
        if code == POSTED:
            w = -1
            if n > 0:
                w = _posted_winner(bids, i, reserve[0], random, seed, auction)
            if w >= 0:
                alloc[i, w] = 1.0
                pay[i, w] = reserve[0]
                winner[i, 0] = w
                price[i, 0] = reserve[0]
                welfare[i] = bids[i, w]
                revenue[i] = reserve[0]
            continue
        w = -1
        clock = code == DUTCH or code == ENGLISH
        b1 = b2 = b3 = -1.0 if clock else 0.0
        for j in range(n):
            b = bids[i, j]
            if eager and b < reserve[j]:
                continue
            if clock:  # compare levels of the clock; -1 stays out
                b = clock_level(b, reserve[j], step) if b >= reserve[j] else -1.0
            if w < 0 or b > b1 or (b == b1 and beats(j, w, random, seed, auction)):
                if w >= 0:
                    b3 = b2
                    b2 = b1
                b1 = b
                w = j
            elif b > b2:
                b3 = b2
                b2 = b
            elif b > b3:
                b3 = b
        sold = w >= 0 and bids[i, w] >= reserve[w]
        total = 0.0
        if code == ALL_PAY or code == ATTRITION:
            for j in range(n):
                if bids[i, j] >= reserve[j]:
                    paid = bids[i, j]
                    if code == ATTRITION and j == w:
                        paid = b2
                    pay[i, j] = paid
                    total += paid
        revenue[i] = total
        if not sold:
            continue
        alloc[i, w] = 1.0
        winner[i, 0] = w
        welfare[i] = bids[i, w]
        if code == ALL_PAY or code == ATTRITION:
            continue
        r = reserve[w]
        if code == FIRST:
            p = b1
        elif code == SECOND:
            if soft > r:
                p = max(b2, soft) if b1 >= soft else b1
            else:
                p = max(b2, r)
        elif code == THIRD:
            p = max(b3, r)
        elif code == DUTCH:
            p = r + b1 * step
        else:
            level = b1  # the clock stops when the runner-up leaves; at once without one
            if b2 < b1:
                level = b2 + 1.0
            p = r + level * step
        pay[i, w] = p
        price[i, 0] = p
        revenue[i] = p
