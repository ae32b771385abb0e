"""Compiled bids from packed value tables, in states inside and beyond the table.

See ``rules.PackedRules`` for the arrays and ``agents.bidding.long`` for the mappings.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.rtb.rules import EXTRAPOLATE, MAP_DIFFERENCE, NO_MAPPING, SEGMENT
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
        integers: int64 [N, 12] see ``PackedRules``.
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


HIDDEN_1, HIDDEN_2 = 30, 15
"""Units of the network's layers, see ``agents.bidding.network``."""


@kernel
def network_difference(weights, first, t, b):  # type: ignore[no-untyped-def]
    """Return D(t, b) = V(t, b+1) - V(t, b) as the network gives it, also outside its training region.

    ``weights[first:]``: shift [3], stretch [3], mean and scale of the target, unit of D, then per layer the matrix
    [inputs, units] by rows and the biases.
    """
    x = (np.log1p(float(t)), np.log1p(float(b)), np.log1p(b / max(t, 1)))
    a, c = np.empty(HIDDEN_1), np.empty(HIDDEN_2)
    place = first + 9
    for j in range(HIDDEN_1):
        z = weights[place + 3 * HIDDEN_1 + j]
        for i in range(3):
            z += (x[i] - weights[first + i]) / weights[first + 3 + i] * weights[place + i * HIDDEN_1 + j]
        a[j] = np.tanh(z)
    place += 4 * HIDDEN_1
    for j in range(HIDDEN_2):
        z = weights[place + HIDDEN_1 * HIDDEN_2 + j]
        for i in range(HIDDEN_1):
            z += a[i] * weights[place + i * HIDDEN_2 + j]
        c[j] = np.tanh(z)
    place += (HIDDEN_1 + 1) * HIDDEN_2
    z = weights[place + HIDDEN_2]
    for i in range(HIDDEN_2):
        z += c[i] * weights[place + i]
    y = min(z * weights[first + 7] + weights[first + 6], 50.0)
    return max(weights[first + 8] * (np.exp(y) - 1e-9), 0.0)


@kernel
def network_bid(tables, integers, reals, k, t, b, theta):  # type: ignore[no-untyped-def]
    """Return the bid when D(t-1, x) comes from the network, one price after the other."""
    first, top = integers[k, 11], integers[k, 9]
    v1, v0, gamma = reals[k, 2], reals[k, 3], reals[k, 4]
    gone = 0.0
    bid = 0
    for d in range(1, min(b, top) + 1):
        gone += network_difference(tables, first, t - 1, b - d)
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
    if mapping == EXTRAPOLATE:
        return network_bid(tables, integers, reals, k, t, b, x)
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
