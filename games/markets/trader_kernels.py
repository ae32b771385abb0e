"""Compiled decisions of traders and the loop over events.

Rules (rates and sizes are settings; where the source leaves a rule open, it is ours):

* **Noise**: once per session at a uniform time, buys at the best ask or sells at the best bid, by a coin.
* **Value**: at Poisson times, cancels, observes the fundamental value with noise, updates a Kalman filter of a
  mean-reverting value, forecasts the end of the session; buys if the forecast is at least the mid price, else sells;
  with probability 0.1 at the opposite best price, else up to two spreads behind it.  Without quotes it bids its
  forecast on a random side.
* **Momentum**: at Poisson times, notes the mid price; once it has 50, buys at the ask if the mean of the last 20
  is above that of the last 50, sells at the bid if it is below.
* **Maker**: at fixed intervals, cancels, looks, and quotes levels on both sides, each of 2.5 % of the volume since the
  last quotes, around the mid price moved by ``skew`` times the imbalance of that volume (1 if all of it was bought by the
  orders that came, -1 if sold); the first levels lie an average spread apart, the others five such spreads behind.
* **Zero intelligence**: limit orders at a rate per tick within a window below the ask or above the bid, market orders
  at a rate, each resting order cancelled at a rate; all Poisson.

Times are whole nanoseconds.  A trader's n-th decision takes the random words of (trader, n).

Source: Byrd, Hybinette, Balch (2019), ABIDES, arXiv 1904.12066; Amrouni et al. (2021), ABIDES-Gym, ICAIF; zero
intelligence: Farmer, Patelli, Zovko (2005), PNAS 102.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.auctions.simulators.draws import normal, unit
from equilibria.games.markets.agenda import ITEM, TIME, hold, push, replace_first
from equilibria.games.markets.exchange import cancel, submit
from equilibria.games.markets.fundamental import advance, four
from equilibria.games.markets.state import (
    AMOUNT,
    BOUGHT,
    CANCEL_ALL,
    CANCEL_ONE,
    CLOCK,
    DRAWN,
    EVENTS,
    FIRST,
    FULL,
    KIND,
    LAST_MID2,
    LATENCY,
    LONG,
    LONG_SUM,
    ORDER,
    PRICES,
    SEEN,
    SEEN_BOUGHT,
    SHORT,
    SHORT_SUM,
    SIDE,
    SPARE,
    TICK,
    TRADER,
    VOLUME,
    WAITING,
    WATCHED,
    WHAT,
)
from equilibria.mechanisms.book_kernels import (
    BEST_ASK,
    BEST_BID,
    BUY,
    LEFT,
    LIMIT,
    MARKET,
    NONE,
    NUMBER,
    SELL,
)
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded

NOISE, VALUE, MOMENTUM, MAKER, ZERO, OUTSIDE = range(6)
KINDS = ("noise", "value", "momentum", "maker", "zero", "outside")
SECOND = 1e9
# cells of the parameters ``par``
(
    SESSION, MEAN, VALUE_RATE, BELIEF_REVERSION, BELIEF_VOLATILITY, OBSERVATION, AGGRESSIVE, DEPTH, MOMENTUM_RATE,
    MAKER_INTERVAL, PARTICIPATION, LEVELS, SPACING, SKEW, SPREAD_WEIGHT, LIMIT_RATE, MARKET_RATE, CANCEL_RATE, WINDOW,
) = range(19)  # fmt: skip
PARAMETERS = 19
# draws of a decision: for all kinds, for an order's own clock, more for value traders; typed, because numba compiles a
# kernel anew for each literal that it is called with
_FIRST, _CLOCK, _MORE = np.int64(0), np.int64(1), np.int64(2)


@kernel(counted=False)
def _exponential(word, rate):  # type: ignore[no-untyped-def]
    """Return a waiting time in nanoseconds, at least 1."""
    return 1 + np.int64(-math.log(unit(word)) / rate * SECOND)


@kernel(counted=False)
def _gauss(word):  # type: ignore[no-untyped-def]
    """Return a normal number; not inlined, which keeps the callers small."""
    return normal(word)


@kernel(counted=False)
def order_size(choice, word):  # type: ignore[no-untyped-def]
    """Draw an order size: lognormal(2.9, 1.2) with probability 0.2, else multiples of 100 (0.7 for 100 itself)."""
    u = unit(choice)
    if u < 0.2:
        return max(1, np.int64(np.rint(math.exp(2.9 + 1.2 * _gauss(word)))))
    size, edge = 100, 0.9
    for share in (0.06, 0.004, 0.0329, 0.001, 0.0006, 0.0004, 0.0005, 0.0003, 0.0003):
        if u < edge:
            break
        edge += share
        size += 100
    return size


@kernel(counted=False, forceinline=True)
def _side(word):  # type: ignore[no-untyped-def]
    return BUY if (word & np.uint64(1)) == np.uint64(0) else SELL


@kernel(counted=False, forceinline=True)
def _noise_time(par, now, word):  # type: ignore[no-untyped-def]
    """Return a uniform time of the session that begins at ``now``."""
    return now + 1 + np.int64(unit(word) * (par[SESSION] - 2.0))


@kernel(counted=False)
def _noise(bid, ask, ticks, w):  # type: ignore[no-untyped-def]
    """Return side (0 for no order), tick and quantity, as the other rules do."""
    side, tick = (BUY, ask) if _side(w[0]) == BUY else (SELL, bid)
    return side if 0 <= tick < ticks else 0, tick, order_size(w[1], w[2])


@kernel(counted=False)
def _learn(par, accounts, belief, now, i, word, truth):  # type: ignore[no-untyped-def]
    """Return the forecast of a value trader: Kalman filter of dr = -k (r - mean) dt + s dW, observed with noise."""
    gap = (now - accounts[i, SEEN]) / SECOND
    accounts[i, SEEN] = now
    k, s = par[BELIEF_REVERSION], par[BELIEF_VOLATILITY]
    keep = math.exp(-k * gap)
    spread = s * s * (gap if k * gap < 1e-9 else (1.0 - keep * keep) / (2.0 * k))
    estimate = par[MEAN] + keep * (belief[i, 0] - par[MEAN])
    variance = keep * keep * belief[i, 1] + spread
    seen = truth + math.sqrt(par[OBSERVATION]) * _gauss(word)
    gain = variance / (variance + par[OBSERVATION])
    belief[i, 0] = estimate + gain * (seen - estimate)
    belief[i, 1] = (1.0 - gain) * variance
    left = (par[SESSION] - now % np.int64(par[SESSION])) / SECOND
    return par[MEAN] + math.exp(-k * left) * (belief[i, 0] - par[MEAN])


@kernel(counted=False)
def _value(par, bid, ask, ticks, forecast, w, more):  # type: ignore[no-untyped-def]
    size = order_size(more[0], more[1])
    if bid < 0 or ask >= ticks:
        return _side(more[2]), np.int64(np.rint(forecast)), size
    away = np.int64(0)
    if unit(w[1]) >= par[AGGRESSIVE]:
        away = np.int64(unit(w[2]) * (par[DEPTH] * (ask - bid) + 1.0))
    return (BUY, ask - away, size) if 2.0 * forecast >= bid + ask else (SELL, bid + away, size)


@kernel(counted=False)
def _momentum(mids, row, bid, ask, ticks, w):  # type: ignore[no-untyped-def]
    if bid < 0 or ask >= ticks:
        return 0, bid, ask
    seen = mids[row, WATCHED]
    place = PRICES + seen % LONG
    mids[row, LONG_SUM] += bid + ask - mids[row, place]
    mids[row, SHORT_SUM] += bid + ask
    if seen >= SHORT:
        mids[row, SHORT_SUM] -= mids[row, PRICES + (seen - SHORT) % LONG]
    mids[row, place] = bid + ask
    mids[row, WATCHED] = seen + 1
    trend = mids[row, SHORT_SUM] * LONG - mids[row, LONG_SUM] * SHORT
    if seen + 1 < LONG or trend == 0:
        return 0, bid, ask
    return (BUY, ask, order_size(w[0], w[1])) if trend > 0 else (SELL, bid, order_size(w[0], w[1]))


@kernel(counted=False)
def _maker(sent, par, accounts, belief, count, i, bid, ask, ticks):  # type: ignore[no-untyped-def]
    """Write down the quotes of a maker, which has cancelled its former ones; return how many."""
    middle = 0.5 * count[LAST_MID2] if count[LAST_MID2] > 0 else par[MEAN]
    if bid >= 0 and ask < ticks:
        weight = par[SPREAD_WEIGHT]
        belief[i, 0] = weight * (ask - bid) + (1.0 - weight) * belief[i, 0]
    width, volume, bought = belief[i, 0], count[VOLUME] - accounts[i, SEEN], count[BOUGHT] - accounts[i, SEEN_BOUGHT]
    accounts[i, SEEN], accounts[i, SEEN_BOUGHT] = count[VOLUME], count[BOUGHT]
    size = max(np.int64(1), np.int64(np.rint(par[PARTICIPATION] * volume)))
    if volume > 0:
        middle = math.floor(middle) + par[SKEW] * (2.0 * bought / volume - 1.0)
    low = np.int64(math.floor(middle)) - np.int64(math.floor(0.5 * width))
    high = max(low + 1, np.int64(math.floor(middle)) + np.int64(math.ceil(0.5 * width)))
    spacing = max(np.int64(1), np.int64(np.rint(par[SPACING] * width)))
    levels = np.int64(par[LEVELS])
    for k in range(2 * levels):
        away = k // 2 * spacing
        side, tick = (BUY, low - away) if k % 2 == 0 else (SELL, high + away)
        sent[k, WHAT], sent[k, SIDE], sent[k, TICK], sent[k, AMOUNT] = ORDER, side, tick, size
    return 2 * levels


@kernel(counted=False)
def _zero(par, mid2, bid, ask, ticks, w):  # type: ignore[no-untyped-def]
    side = _side(w[0])
    if unit(w[1]) * _zero_rate(par) < 2.0 * par[MARKET_RATE]:
        return 2 * side, np.int64(0), 1
    middle = mid2 // 2 if mid2 > 0 else np.int64(par[MEAN])
    away = 1 + bounded(w[2], np.int64(par[WINDOW]))
    if side == BUY:
        return side, (ask if ask < ticks else middle + 1) - away, 1
    return side, (bid if bid >= 0 else middle - 1) + away, 1


@kernel(counted=False, forceinline=True)
def _zero_rate(par):  # type: ignore[no-untyped-def]
    return 2.0 * (par[LIMIT_RATE] * par[WINDOW] + par[MARKET_RATE])


@kernel(counted=False)
def _next(par, kind, now, word):  # type: ignore[no-untyped-def]
    """Return when a trader who has decided at ``now`` wakes again."""
    if kind == NOISE:
        session = np.int64(par[SESSION])
        return _noise_time(par, (now // session + 1) * session, word)
    if kind == MAKER:
        return now + np.int64(par[MAKER_INTERVAL])
    rate = par[VALUE_RATE] if kind == VALUE else (par[MOMENTUM_RATE] if kind == MOMENTUM else _zero_rate(par))
    return now + _exponential(word, rate)


@kernel(counted=False)
def enter(market, par, key):  # type: ignore[no-untyped-def]
    """Enter the first waking of every trader: makers quote at once, in turn; those outside never wake."""
    accounts = market.accounts
    for i in range(accounts.shape[0]):
        kind, time = accounts[i, KIND], np.int64(0)
        if kind == OUTSIDE:
            continue
        if kind != MAKER:
            word = four(key, np.int64(0), i, _FIRST)[3]
            accounts[i, DRAWN] = 1
            time = _noise_time(par, time, word) if kind == NOISE else _next(par, kind, time, word)
        push(market.heap, market.counts, time, -1 - i)


@kernel(counted=False, forceinline=True)
def _decide(market, par, oracle, law, key, now, i, kind):  # type: ignore[no-untyped-def]
    """Let a trader decide; return how much it sends and when it wakes again."""
    _, ticks, top, _, _, accounts, belief, mids, _, _, sent, count, _ = market
    edge, bid, ask = ticks.shape[0], top[BEST_BID], top[BEST_ASK]
    w = four(key, accounts[i, DRAWN], i, _FIRST)
    accounts[i, DRAWN] += 1
    again = _next(par, kind, now, w[3])
    if kind == MAKER:
        return _maker(sent, par, accounts, belief, count, i, bid, ask, edge), again
    if kind == NOISE:
        side, tick, amount = _noise(bid, ask, edge, w)
    elif kind == VALUE:
        advance(oracle, law, key, now)
        forecast = _learn(par, accounts, belief, now, i, w[0], oracle[0])
        side, tick, amount = _value(par, bid, ask, edge, forecast, w, four(key, accounts[i, DRAWN], i, _MORE))
    elif kind == MOMENTUM:
        side, tick, amount = _momentum(mids, accounts[i, SEEN], bid, ask, edge, w)
    else:
        side, tick, amount = _zero(par, count[LAST_MID2], bid, ask, edge, w)
    sent[0, WHAT], sent[0, SIDE], sent[0, TICK], sent[0, AMOUNT] = ORDER, side, tick, amount
    return np.int64(side != 0), again


@kernel(counted=False, forceinline=True)
def _arrive(market, par, key, now, i, what, side, tick, amount):  # type: ignore[no-untyped-def]
    """Execute an order or a cancellation."""
    orders, ticks, top, trades, free, accounts, _, _, heap, later, _, count, log = market
    if what == ORDER:
        bare = abs(side) == 2  # a market order
        kind = MARKET if bare else LIMIT
        slot = submit(
            orders, ticks, top, trades, free, accounts, count, log, kind, side // 2 if bare else side,
            0 if bare else tick, amount, i,
        )  # fmt: skip
        if slot >= 0 and accounts[i, KIND] == ZERO and par[CANCEL_RATE] > 0.0:
            # the order's own clock; the row may hold another order by then, so its number goes along
            wait = _exponential(four(key, orders[slot, NUMBER], i, _CLOCK)[0], par[CANCEL_RATE])
            hold(heap, later, count, now + wait, CANCEL_ONE, i, 0, slot, orders[slot, NUMBER])
        return
    slot = accounts[i, FIRST]
    if what == CANCEL_ONE:
        slot = tick if orders[tick, LEFT] > 0 and orders[tick, NUMBER] == amount else NONE
    while slot != NONE:
        cancel(orders, ticks, top, free, accounts, count, log, slot)
        slot = accounts[i, FIRST] if what == CANCEL_ALL else NONE


@kernel(counted=False)
def process(market, par, oracle, law, key, until):  # type: ignore[no-untyped-def]
    """Process all events before ``until`` (nanoseconds); see ``run``."""
    _, ticks, _, _, _, accounts, _, _, heap, later, sent, count, _ = market
    edge = ticks.shape[0]
    while count[WAITING] > 0 and heap[0, TIME] < until and count[FULL] == 0:
        now, item, again, late = heap[0, TIME], heap[0, ITEM], np.int64(-1), np.int64(0)
        i = later[item, TRADER] if item >= 0 else -1 - item
        kind = accounts[i, KIND]
        # value traders and makers cancel before they look at the quotes
        looks = 2 if item < 0 and (kind == VALUE or kind == MAKER) else 1
        for look in range(looks):
            sends = np.int64(1)
            if item >= 0:
                for c in range(SPARE):
                    sent[0, c] = later[item, c]
            elif look < looks - 1:
                sent[0, WHAT] = CANCEL_ALL
                late = accounts[i, LATENCY]
            else:
                sends, again = _decide(market, par, oracle, law, key, now, i, kind)
                late = accounts[i, LATENCY]
            for k in range(sends):
                what, side, tick, amount = sent[k, WHAT], sent[k, SIDE], sent[k, TICK], sent[k, AMOUNT]
                if what == ORDER:
                    tick = min(max(tick, 1), edge - 2)
                if late > 0:
                    hold(heap, later, count, now + late, what, i, side, tick, amount)
                else:
                    _arrive(market, par, key, now, i, what, side, tick, amount)
        replace_first(heap, later, count, again)
    count[CLOCK] = max(count[CLOCK], until)


@kernel(counted=False)
def run(market, par, oracle, law, key, first, steps, length, rows):  # type: ignore[no-untyped-def]
    """Process all events of periods ``first`` .. ``first + steps - 1`` (from 1) and write a row per period.

    Args:
        market: Arrays, see ``state``.
        par: float64 parameters.
        oracle: float64 [4], see ``fundamental``.
        law: float64 parameters of the fundamental value.
        key: 64-bit key of the random numbers.
        first: First period.
        steps: How many.
        length: Nanoseconds of a period.
        rows: float64 [steps, 5]: mid price (last known, else 0), spread (-1 without quotes), fundamental value, volume so
            far, events so far.
    """
    count, top, edge = market.counts, market.top, market.ticks.shape[0]
    for p in range(steps):
        end = (first + p) * length
        process(market, par, oracle, law, key, end)
        advance(oracle, law, key, end)
        bid, ask = top[BEST_BID], top[BEST_ASK]
        rows[p, 0] = 0.5 * count[LAST_MID2]
        rows[p, 1] = ask - bid if bid >= 0 and ask < edge else -1.0
        rows[p, 2] = oracle[0]
        rows[p, 3] = count[VOLUME]
        rows[p, 4] = count[EVENTS]
