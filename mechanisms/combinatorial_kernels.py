"""Compiled winner determination over subsets of items.

Tables: ``prefix[i, S]`` is the best reported welfare of the first i bidders of the order with the items of S,
``suffix[i, S]`` that of bidders i, i+1, ...; the welfare without bidder i is max over S of
prefix[i, S] + suffix[i+1, rest].  Cost: O(n B 2^m) time, 16 (n+1) 2^m bytes per thread.
"""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms.ties import tie_key
from equilibria.sim.jit import kernel


@kernel
def extend(table, bundles, values, out):  # type: ignore[no-untyped-def]
    """Add one bidder: out[S] = max(table[S], max over bundles T in S of table[S - T] + value(T)).

    Args:
        table: [2^m] welfare without the bidder.
        bundles: [B] bit masks, 0 for none.
        values: [B] values.
        out: [2^m] welfare with the bidder, overwritten.
    """
    out[:] = table
    for b in range(bundles.shape[0]):
        mask = bundles[b]
        if mask == 0:
            continue
        value = values[b]
        for s in range(out.shape[0]):
            if s & mask == mask:
                x = table[s ^ mask] + value
                out[s] = max(out[s], x)


@kernel
def solve(bundles, values, order, prefix, suffix, choice):  # type: ignore[no-untyped-def]
    """Fill the tables and the chosen bid of each bidder (-1 for none); bidders early in the order win ties."""
    n = values.shape[0]
    full = prefix.shape[1] - 1
    prefix[0, :] = 0.0
    suffix[n, :] = 0.0
    for i in range(n):
        j = order[i]
        extend(prefix[i], bundles[j], values[j], prefix[i + 1])
    for i in range(n - 1, -1, -1):
        j = order[i]
        extend(suffix[i + 1], bundles[j], values[j], suffix[i])
    left = full
    for i in range(n - 1, -1, -1):
        j = order[i]
        choice[j] = -1
        if prefix[i + 1, left] == prefix[i, left]:
            continue
        for b in range(values.shape[1]):
            mask = bundles[j, b]
            if mask and left & mask == mask and prefix[i, left ^ mask] + values[j, b] == prefix[i + 1, left]:
                choice[j] = b
                left ^= mask
                break


@kernel
def run(  # type: ignore[no-untyped-def]
    pay_as_bid, bundles, values, items, random, seed, first, stride, low, high, alloc, pay, winner, welfare, revenue
):
    """Run auctions low .. high - 1 in place.

    Args:
        pay_as_bid: First-price instead of VCG payments.
        bundles: [N, n, B] bit masks.
        values: [N, n, B] XOR values.
        items: Number m of items.
        random: Ties by hash, else to the lowest index.
        seed: Seed of the tie keys.
        first: Number of auction 0.
        stride: 1, or 0 if every row is auction ``first``.
        low: First row.
        high: One past the last row.
        alloc: [N, n, m] out.
        pay: [N, n] out.
        winner: [N, m] out.
        welfare: [N] out.
        revenue: [N] out.
    """
    n = values.shape[1]
    full = (1 << items) - 1
    prefix, suffix = np.empty((n + 1, full + 1)), np.empty((n + 1, full + 1))
    choice = np.empty(n, np.int64)
    keys = np.empty(n, np.uint64)
    for i in range(low, high):
        for j in range(n):
            keys[j] = tie_key(random, seed, first + stride * i, j)
        order = np.argsort(keys, kind="mergesort")
        solve(bundles[i], values[i], order, prefix, suffix, choice)
        best = prefix[n, full]
        total = 0.0
        for position in range(n):
            j = order[position]
            b = choice[j]
            if b < 0:
                continue
            mask, value = bundles[i, j, b], values[i, j, b]
            for item in range(items):
                if mask >> item & 1:
                    alloc[i, j, item] = 1.0
                    winner[i, item] = j
            if pay_as_bid:
                pay[i, j] = value
                continue
            without = 0.0
            for s in range(full + 1):
                x = prefix[position, s] + suffix[position + 1, full ^ s]
                without = max(without, x)
            pay[i, j] = max(0.0, without - (best - value))
        for j in range(n):
            total += pay[i, j]
        welfare[i] = best
        revenue[i] = total


@kernel
def coalition_values(bundles, values, items):  # type: ignore[no-untyped-def]
    """Return the best welfare of every coalition of bidders [2^n], in O(2^n B 2^m)."""
    n = values.shape[0]
    size = 1 << items
    out = np.zeros(1 << n)
    stack = np.zeros((n + 1, size))
    for c in range(1, 1 << n):
        # the tables of the members above the lowest changed bit are still on the stack
        depth = 0
        fresh = 0
        while not c >> fresh & 1:
            fresh += 1
        for j in range(n - 1, -1, -1):
            if c >> j & 1:
                depth += 1
                if j <= fresh:
                    extend(stack[depth - 1], bundles[j], values[j], stack[depth])
        out[c] = stack[depth, size - 1]
    return out
