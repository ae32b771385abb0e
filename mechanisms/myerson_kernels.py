"""Compiled optimal auctions.  Cost: O(n) virtual values per auction; tables by binary search."""

from __future__ import annotations

import numpy as np

from equilibria.mechanisms.ties import beats
from equilibria.sim.jit import kernel

_UNIFORM, _POWER, _EXPONENTIAL = 0, 1, 2


@kernel
def phi(code, a, b, grid, slopes, v):  # type: ignore[no-untyped-def]
    """Return the ironed virtual value of ``v``."""
    if code == _UNIFORM:
        return 2.0 * v - b
    if code == _EXPONENTIAL:
        return v - a
    if code == _POWER:
        x = v / b
        if x <= 0.0 and a > 1.0:
            return -np.inf
        if x >= 1.0:
            return v
        return b * (x - (1.0 - x**a) / (a * x ** (a - 1.0)))
    k = np.searchsorted(grid, v, side="right") - 1
    return slopes[max(k, 0)]


@kernel
def threshold(code, a, b, grid, slopes, t, weak):  # type: ignore[no-untyped-def]
    """Return inf{z: phi(z) >= t}, or inf{z: phi(z) > t} if not ``weak`` (these differ on ironed intervals only)."""
    if code == _UNIFORM:
        return (t + b) / 2.0
    if code == _EXPONENTIAL:
        return t + a
    if code == _POWER:
        if t >= b:
            return t
        low, high = 0.0, b
        while True:
            mid = (low + high) / 2.0
            if mid == low or mid == high:
                return high
            if phi(code, a, b, grid, slopes, mid) >= t:
                high = mid
            else:
                low = mid
    k = np.searchsorted(slopes, t, side="left") if weak else np.searchsorted(slopes, t, side="right")
    return grid[min(k, grid.shape[0] - 1)]


@kernel
def run(  # type: ignore[no-untyped-def]
    bids,
    codes,
    rows,
    grids,
    slopes,
    seller_value,
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
        bids: [N, n].
        codes: [n] family of each prior.
        rows: [n, 2] its parameters.
        grids: [n, G] values of ironed tables (one column where unused).
        slopes: [n, G] ironed virtual values.
        seller_value: Value of the item to the seller.
        random: Ties by hash, else to the lowest index.
        seed: Seed of the tie keys.
        first: Number of auction 0.
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
    for i in range(low, high):
        auction = first + stride * i
        top = -1
        best = -np.inf
        rival = -1
        second = -np.inf
        for j in range(bids.shape[1]):
            x = phi(codes[j], rows[j, 0], rows[j, 1], grids[j], slopes[j], bids[i, j])
            if top < 0 or x > best or (x == best and beats(j, top, random, seed, auction)):
                rival, second = top, best
                top, best = j, x
            elif rival < 0 or x > second or (x == second and beats(j, rival, random, seed, auction)):
                rival, second = j, x
        if top < 0 or best < seller_value:
            continue
        weak = True
        bar = seller_value
        if rival >= 0 and second > bar:
            bar = second
            weak = beats(top, rival, random, seed, auction)
        elif rival >= 0 and second == bar:
            weak = beats(top, rival, random, seed, auction)
        due = threshold(codes[top], rows[top, 0], rows[top, 1], grids[top], slopes[top], bar, weak)
        due = max(0.0, min(due, bids[i, top]))  # rounding may lift the threshold above the bid by one unit
        alloc[i, top] = 1.0
        pay[i, top] = due
        winner[i, 0] = top
        price[i, 0] = due
        welfare[i] = bids[i, top]
        revenue[i] = due
