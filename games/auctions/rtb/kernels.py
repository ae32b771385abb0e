"""Compiled replay of one bidder against recorded prices; markets are in ``market_kernels``.

Axes: n requests of a stream, T requests per episode, E episodes.

Fast replays (second price, no reserve, one bidder) skip the bid: a linear bidder wins iff the price is
at most min(b, P, scale theta); a table bidder iff the price is affordable and keeps the bracket of the
bid rule non-negative.  Cost: linear about 2 ns, table two table reads.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.rtb.market_kernels import CLICKS, COST, IMPRESSIONS, PREDICTED, VALUE, play
from equilibria.games.auctions.rtb.table_kernels import mapped_bid, table_value
from equilibria.sim.jit import kernel

__all__ = [
    "CLICKS", "COST", "IMPRESSIONS", "LANES", "PREDICTED", "VALUE", "best_reply", "explicit_bids", "play",
    "replay_curve", "replay_linear", "replay_table",
]  # fmt: skip

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


@kernel
def replay_curve(theta, price, click, truth, length, budget, scale, curve, top, out):  # type: ignore[no-untyped-def]
    """Replay a bidder with bids sqrt(scale theta + curve^2) - curve; other arguments as ``replay_linear``."""
    n = theta.shape[0]
    out[:] = 0.0
    for e in range(out.shape[0]):
        b = budget
        for i in range(e * length, min(n, (e + 1) * length)):
            d = np.int64(price[i])
            if d <= b and d <= top and np.sqrt(scale * theta[i] + curve * curve) - curve >= d:
                b -= d
                out[e, IMPRESSIONS] += 1
                out[e, CLICKS] += click[i]
                out[e, VALUE] += truth[i]
                out[e, PREDICTED] += theta[i]
        out[e, COST] = budget - b


@kernel
def replay_table(theta, price, click, truth, length, budget, numbers, reals, tables, out):  # type: ignore[no-untyped-def]
    """Replay a table bidder whose table covers the episode; arguments as ``replay_linear``.

    ``numbers``, ``reals`` are one row of ``PackedRules.integers`` and ``.reals``.
    """
    start, down, across, fine, stride, top = numbers[3], numbers[4], numbers[10], numbers[5], numbers[6], numbers[9]
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
                kept = table_value(tables, start, down, across, fine, stride, t, b)
                after = table_value(tables, start, down, across, fine, stride, t, b - d)
                if (v1 * x - gamma * kept) - v0 * d + gamma * after >= 0.0:  # in the order of table_bid
                    left[lane] = b - d
                    out[first + lane, IMPRESSIONS] += 1
                    out[first + lane, CLICKS] += click[i]
                    out[first + lane, VALUE] += truth[i]
                    out[first + lane, PREDICTED] += theta[i]
        for lane in range(lanes):
            out[first + lane, COST] = budget - left[lane]


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
