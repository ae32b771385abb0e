"""Compiled local-local-global auction."""

from __future__ import annotations

from equilibria.mechanisms.ties import beats
from equilibria.sim.jit import kernel

VCG, NEAREST_VCG, NEAREST_ZERO, NEAREST_BID, FIRST = range(5)
CODES = {
    "vcg": VCG,
    "nearest_vcg": NEAREST_VCG,
    "nearest_zero": NEAREST_ZERO,
    "nearest_bid": NEAREST_BID,
    "first_price": FIRST,
}


@kernel
def local_prices(code, b1, b2, g):  # type: ignore[no-untyped-def]
    """Return the payments of two winning locals, b1 + b2 >= g."""
    v1, v2 = max(0.0, g - b2), max(0.0, g - b1)
    if code == VCG:
        return v1, v2
    if code == FIRST:
        return b1, b2
    if code == NEAREST_VCG:
        d = max(0.0, (g - v1 - v2) / 2.0)
        return v1 + d, v2 + d
    if code == NEAREST_ZERO:
        if g / 2.0 > b1:
            return b1, g - b1
        if g / 2.0 > b2:
            return g - b2, b2
        return g / 2.0, g / 2.0
    d = (b1 + b2 - g) / 2.0
    if b1 < d:
        return 0.0, g
    if b2 < d:
        return g, 0.0
    return b1 - d, b2 - d


@kernel
def run(code, bids, random, seed, first, stride, low, high, alloc, pay, winner, welfare, revenue):  # type: ignore[no-untyped-def]
    """Run auctions low .. high - 1 in place; columns of ``bids`` [N, 3] are local 1, local 2, global."""
    for i in range(low, high):
        b1, b2, g = bids[i, 0], bids[i, 1], bids[i, 2]
        auction = first + stride * i
        locals_win = b1 + b2 > g or (b1 + b2 == g and beats(0, 2, random, seed, auction))
        if locals_win:
            p1, p2 = local_prices(code, b1, b2, g)
            alloc[i, 0, 0] = 1.0
            alloc[i, 1, 1] = 1.0
            winner[i, 0] = 0
            winner[i, 1] = 1
            pay[i, 0] = p1
            pay[i, 1] = p2
            welfare[i] = b1 + b2
            revenue[i] = p1 + p2
        else:
            paid = g if code == FIRST else b1 + b2
            alloc[i, 2, 0] = 1.0
            alloc[i, 2, 1] = 1.0
            winner[i, 0] = 2
            winner[i, 1] = 2
            pay[i, 2] = paid
            welfare[i] = g
            revenue[i] = paid
