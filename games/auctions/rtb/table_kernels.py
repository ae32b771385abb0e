"""Compiled bids from packed value tables, in states inside and beyond the table.

See ``rules.PackedRules`` for the arrays and ``agents.bidding.long`` for the mappings.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.rtb.rules import MAP_DIFFERENCE, NO_MAPPING, SEGMENT
from equilibria.sim.jit import kernel


@kernel(inline="always")
def table_value(tables, start, down, across, fine, stride, t, b):  # type: ignore[no-untyped-def]
    """Return V(t, b) of a packed table; ``down`` and ``across`` are the steps from one t or b to the next."""
    if b < fine:
        return tables[np.uint64(start + b * across + t * down)]  # unsigned: no test for indices from the end
    k = (b - fine) // stride
    rest = b - fine - k * stride
    place = start + (fine + k) * across + t * down
    left = tables[place]
    if rest == 0:
        return left
    return left + (tables[place + across] - left) * (rest / stride)


@kernel(forceinline=True)
def table_bid(tables, integers, reals, k, t, b, b_cap, theta, least):  # type: ignore[no-untyped-def]
    """Return the bid of a table rule with t requests to come and budget b, by binary search.

    Bids below ``least`` are of no interest: -1 is returned for them after one test.

    Args:
        tables: float64 [...] packed tables.
        integers: int64 [N, 11] see ``PackedRules``.
        reals: float64 [N, 6] see ``PackedRules``.
        k: The bidder.
        t: Requests to come, the present one included, at most the table's largest.
        b: Budget of the state, at most the table's largest.
        b_cap: Money that may be spent; the bid never exceeds it.
        theta: Click probability of the request.
        least: Smallest bid of interest, at least 0.
    """
    start, down, across = integers[k, 3], integers[k, 4], integers[k, 10]
    fine, stride, top = integers[k, 5], integers[k, 6], integers[k, 9]
    v1, v0, gamma = reals[k, 2], reals[k, 3], reals[k, 4]
    reward = v1 * theta - gamma * table_value(tables, start, down, across, fine, stride, t - 1, b)
    low, high = 0, min(b, top)
    if least > 0:
        if least > high or least > b_cap:
            return -1
        after = gamma * table_value(tables, start, down, across, fine, stride, t - 1, b - least)
        if reward - v0 * least + after < 0.0:
            return -1
        low = least
    while low < high:
        d = (low + high + 1) >> 1
        after = gamma * table_value(tables, start, down, across, fine, stride, t - 1, b - d)
        if reward - v0 * d + after >= 0.0:
            low = d
        else:
            high = d - 1
    return min(low, b_cap)


@kernel
def difference_bid(tables, integers, reals, k, t, b, theta):  # type: ignore[no-untyped-def]
    """Return the bid when D(t-1, x) = V(t-1, x+1) - V(t-1, x) beyond the table is read at the same ratio x/t."""
    start, down, across = integers[k, 3], integers[k, 4], integers[k, 10]
    fine, stride, top = integers[k, 5], integers[k, 6], integers[k, 9]
    last, most = integers[k, 7], integers[k, 8]
    v1, v0, gamma = reals[k, 2], reals[k, 3], reals[k, 4]
    gone = 0.0
    bid = 0
    rows = t - 1
    for d in range(1, min(b, top) + 1):
        x = b - d
        tt, bb = rows, x
        if tt > last:
            tt, bb = last, x * last // rows
        if bb >= most:  # keep the ratio: fewer requests, the largest budget
            tt, bb = min(last, max(1, rows * (most - 1) // max(x, 1))), most - 1
        step = table_value(tables, start, down, across, fine, stride, tt, bb + 1)
        gone += step - table_value(tables, start, down, across, fine, stride, tt, bb)
        if v1 * theta - v0 * d - gamma * gone < 0.0:
            break
        bid = d
    return bid


@kernel(forceinline=True)
def mapped_bid(tables, integers, reals, k, t, b, theta, part, least):  # type: ignore[no-untyped-def]
    """Return the bid of a table rule in any state; row k of ``part`` holds (budget, requests) left in its segment.

    Bids below ``least`` may be returned as -1.
    """
    last, most, mapping = integers[k, 7], integers[k, 8], integers[k, 1]
    x = theta if np.isnan(reals[k, 1]) else reals[k, 1]
    if mapping == SEGMENT and t > 0:
        if part[k, 1] <= 0:
            part[k, 1] = min(last, t)
            part[k, 0] = b * part[k, 1] // t
        bid = _action_bid(tables, integers, reals, k, part[k, 1], min(part[k, 0], b), b, x, least)
        part[k, 1] -= 1
        return bid
    if t <= last + (mapping == NO_MAPPING) and b <= most:  # V(t-1, .) is read
        return table_bid(tables, integers, reals, k, t, b, b, x, least)
    if mapping == MAP_DIFFERENCE:
        return difference_bid(tables, integers, reals, k, t, b, x)
    return _action_bid(tables, integers, reals, k, t, b, b, x, least)


@kernel(forceinline=True)
def _action_bid(tables, integers, reals, k, t, b, b_cap, x, least):  # type: ignore[no-untyped-def]
    last, most = integers[k, 7], integers[k, 8]
    tt, bb = t, b
    if tt > last:
        tt, bb = last, b * last // t
    if bb > most:
        tt, bb = min(last, max(1, t * most // b)), most
    return table_bid(tables, integers, reals, k, tt, bb, b_cap, x, least)
