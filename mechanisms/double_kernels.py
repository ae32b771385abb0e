"""Compiled double auctions.  Cost: two sorts per auction."""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms.ranking import rank_high
from equilibria.sim.jit import kernel

K_DOUBLE, MCAFEE, VCG = range(3)
CODES = {"k_double_auction": K_DOUBLE, "mcafee": MCAFEE, "vcg_double": VCG}


@kernel
def run(  # type: ignore[no-untyped-def]
    code, k, bids, asks, random, seed, first, stride, low, high, alloc, pay, winner, price, welfare, revenue
):
    """Run auctions low .. high - 1 in place; participants are the buyers, then the sellers.

    Args:
        code: Rule.
        k: Weight of the upper end of the clearing interval.
        bids: [N, nb].
        asks: [N, ns].
        random: Ties by hash, else to the lowest index.
        seed: Seed of the tie keys.
        first: Number of auction 0.
        stride: 1, or 0 if every row is auction ``first``.
        low: First row.
        high: One past the last row.
        alloc: [N, nb + ns, 1] out; +1 buys, -1 sells.
        pay: [N, nb + ns] out; negative for sellers.
        winner: [N, 1] out; the buyer with the highest bid, -1 without trade.
        price: [N, 1] out; what buyers pay.
        welfare: [N] out; reported gains from trade.
        revenue: [N] out; surplus of the budget.
    """
    nb, ns = bids.shape[1], asks.shape[1]
    buyers, sellers = np.empty(nb, np.int64), np.empty(ns, np.int64)
    cost = np.empty(ns)
    for i in range(low, high):
        for j in range(nb):
            buyers[j] = j
        for j in range(ns):
            sellers[j] = j
            cost[j] = -asks[i, j]
        rank_high(bids[i], buyers, nb, random, seed, first + stride * i, 0)
        rank_high(cost, sellers, ns, random, seed, first + stride * i, nb)
        trades = 0
        while trades < min(nb, ns) and bids[i, buyers[trades]] >= asks[i, sellers[trades]]:
            trades += 1
        if trades == 0:
            continue
        b, s = bids[i, buyers[trades - 1]], asks[i, sellers[trades - 1]]
        next_bid = bids[i, buyers[trades]] if trades < nb else -np.inf
        next_ask = asks[i, sellers[trades]] if trades < ns else np.inf
        paid = max(s, next_bid)  # lower end of the clearing interval
        got = min(b, next_ask)  # upper end
        if code == K_DOUBLE:
            paid = paid + k * (got - paid)
            got = paid
        elif code == MCAFEE:
            middle = (next_bid + next_ask) / 2.0 if trades < nb and trades < ns else np.inf
            if s <= middle <= b:
                paid = got = middle
            else:
                trades -= 1
                paid, got = b, s
        total = 0.0
        for t in range(trades):
            alloc[i, buyers[t], 0] = 1.0
            alloc[i, nb + sellers[t], 0] = -1.0
            pay[i, buyers[t]] = paid
            pay[i, nb + sellers[t]] = -got
            total += bids[i, buyers[t]] - asks[i, sellers[t]]
        if trades > 0:
            winner[i, 0] = buyers[0]
            price[i, 0] = paid
        welfare[i] = total
        revenue[i] = trades * (paid - got)
