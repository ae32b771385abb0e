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
def table_value(tables, start, height, fine, stride, t, b):  # type: ignore[no-untyped-def]
    """Return V(t, b) of a packed table."""
    if b < fine:
        return tables[np.uint64(start + b * height + t)]  # unsigned: no test for indices from the end
    k = (b - fine) // stride
    rest = b - fine - k * stride
    place = start + (fine + k) * height + t
    left = tables[place]
    if rest == 0:
        return left
    return left + (tables[place + height] - left) * (rest / stride)


@kernel
def replay_table(theta, price, click, truth, length, budget, numbers, reals, tables, out):  # type: ignore[no-untyped-def]
    """Replay a table bidder whose table covers the episode; arguments as ``replay_linear``.

    ``numbers``, ``reals`` are one row of ``PackedRules.integers`` and ``.reals``.
    """
    start, height, fine, stride, top = numbers[3], numbers[4], numbers[5], numbers[6], numbers[9]
    fixed, v1, v0, gamma = reals[1], reals[2], reals[3], reals[4]
    episodes = out.shape[0]
    left = np.empty(LANES, np.int64)
    own = np.isnan(fixed)
    n = np.uint64(theta.shape[0])
    for first in range(0, episodes, LANES):
        lanes = min(LANES, episodes - first)
        for lane in range(lanes):
            left[lane] = budget
            out[first + lane, :] = 0.0
        for j in range(length):
            t = length - 1 - j
            for lane in range(lanes):
                i = np.uint64((first + lane) * length + j)
                if i >= n:
                    continue
                d, b = np.int64(price[i]), left[lane]
                if d > b or d > top:
                    continue
                x = theta[i] if own else fixed
                kept = table_value(tables, start, height, fine, stride, t, b)
                after = table_value(tables, start, height, fine, stride, t, b - d)
                if (v1 * x - gamma * kept) - v0 * d + gamma * after >= 0.0:  # in the order of table_bid
                    left[lane] = b - d
                    out[first + lane, IMPRESSIONS] += 1
                    out[first + lane, CLICKS] += click[i]
                    out[first + lane, VALUE] += truth[i]
                    out[first + lane, PREDICTED] += theta[i]
        for lane in range(lanes):
            out[first + lane, COST] = budget - left[lane]


@kernel(forceinline=True)
def table_bid(tables, integers, reals, k, t, b, b_cap, theta, least):  # type: ignore[no-untyped-def]
    """Return the bid of a table rule with t requests to come and budget b, by binary search.

    Bids below ``least`` are of no interest: -1 is returned for them after one test.

    Args:
        tables: float64 [...] packed tables.
        integers: int64 [N, 10] see ``PackedRules``.
        reals: float64 [N, 5] see ``PackedRules``.
        k: The bidder.
        t: Requests to come, the present one included, at most the table's largest.
        b: Budget of the state, at most the table's largest.
        b_cap: Money that may be spent; the bid never exceeds it.
        theta: Click probability of the request.
        least: Smallest bid of interest, at least 0.
    """
    start, height, fine, stride, top = integers[k, 3], integers[k, 4], integers[k, 5], integers[k, 6], integers[k, 9]
    v1, v0, gamma = reals[k, 2], reals[k, 3], reals[k, 4]
    reward = v1 * theta - gamma * table_value(tables, start, height, fine, stride, t - 1, b)
    low, high = 0, min(b, top)
    if least > 0:
        if least > high or least > b_cap:
            return -1
        after = gamma * table_value(tables, start, height, fine, stride, t - 1, b - least)
        if reward - v0 * least + after < 0.0:
            return -1
        low = least
    while low < high:
        d = (low + high + 1) >> 1
        after = gamma * table_value(tables, start, height, fine, stride, t - 1, b - d)
        if reward - v0 * d + after >= 0.0:
            low = d
        else:
            high = d - 1
    return min(low, b_cap)


@kernel
def difference_bid(tables, integers, reals, k, t, b, theta):  # type: ignore[no-untyped-def]
    """Return the bid when D(t-1, x) = V(t-1, x+1) - V(t-1, x) beyond the table is read at the same ratio x/t."""
    start, height, fine, stride, top = integers[k, 3], integers[k, 4], integers[k, 5], integers[k, 6], integers[k, 9]
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
        step = table_value(tables, start, height, fine, stride, tt, bb + 1)
        gone += step - table_value(tables, start, height, fine, stride, tt, bb)
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
    if t <= last and b <= most:
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
    left = np.empty(bidders, np.int64)
    steered = np.flatnonzero(integers[:, 2])
    begun, due, rate = np.zeros_like(steered), np.zeros_like(steered), np.zeros(steered.shape[0])
    for s in range(steered.shape[0]):
        k = steered[s]
        if integers[k, 2] == ADAPTIVE:
            rate[s] = budgets[k] / length / parameters[k, 1]
    source = np.empty(bidders, np.int64)
    parts = np.zeros((bidders, 2), np.int64)
    threshold = np.uint64(min(correlation, 1.0) * 4294967296.0)
    span = np.uint64(4294967296) - threshold
    out[:] = 0.0
    for e in range(out.shape[0]):
        begin, end = e * length, min(n, (e + 1) * length)
        left[:] = budgets
        parts[:] = 0
        for s in range(steered.shape[0]):
            begun[s] = 0
            due[s] = min(length, np.int64(parameters[steered[s], 0])) if integers[steered[s], 2] == PID else length
        first_turn = (first + e) * length % bidders - 1  # the bidder before the first one of the next request
        for i in range(begin, end):
            j = i - begin
            t = length - j
            number = (np.int64(first) + e) * length + j
            _draw_sources(source, i, n, key, number, threshold, span)
            floor = max(int(price[i]), reserve)
            # Only bids above the second one, at first just below the floor, change the outcome.
            best = second = floor - 1
            winner = -1
            k = first_turn
            first_turn = first_turn + 1 if first_turn + 1 < bidders else 0
            for _ in range(bidders):
                k = k + 1 if k + 1 < bidders else 0
                x, b = theta[source[k]], left[k]
                if integers[k, 0] == LINEAR:
                    wish = reals[k, 0] * control[k, 0] * x
                    a = min(b, integers[k, 9])
                    if wish < a:
                        a = np.int64(wish)
                else:
                    a = mapped_bid(tables, integers, reals, k, t, b, x, parts, second + 1)
                if a > second:
                    if a > best:
                        best, second, winner = a, best, k
                    else:
                        second = a
            if window > 0:
                spot = number % window
                for k in range(bidders):
                    rival = second if k == winner else best
                    seen[k, spot, 0] = theta[source[k]]
                    seen[k, spot, 1] = max(floor, rival)
                    seen[k, spot, 2] = truth[source[k]]
            paid = 0
            if winner >= 0:
                paid = max(second, floor) if second_price else best
                left[winner] -= paid
                parts[winner, 0] -= paid
                out[e, winner, IMPRESSIONS] += 1
                out[e, winner, CLICKS] += click[source[winner]]
                out[e, winner, COST] += paid
                out[e, winner, VALUE] += truth[source[winner]]
                out[e, winner, PREDICTED] += theta[source[winner]]
            for s in range(steered.shape[0]):
                k = steered[s]
                begun[s], due[s] = _steer(
                    integers[k, 2], control, parameters, k, paid if k == winner else 0, j, length, left[k],
                    integers[k, 9], rate[s], begun[s], due[s],
                )  # fmt: skip


@kernel(forceinline=True)
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


@kernel(forceinline=True)
def _pid(state, gains, k, spent, planned):  # type: ignore[no-untyped-def]
    """Steer the multiplier at the end of a control interval."""
    if planned > 0.0:
        error = (planned - spent) / planned
        total = state[k, 1] + error
        wanted = state[k, 0] * np.exp(gains[k, 1] * error + gains[k, 2] * total + gains[k, 3] * (error - state[k, 2]))
        state[k, 0] = min(max(wanted, gains[k, 4]), gains[k, 5])
        if state[k, 0] == wanted:  # anti-windup: the integral rests while the multiplier is at a limit
            state[k, 1] = total
        state[k, 2] = error


@kernel(forceinline=True)
def _steer(kind, state, gains, k, paid, j, length, left, top, rate, begun, due):  # type: ignore[no-untyped-def]
    """Update one steered bidder after request ``j``; return (start, end) of its next PID interval.

    ``rate`` is the planned spend per request, ``begun`` and ``due`` bound the present PID interval.
    """
    if kind == ADAPTIVE:
        # It rests once money runs out, and at mu = 0 while nothing is bought.
        if left >= top and (paid > 0 or state[k, 1] > 0.0):
            mu = state[k, 1] - gains[k, 0] * (rate - (paid / gains[k, 1] if paid > 0 else 0.0))
            state[k, 1] = min(max(mu, 0.0), gains[k, 2])
            state[k, 0] = 1.0 / (1.0 + state[k, 1])
        return begun, due
    state[k, 3] += paid
    if j + 1 < due:
        return begun, due
    if left + state[k, 3] >= top:
        # What was left is planned evenly over what was to come, so that an exhausted budget plans nothing.
        _pid(state, gains, k, state[k, 3], (left + state[k, 3]) * (due - begun) / (length - begun))
    state[k, 3] = 0.0
    return due, min(length, due + np.int64(gains[k, 0]))


@kernel
def explicit_bids(theta, length, budget, integers, reals, tables, price, bids):  # type: ignore[no-untyped-def]
    """Write the bid of the first rule for every request of a replay in which it wins at prices up to its bid."""
    parts = np.zeros((1, 2), np.int64)
    b = budget
    for i in range(theta.shape[0]):
        if i % length == 0:
            b = budget
            parts[:] = 0
        bids[i] = mapped_bid(tables, integers, reals, 0, length - i % length, b, theta[i], parts, 0)
        if bids[i] >= price[i]:
            b -= price[i]
            parts[0, 0] -= price[i]


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
