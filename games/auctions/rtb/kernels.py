"""Compiled replay and markets.

Axes: n requests of a stream, T requests per episode, E episodes, N bidders.

Order of events for each request: every bidder with budget b_i sees its theta and bids a_i <= min(b_i, P);
the highest bid wins if it reaches the residual price and the reserve (ties: the bidder whose number
follows the request's number modulo N); the winner pays the largest of the second bid, the residual
price and the reserve (second price) or its own bid (first price) before the next request comes.
A single bidder facing recorded prices is the market with N = 1.

Fast replays (second price, no reserve, one bidder) skip the bid: a linear bidder wins iff the price is
at most min(b, P, scale theta); a table bidder iff the price is affordable and keeps the bracket of the
bid rule non-negative.  Cost: linear about 2 ns, table two table reads, live table bids nine.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.rtb.rules import (
    ADAPTIVE,
    LINEAR,
    MAP_DIFFERENCE,
    PID,
    SEGMENT,
)
from equilibria.sim.jit import kernel
from equilibria.sim.philox import words

IMPRESSIONS, CLICKS, COST, VALUE, PREDICTED = range(5)
LANES = 8
"""Episodes replayed side by side by the table kernel: they share rows of the table."""


@kernel
def replay_linear(theta, price, click, truth, length, budget, scale, top, out):  # type: ignore[no-untyped-def]
    """Replay a linear bidder over complete and a last incomplete episode.

    Args:
        theta: float64 [n] predicted click probabilities.
        price: uint16 [n] market prices.
        click: uint8 [n].
        truth: float64 [n] true click probabilities.
        length: T.
        budget: B per episode.
        scale: Money per unit of theta.
        top: Highest bid.
        out: float64 [E, 5] impressions, clicks, cost, expected and predicted clicks of the wins; overwritten.
    """
    n = theta.shape[0]
    for e in range(out.shape[0]):
        b = budget
        wins = clicks = 0
        value = predicted = 0.0
        for i in range(e * length, min(n, (e + 1) * length)):
            d = np.int64(price[i])
            won = (d <= b) & (d <= top) & (scale * theta[i] >= d)
            b -= d * won
            wins += won
            clicks += won * np.int64(click[i])
            value += won * truth[i]
            predicted += won * theta[i]
        out[e, IMPRESSIONS], out[e, CLICKS], out[e, COST] = wins, clicks, budget - b
        out[e, VALUE], out[e, PREDICTED] = value, predicted


@kernel(inline="always")
def table_value(tables, start, width, fine, stride, t, b):  # type: ignore[no-untyped-def]
    """Return V(t, b) of a packed table."""
    row = start + t * width
    if b < fine:
        return tables[row + b]
    k = (b - fine) // stride
    rest = b - fine - k * stride
    left = tables[row + fine + k]
    if rest == 0:
        return left
    return left + (tables[row + fine + k + 1] - left) * (rest / stride)


@kernel
def replay_table(theta, price, click, truth, length, budget, numbers, reals, tables, out):  # type: ignore[no-untyped-def]
    """Replay a table bidder whose table covers the episode; arguments as ``replay_linear``.

    ``numbers``, ``reals`` are one row of ``PackedRules.integers`` and ``.reals``.
    """
    start, width, fine, stride, top = numbers[3], numbers[4], numbers[5], numbers[6], numbers[9]
    fixed, v1, v0, gamma = reals[1], reals[2], reals[3], reals[4]
    n, episodes = theta.shape[0], out.shape[0]
    left = np.empty(LANES, np.int64)
    for first in range(0, episodes, LANES):
        lanes = min(LANES, episodes - first)
        for lane in range(lanes):
            left[lane] = budget
            out[first + lane, :] = 0.0
        for j in range(length):
            t = length - 1 - j
            for lane in range(lanes):
                i = (first + lane) * length + j
                if i >= n:
                    continue
                d, b = np.int64(price[i]), left[lane]
                if d > b or d > top:
                    continue
                x = theta[i] if np.isnan(fixed) else fixed
                kept = table_value(tables, start, width, fine, stride, t, b)
                after = table_value(tables, start, width, fine, stride, t, b - d)
                if v1 * x - v0 * d + gamma * after - gamma * kept >= 0.0:
                    left[lane] = b - d
                    out[first + lane, IMPRESSIONS] += 1
                    out[first + lane, CLICKS] += click[i]
                    out[first + lane, VALUE] += truth[i]
                    out[first + lane, PREDICTED] += theta[i]
        for lane in range(lanes):
            out[first + lane, COST] = budget - left[lane]


@kernel
def table_bid(tables, numbers, reals, t, b, b_cap, theta):  # type: ignore[no-untyped-def]
    """Return the bid of a table rule with t requests to come and budget b, by binary search.

    Args:
        tables: float64 [...] packed tables.
        numbers: int64 [10] the bidder's row of ``PackedRules.integers``.
        reals: float64 [5] its row of ``PackedRules.reals``.
        t: Requests to come, the present one included, at most the table's largest.
        b: Budget of the state, at most the table's largest.
        b_cap: Money that may be spent; the bid never exceeds it.
        theta: Click probability of the request.
    """
    start, width, fine, stride, top = numbers[3], numbers[4], numbers[5], numbers[6], numbers[9]
    v1, v0, gamma = reals[2], reals[3], reals[4]
    own = gamma * table_value(tables, start, width, fine, stride, t - 1, b)
    low, high = -1, min(b, top)
    while low < high:
        d = (low + high + 1) // 2
        after = gamma * table_value(tables, start, width, fine, stride, t - 1, b - d)
        if v1 * theta - v0 * d + after - own >= 0.0:
            low = d
        else:
            high = d - 1
    return min(max(low, 0), b_cap)


@kernel
def difference_bid(tables, numbers, reals, t, b, theta):  # type: ignore[no-untyped-def]
    """Return the bid when D(t-1, x) = V(t-1, x+1) - V(t-1, x) beyond the table is read at the same ratio x/t."""
    start, width, fine, stride, top = numbers[3], numbers[4], numbers[5], numbers[6], numbers[9]
    last, most = numbers[7], numbers[8]
    v1, v0, gamma = reals[2], reals[3], reals[4]
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
        step = table_value(tables, start, width, fine, stride, tt, bb + 1)
        gone += step - table_value(tables, start, width, fine, stride, tt, bb)
        if v1 * theta - v0 * d - gamma * gone < 0.0:
            break
        bid = d
    return bid


@kernel
def mapped_bid(tables, numbers, reals, t, b, theta, part):  # type: ignore[no-untyped-def]
    """Return the bid of a table rule in any state; ``part`` holds (budget, requests) left in the segment."""
    last, most, mapping = numbers[7], numbers[8], numbers[1]
    x = theta if np.isnan(reals[1]) else reals[1]
    if mapping == SEGMENT and t > 0:
        if part[1] <= 0:
            part[1] = min(last, t)
            part[0] = b * part[1] // t
        bid = _action_bid(tables, numbers, reals, part[1], min(part[0], b), b, x)
        part[1] -= 1
        return bid
    if t <= last and b <= most:
        return table_bid(tables, numbers, reals, t, b, b, x)
    if mapping == MAP_DIFFERENCE:
        return difference_bid(tables, numbers, reals, t, b, x)
    return _action_bid(tables, numbers, reals, t, b, b, x)


@kernel
def _action_bid(tables, numbers, reals, t, b, b_cap, x):  # type: ignore[no-untyped-def]
    last, most = numbers[7], numbers[8]
    tt, bb = t, b
    if tt > last:
        tt, bb = last, b * last // t
    if bb > most:
        tt, bb = min(last, max(1, t * most // b)), most
    return table_bid(tables, numbers, reals, tt, bb, b_cap, x)


@kernel
def play(  # type: ignore[no-untyped-def]
    theta, price, click, truth, length, budgets, integers, reals, parameters, tables, control, first, second_price,
    reserve, correlation, key, seen, out,
):  # fmt: skip
    """Play episodes of a market of N bidders.

    A bidder's theta is the shared one with probability ``correlation``, else that of a request drawn
    uniformly from the stream: every bidder keeps the stream's distribution, and any two have the
    correlation ``correlation`` squared (a price to beat counts as met by an equal bid in ``seen``).

    Args:
        theta: float64 [n] stream; episode e uses requests e T .. e T + T - 1 that exist.
        price: uint16 [n] residual prices.
        click: uint8 [n].
        truth: float64 [n].
        length: T.
        budgets: int64 [N] per episode.
        integers: See ``PackedRules``.
        reals: See ``PackedRules``.
        parameters: float64 [N, 8]; PID: interval, kp, ki, kd, lowest, highest; adaptive: step, money unit, highest mu.
        tables: See ``PackedRules``.
        control: float64 [N, 4] multiplier (1 / (1 + mu) for adaptive), integral, last error, spent in
            the interval; updated in place.
        first: Number of the first episode, from 0, for random numbers and the ring of ``seen``.
        second_price: True, or False for first price.
        reserve: Least price.
        correlation: 0 .. 1.
        key: uint64 key.
        seen: float64 [N, W, 3] ring of (theta, price to beat, truth); empty W = 0 keeps nothing.
        out: float64 [E, N, 5] impressions, clicks, cost, expected and predicted clicks; overwritten.
    """
    n, bidders, window = theta.shape[0], budgets.shape[0], seen.shape[1]
    left, bids = np.empty(bidders, np.int64), np.empty(bidders, np.int64)
    source = np.empty(bidders, np.int64)
    parts = np.zeros((bidders, 2), np.int64)
    threshold = np.uint64(min(correlation, 1.0) * 4294967296.0)
    span = np.uint64(4294967296) - threshold
    out[:] = 0.0
    for e in range(out.shape[0]):
        begin, end = e * length, min(n, (e + 1) * length)
        left[:] = budgets
        parts[:] = 0
        for i in range(begin, end):
            j = i - begin
            t = length - j
            number = (np.int64(first) + e) * length + j
            _draw_sources(source, i, n, key, number, threshold, span)
            best, second, winner = -1, -1, -1
            for turn in range(bidders):
                k = (number + turn) % bidders
                x, b = theta[source[k]], left[k]
                if integers[k, 0] == LINEAR:
                    wish = reals[k, 0] * control[k, 0] * x
                    a = min(b, integers[k, 9])
                    if wish < a:
                        a = np.int64(wish)
                else:
                    a = mapped_bid(tables, integers[k], reals[k], t, b, x, parts[k])
                bids[k] = a
                if a > best:
                    best, second, winner = a, best, k
                elif a > second:
                    second = a
            floor = max(int(price[i]), reserve)
            if window > 0:
                spot = number % window
                for k in range(bidders):
                    rival = second if k == winner else best
                    seen[k, spot, 0] = theta[source[k]]
                    seen[k, spot, 1] = max(floor, rival)
                    seen[k, spot, 2] = truth[source[k]]
            paid = 0
            if winner >= 0 and best >= floor:
                paid = max(second, floor) if second_price else best
                left[winner] -= paid
                parts[winner, 0] -= paid
                out[e, winner, IMPRESSIONS] += 1
                out[e, winner, CLICKS] += click[source[winner]]
                out[e, winner, COST] += paid
                out[e, winner, VALUE] += truth[source[winner]]
                out[e, winner, PREDICTED] += theta[source[winner]]
            else:
                winner = -1
            for k in range(bidders):
                kind = integers[k, 2]
                if kind == PID:
                    _pid(control[k], parameters[k], paid if k == winner else 0, j, length, left[k], integers[k, 9])
                elif kind == ADAPTIVE and left[k] >= integers[k, 9]:  # it rests once money runs out
                    _adaptive(control[k], parameters[k], paid if k == winner else 0, length, budgets[k])


@kernel
def _draw_sources(source, i, n, key, number, threshold, span):  # type: ignore[no-untyped-def]
    """Choose the request whose theta each bidder sees: the shared one, or one of its own."""
    if span == np.uint64(0):
        source[:] = i
        return
    for block in range(0, source.shape[0], 4):
        drawn = words(key, number, block, 0)
        for k in range(block, min(block + 4, source.shape[0])):
            w = drawn[k - block]
            source[k] = i
            if w >= threshold:  # the rest of the word chooses the request
                source[k] = np.int64((w - threshold) * np.uint64(n) // span)


@kernel
def _pid(state, gains, paid, j, length, left, top):  # type: ignore[no-untyped-def]
    """Steer the multiplier at the end of a control interval."""
    state[3] += paid
    interval = np.int64(gains[0])
    if (j + 1) % interval != 0 and j + 1 != length:
        return
    requests = (j + 1) % interval if (j + 1) % interval != 0 else interval
    # What is left is planned evenly over what is to come, so that an exhausted budget plans nothing.
    planned = (left + state[3]) * requests / (length - (j + 1 - requests))
    if planned > 0.0 and left >= top:
        error = (planned - state[3]) / planned
        total = state[1] + error
        wanted = state[0] * np.exp(gains[1] * error + gains[2] * total + gains[3] * (error - state[2]))
        state[0] = min(max(wanted, gains[4]), gains[5])
        if state[0] == wanted:  # anti-windup: the integral rests while the multiplier is at a limit
            state[1] = total
        state[2] = error
    state[3] = 0.0


@kernel
def _adaptive(state, gains, paid, length, budget):  # type: ignore[no-untyped-def]
    """Move the multiplier mu against the difference of planned and actual spend; state[0] = 1 / (1 + mu)."""
    mu = state[1] - gains[0] * (budget / length - paid) / gains[1]
    state[1] = min(max(mu, 0.0), gains[2])
    state[0] = 1.0 / (1.0 + state[1])


@kernel
def explicit_bids(theta, length, budget, numbers, reals, tables, price, bids):  # type: ignore[no-untyped-def]
    """Write the bid of a table rule for every request of a replay in which it wins at prices up to its bid."""
    parts = np.zeros(2, np.int64)
    b = budget
    for i in range(theta.shape[0]):
        if i % length == 0:
            b = budget
            parts[:] = 0
        bids[i] = mapped_bid(tables, numbers, reals, length - i % length, b, theta[i], parts)
        if bids[i] >= price[i]:
            b -= price[i]
            parts[0] -= price[i]


@kernel
def best_reply(seen, length, budget, top, scales, second_price, worth, price_weight, gains):  # type: ignore[no-untyped-def]
    """Value of every linear bid on a grid against the market that a bidder met.

    Args:
        seen: float64 [W, 3] (theta, price to beat, truth) of complete episodes, in order.
        length: T.
        budget: B per episode.
        top: Highest bid.
        scales: float64 [K] money per unit of theta.
        second_price: True pays the price to beat, False the bid.
        worth: (per win, per expected click) value of a win.
        price_weight: Value of a unit of money.
        gains: float64 [K], overwritten with the value over all episodes.
    """
    for s in range(scales.shape[0]):
        total = 0.0
        b = budget
        for i in range(seen.shape[0]):
            if i % length == 0:
                b = budget
            a = min(b, top)
            wish = scales[s] * seen[i, 0]
            if wish < a:
                a = np.int64(wish)
            if a >= seen[i, 1]:
                paid = np.int64(seen[i, 1]) if second_price else a
                b -= paid
                total += worth[0] + worth[1] * seen[i, 2] - price_weight * paid
        gains[s] = total
