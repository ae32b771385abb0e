"""Compiled auctions of AuctionNet's model.

Axes: A advertisers, n impressions of a step, G multipliers.  Slot k of 0..2; the market of a step is
``top`` float64 [4, n], the four highest positive bids, and ``who`` int16 [4, n], whose they are (-1: nobody).

Counters: (step, impression block, advertiser) for values, (step, impression, 1000 + ...) for exposure and
conversions: what happens to an impression does not depend on who else was repaired.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import normal, quantile, unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words

COST, CONVERSIONS, WINS, EXPOSED = range(4)
BLOCK = 2048
_EXPOSURE, _CONVERSION, _REPAIR = 1000, 2000, 3000


@kernel
def values(key, step, mean, std, out):  # type: ignore[no-untyped-def]
    """Draw the predicted values of a step, clip(N(mean, std), 0, 1), into float32 [A, n]."""
    n = out.shape[1]
    for a in range(out.shape[0]):
        m, s = mean[a], std[a]
        for i in range(0, n - 3, 4):
            w0, w1, w2, w3 = words(key, step, i >> 2, a)
            out[a, i] = min(1.0, max(0.0, m + s * normal(w0)))
            out[a, i + 1] = min(1.0, max(0.0, m + s * normal(w1)))
            out[a, i + 2] = min(1.0, max(0.0, m + s * normal(w2)))
            out[a, i + 3] = min(1.0, max(0.0, m + s * normal(w3)))
        for i in range(n - n % 4, n):
            w = words(key, step, i >> 2, a)
            word = w[0] if i % 4 == 0 else w[1] if i % 4 == 1 else w[2]
            out[a, i] = min(1.0, max(0.0, m + s * normal(word)))


@kernel(inline="always")
def sigma(key, step, impression, a, slot, ratio):  # type: ignore[no-untyped-def]
    """Return (relative standard deviation of a value, word for its noise, word for its conversion)."""
    w0, w1, w2, _ = words(key, step, impression, _CONVERSION + a)
    return min(0.3, abs(ratio * (1.0 + 0.5 * normal(w0)))), w1, w2


@kernel
def sigmas(key, step, a, ratio, predicted, out):  # type: ignore[no-untyped-def]
    """Write the standard deviations of the values of one advertiser, float64 [n]."""
    for i in range(out.shape[0]):
        s, _, _ = sigma(key, step, i, a, 0, ratio)
        out[i] = s * predicted[i]


@kernel
def rank(bids, top, who):  # type: ignore[no-untyped-def]
    """Find the four highest positive bids of every impression; equal bids go to the lower number.

    Args:
        bids: float64 [A, n].
        top: float64 [4, n], overwritten.
        who: int16 [4, n], overwritten.
    """
    n = bids.shape[1]
    top[:] = 0.0
    who[:] = -1
    for first in range(0, n, BLOCK):
        last = min(n, first + BLOCK)
        for a in range(bids.shape[0]):
            for i in range(first, last):
                b = bids[a, i]
                if b > top[3, i]:
                    _insert(top, who, i, b, a)


@kernel(forceinline=True)
def _insert(top, who, i, b, a):  # type: ignore[no-untyped-def]
    k = 3
    while k > 0 and b > top[k - 1, i]:
        top[k, i], who[k, i] = top[k - 1, i], who[k - 1, i]
        k -= 1
    top[k, i], who[k, i] = b, a


@kernel(inline="always")
def _shown(key, step, impression, exposure):  # type: ignore[no-untyped-def]
    """Return how many of the slots are shown, 0..3, in order."""
    w0, w1, w2, _ = words(key, step, impression, _EXPOSURE)
    if unit(w0) >= exposure[0]:
        return 0
    if unit(w1) >= exposure[1]:
        return 1
    return 2 if unit(w2) >= exposure[2] else 3


@kernel
def repair(key, step, bids, left, reserve, exposure, top, who, cost):  # type: ignore[no-untyped-def]
    """Drop random wins of advertisers whose cost exceeds what they have left, until nobody exceeds.

    An advertiser with cost c > left l loses ceil((c - l) / (c + 1e-4) W_k) of its W_k wins in each slot k.

    Args:
        key: uint64 key.
        step: Number of the step over all episodes.
        bids: float64 [A, n]; dropped bids become 0.
        left: float64 [A] money left.
        reserve: Least price.
        exposure: float64 [3].
        top: float64 [4, n], updated.
        who: int16 [4, n], updated.
        cost: float64 [A], overwritten with the costs of the step.

    Returns:
        The number of rounds.
    """
    agents, n = bids.shape
    places = np.empty(n, np.int64)
    rounds = 0
    while True:
        cost[:] = 0.0
        for i in range(n):
            shown = _shown(key, step, i, exposure)
            for k in range(shown):
                if who[k, i] >= 0 and top[k + 1, i] > reserve:
                    cost[who[k, i]] += top[k + 1, i]
        good = True
        for a in range(agents):
            if cost[a] <= left[a]:
                continue
            good = False
            ratio = (cost[a] - left[a]) / (cost[a] + 1e-4)
            for k in range(3):
                count = 0
                for i in range(n):
                    if who[k, i] == a and top[k + 1, i] > reserve:
                        places[count] = i
                        count += 1
                drop = int(min(float(count), np.ceil(ratio * count)))
                for j in range(drop):
                    w = words(key, step, a * 4 + k, _REPAIR + rounds * n + j)
                    other = j + bounded(w[0], count - j)
                    places[j], places[other] = places[other], places[j]
                    bids[a, places[j]] = 0.0
        if good:
            return rounds
        rounds += 1
        rank(bids, top, who)


@kernel
def settle(  # type: ignore[no-untyped-def]
    key, step, predicted, ratio, low, high, reserve, exposure, top, who, totals, shown, paid, converted
):  # fmt: skip
    """Expose, charge and convert.

    Args:
        key: uint64 key.
        step: Number of the step over all episodes.
        predicted: float32 [A, n].
        ratio: float64 [A] mean relative standard deviation of values.
        low: float64 [A] normal probability of the lower bound of the noise.
        high: float64 [A] of the upper bound.
        reserve: Least price; slots whose next bid does not exceed it are unsold.
        exposure: float64 [3].
        top: float64 [4, n].
        who: int16 [4, n].
        totals: float64 [A, 4] cost, conversions, wins, exposures of the step, overwritten.
        shown: int8 [n] number of slots shown, overwritten.
        paid: float64 [3, n] price of sold slots, 0 for unsold ones, overwritten.
        converted: int8 [3, n], overwritten.
    """
    totals[:] = 0.0
    for i in range(top.shape[1]):
        shown[i] = _shown(key, step, i, exposure)
        for k in range(3):
            a = who[k, i]
            paid[k, i], converted[k, i] = 0.0, 0
            if a < 0 or top[k + 1, i] <= reserve:
                continue
            totals[a, WINS] += 1.0
            paid[k, i] = top[k + 1, i]
            if k >= shown[i]:
                continue
            totals[a, EXPOSED] += 1.0
            totals[a, COST] += top[k + 1, i]
            relative, noise, coin = sigma(key, step, i, a, k, ratio[a])
            p = np.float64(predicted[a, i])
            p += relative * p * quantile(low[a] + (high[a] - low[a]) * unit(noise))
            if unit(coin) < min(1.0, max(0.0, p)):
                converted[k, i] = 1
                totals[a, CONVERSIONS] += 1.0


@kernel
def own_value(predicted, bids, reserve, chance, top, who, out):  # type: ignore[no-untyped-def]
    """Add expected (cost, predicted conversions) [A, 2] of a step's market, over the exposure of slots."""
    for i in range(top.shape[1]):
        for k in range(3):
            a = who[k, i]
            if a >= 0 and top[k + 1, i] > reserve:
                out[a, 0] += chance[k] * top[k + 1, i]
                out[a, 1] += chance[k] * predicted[a, i]


@kernel
def deviations(predicted, reserve, chance, top, who, grid, out):  # type: ignore[no-untyped-def]
    """Write expected (cost, predicted conversions) of every advertiser at every constant multiplier.

    The multipliers ascend, so an impression enters at its third rival and changes slot at the second and first:
    three changes of a running sum instead of one evaluation per multiplier.

    Args:
        predicted: float32 [A, n].
        reserve: Least price.
        chance: float64 [3] probability that a slot is shown.
        top: float64 [4, n].
        who: int16 [4, n].
        grid: float64 [G] ascending multipliers.
        out: float64 [A, G, 2], overwritten.
    """
    agents, n = predicted.shape
    size = grid.shape[0]
    change = np.zeros((size + 1, 2))
    step = np.log(grid[1] / grid[0])
    start = np.log(grid[0])
    logs = np.full((4, n), -np.inf)
    for k in range(4):
        for i in range(n):
            if top[k, i] > reserve and top[k, i] > 0.0:
                logs[k, i] = np.log(top[k, i])
    for a in range(agents):
        change[:] = 0.0
        for i in range(n):
            p = np.float64(predicted[a, i])
            if p <= 0.0:
                continue
            before, level, shift = 0.0, 0.0, np.log(p) + start
            mine = 4
            for k in range(4):
                if who[k, i] == a:
                    mine = k
            for slot in range(2, -1, -1):
                r = slot if slot < mine else slot + 1
                if logs[r, i] == -np.inf:
                    continue
                price = top[r, i]
                at = np.int64(min(size, max(0.0, (logs[r, i] - shift) / step)))
                while at > 0 and grid[at - 1] * p > price:
                    at -= 1
                while at < size and grid[at] * p <= price:
                    at += 1
                change[at, 0] += chance[slot] * price - before
                change[at, 1] += (chance[slot] - level) * p
                before, level = chance[slot] * price, chance[slot]
        cost = gain = 0.0
        for g in range(size):
            cost += change[g, 0]
            gain += change[g, 1]
            out[a, g, 0], out[a, g, 1] = cost, gain
