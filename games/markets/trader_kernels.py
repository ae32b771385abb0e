"""Compiled decisions of traders and the loop over events.

Rules (rates and sizes are settings; where the source leaves a rule open, it is ours):

* **Noise**: once per session at a uniform time, buys at the best ask or sells at the best bid, by a coin.
* **Value**: at Poisson times, cancels, observes the fundamental value with noise, updates a Kalman filter of a
  mean-reverting value, forecasts the end of the session; buys if the forecast is at least the mid price, else sells;
  with probability 0.1 at the opposite best price, else up to two spreads behind it.  Without quotes it bids its
  forecast on a random side.
* **Momentum**: at Poisson times, notes the mid price; once it has 50, buys at the ask if the mean of the last 20
  is above that of the last 50, sells at the bid if it is below.
* **Maker**: at fixed intervals, cancels and quotes levels on both sides, each of 2.5 % of the volume since the last
  quotes, around the mid price less ``skew`` per inventory of a full side; the first levels lie an average spread apart.
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
from equilibria.games.markets import agenda as queue
from equilibria.games.markets.exchange import FULL, LAST_MID2, VOLUME, cancel, cancel_all, quotes, submit
from equilibria.games.markets.fundamental import advance, four
from equilibria.mechanisms.book_kernels import BUY, LIMIT, MARKET, SELL
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded

NOISE, VALUE, MOMENTUM, MAKER, ZERO = range(5)
KINDS = ("noise", "value", "momentum", "maker", "zero")
WAKE, ORDER, CANCEL_ALL, CANCEL_ONE = range(4)
SECOND = 1e9
LONG, SHORT = 50, 20
# cells of the parameters ``par``
(
    SESSION, MEAN, VALUE_RATE, BELIEF_REVERSION, BELIEF_VOLATILITY, OBSERVATION, AGGRESSIVE, DEPTH, MOMENTUM_RATE,
    MAKER_INTERVAL, PARTICIPATION, LEVELS, SPACING, SKEW, SPREAD_WEIGHT, LIMIT_RATE, MARKET_RATE, CANCEL_RATE, WINDOW,
) = range(19)  # fmt: skip
PARAMETERS = 19


@kernel(inline="always")
def _exponential(word, rate):  # type: ignore[no-untyped-def]
    """Return a waiting time in nanoseconds, at least 1."""
    return 1 + np.int64(-math.log(unit(word)) / rate * SECOND)


@kernel
def order_size(choice, word):  # type: ignore[no-untyped-def]
    """Draw an order size: lognormal(2.9, 1.2) with probability 0.2, else multiples of 100 (0.7 for 100 itself)."""
    u = unit(choice)
    if u < 0.2:
        return max(1, np.int64(np.rint(math.exp(2.9 + 1.2 * normal(word)))))
    size, edge = 100, 0.9
    for share in (0.06, 0.004, 0.0329, 0.001, 0.0006, 0.0004, 0.0005, 0.0003, 0.0003):
        if u < edge:
            break
        edge += share
        size += 100
    return size


@kernel
def _send(sim, par, now, trader, what, side, tick, amount):  # type: ignore[no-untyped-def]
    """Let an order or a cancellation reach the book, at once or after the trader's latency."""
    book, crowd, agenda, count, tally, log, _ = sim
    tick = min(max(tick, 1), book.head.shape[0] - 2)
    delay = crowd.latency[trader]
    if delay > 0:
        if not queue.push(agenda, count, now + delay, what, trader, side, tick, amount):
            tally[FULL] = 1
    elif what == CANCEL_ALL:
        cancel_all(book, crowd, tally, log, trader)
    else:
        _arrive(sim, par, now, trader, side, tick, amount)


@kernel
def _arrive(sim, par, now, trader, side, tick, amount):  # type: ignore[no-untyped-def]
    """Execute an order; ``side`` of 2 or -2 is a market order."""
    book, crowd, agenda, count, tally, log, key = sim
    if abs(side) == 2:
        submit(book, crowd, tally, log, MARKET, side // 2, 0, amount, trader)
        return
    slot = submit(book, crowd, tally, log, LIMIT, side, tick, amount, trader)
    if slot >= 0 and crowd.kind[trader] == ZERO and par[CANCEL_RATE] > 0.0:
        # the order's own clock; the slot may hold another order by then, so its number goes along
        w = four(key, book.number[slot], trader, 1)
        wait = _exponential(w[0], par[CANCEL_RATE])
        if not queue.push(agenda, count, now + wait, CANCEL_ONE, trader, 0, slot, book.number[slot]):
            tally[FULL] = 1


@kernel
def _noise(sim, par, now, i, w):  # type: ignore[no-untyped-def]
    bid, ask, _ = quotes(sim[0])
    session = np.int64(par[SESSION])
    if now > 0:  # the first call only draws the time
        buys = (w[0] & np.uint64(1)) == np.uint64(0)
        size = order_size(w[1], w[2])
        if buys and ask < sim[0].head.shape[0]:
            _send(sim, par, now, i, ORDER, BUY, ask, size)
        elif not buys and bid >= 0:
            _send(sim, par, now, i, ORDER, SELL, bid, size)
        now = (now // session + 1) * session
    return now + 1 + np.int64(unit(w[3]) * (par[SESSION] - 2.0))


@kernel
def _value(sim, par, now, i, w, more, truth):  # type: ignore[no-untyped-def]
    book, crowd = sim[0], sim[1]
    # Kalman filter of dr = -k (r - mean) dt + s dW, observed with noise
    gap = (now - crowd.seen[i]) / SECOND
    crowd.seen[i] = now
    k, s = par[BELIEF_REVERSION], par[BELIEF_VOLATILITY]
    keep = math.exp(-k * gap)
    spread = s * s * (gap if k * gap < 1e-9 else (1.0 - keep * keep) / (2.0 * k))
    estimate = par[MEAN] + keep * (crowd.belief[i, 0] - par[MEAN])
    variance = keep * keep * crowd.belief[i, 1] + spread
    seen = truth + math.sqrt(par[OBSERVATION]) * normal(w[0])
    gain = variance / (variance + par[OBSERVATION])
    crowd.belief[i, 0] = estimate + gain * (seen - estimate)
    crowd.belief[i, 1] = (1.0 - gain) * variance
    left = (par[SESSION] - now % np.int64(par[SESSION])) / SECOND
    forecast = par[MEAN] + math.exp(-k * left) * (crowd.belief[i, 0] - par[MEAN])
    _send(sim, par, now, i, CANCEL_ALL, 0, 0, 0)
    bid, ask, both = quotes(book)
    size = order_size(more[0], more[1])
    if both:
        away = np.int64(0)
        if unit(w[1]) >= par[AGGRESSIVE]:
            away = np.int64(unit(w[2]) * (par[DEPTH] * (ask - bid) + 1.0))
        if 2.0 * forecast >= bid + ask:
            _send(sim, par, now, i, ORDER, BUY, ask - away, size)
        else:
            _send(sim, par, now, i, ORDER, SELL, bid + away, size)
    else:
        side = BUY if (more[2] & np.uint64(1)) == np.uint64(0) else SELL
        _send(sim, par, now, i, ORDER, side, np.int64(np.rint(forecast)), size)
    return now + _exponential(w[3], par[VALUE_RATE])


@kernel
def _momentum(sim, par, now, i, w, place):  # type: ignore[no-untyped-def]
    book, crowd = sim[0], sim[1]
    bid, ask, both = quotes(book)
    if both:
        seen = crowd.watched[place]
        crowd.mids[place, seen % LONG] = 0.5 * (bid + ask)
        crowd.watched[place] = seen + 1
        if seen + 1 >= LONG:
            long = short = 0.0
            for k in range(LONG):
                long += crowd.mids[place, k]
            for k in range(SHORT):
                short += crowd.mids[place, (seen - k) % LONG]
            size = order_size(w[0], w[1])
            if short * LONG > long * SHORT:
                _send(sim, par, now, i, ORDER, BUY, ask, size)
            elif short * LONG < long * SHORT:
                _send(sim, par, now, i, ORDER, SELL, bid, size)
    return now + _exponential(w[3], par[MOMENTUM_RATE])


@kernel
def _maker(sim, par, now, i):  # type: ignore[no-untyped-def]
    book, crowd, _, _, tally, _, _ = sim
    bid, ask, both = quotes(book)
    middle = 0.5 * tally[LAST_MID2] if tally[LAST_MID2] > 0 else par[MEAN]
    if both:
        weight = par[SPREAD_WEIGHT]
        crowd.belief[i, 0] = weight * (ask - bid) + (1.0 - weight) * crowd.belief[i, 0]
    size = max(np.int64(1), np.int64(np.rint(par[PARTICIPATION] * (tally[VOLUME] - crowd.seen[i]))))
    crowd.seen[i] = tally[VOLUME]
    levels = np.int64(par[LEVELS])
    middle -= par[SKEW] * crowd.shares[i] / (size * levels)
    half = max(1.0, 0.5 * crowd.belief[i, 0])
    low, high = np.int64(math.floor(middle - half)), np.int64(math.ceil(middle + half))
    _send(sim, par, now, i, CANCEL_ALL, 0, 0, 0)
    for k in range(levels):
        away = k * np.int64(par[SPACING])
        _send(sim, par, now, i, ORDER, BUY, low - away, size)
        _send(sim, par, now, i, ORDER, SELL, high + away, size)
    return now + np.int64(par[MAKER_INTERVAL])


@kernel
def _zero(sim, par, now, i, w):  # type: ignore[no-untyped-def]
    book, crowd, _, _, tally, _, _ = sim
    bid, ask, _ = quotes(book)
    rate = 2.0 * (par[LIMIT_RATE] * par[WINDOW] + par[MARKET_RATE])
    side = BUY if (w[0] & np.uint64(1)) == np.uint64(0) else SELL
    if crowd.drawn[i] > 1:  # the first call only draws the time
        if unit(w[1]) * rate < 2.0 * par[MARKET_RATE]:
            _send(sim, par, now, i, ORDER, 2 * side, 1, 1)
        else:
            middle = tally[LAST_MID2] // 2 if tally[LAST_MID2] > 0 else np.int64(par[MEAN])
            away = 1 + bounded(w[2], np.int64(par[WINDOW]))
            if side == BUY:
                _send(sim, par, now, i, ORDER, BUY, (ask if ask < book.head.shape[0] else middle + 1) - away, 1)
            else:
                _send(sim, par, now, i, ORDER, SELL, (bid if bid >= 0 else middle - 1) + away, 1)
    return now + _exponential(w[3], rate)


@kernel
def _wake(sim, par, now, i, oracle, law):  # type: ignore[no-untyped-def]
    """Let a trader decide; return when it wakes again."""
    crowd, key = sim[1], sim[6]
    w = four(key, crowd.drawn[i], i, 0)
    crowd.drawn[i] += 1
    kind = crowd.kind[i]
    if kind == NOISE:
        return _noise(sim, par, now, i, w)
    if kind == VALUE:
        if crowd.drawn[i] == 1:
            return now + _exponential(w[3], par[VALUE_RATE])
        advance(oracle, law, key, now)
        return _value(sim, par, now, i, w, four(key, crowd.drawn[i], i, 2), oracle[0])
    if kind == MOMENTUM:
        if crowd.drawn[i] == 1:
            return now + _exponential(w[3], par[MOMENTUM_RATE])
        first = crowd.kind.shape[0] - 1
        while crowd.kind[first] != MOMENTUM:
            first -= 1
        return _momentum(sim, par, now, i, w, i - (first - crowd.watched.shape[0] + 1))
    if kind == MAKER:
        return _maker(sim, par, now, i)
    return _zero(sim, par, now, i, w)


@kernel
def run(sim, par, oracle, law, first, steps, length, rows):  # type: ignore[no-untyped-def]
    """Process all events of periods ``first`` .. ``first + steps - 1`` (from 1) and write a row per period.

    With ``first`` 0 enter the first event of every trader instead; makers quote at once, in turn.

    Args:
        sim: Book, crowd, agenda, count, tally, log, key.
        par: float64 parameters.
        oracle: float64 [4], see ``fundamental``.
        law: float64 parameters of the fundamental value.
        first: First period.
        steps: How many.
        length: Nanoseconds of a period.
        rows: float64 [steps, 5]: mid price (last known, else 0), spread (-1 without quotes), fundamental value, volume so
            far, events so far.
    """
    book, crowd, agenda, count, tally, log, key = sim
    if first == 0:
        for i in range(crowd.kind.shape[0]):
            again = np.int64(0) if crowd.kind[i] == MAKER else _wake(sim, par, np.int64(0), i, oracle, law)
            if not queue.push(agenda, count, again, WAKE, i, 0, 0, 0):
                tally[FULL] = 1
        return
    for p in range(steps):
        end = (first + p) * length
        while count[queue.WAITING] > 0 and agenda.rows[agenda.heap[0], queue.TIME] < end and tally[FULL] == 0:
            row = queue.pop(agenda, count)
            now, what, i = agenda.rows[row, queue.TIME], agenda.rows[row, queue.WHAT], agenda.rows[row, queue.TRADER]
            side, tick, amount = (
                agenda.rows[row, queue.SIDE],
                agenda.rows[row, queue.TICK],
                agenda.rows[row, queue.AMOUNT],
            )
            if what == WAKE:
                again = _wake(sim, par, now, i, oracle, law)
                if not queue.push(agenda, count, again, WAKE, i, 0, 0, 0):
                    tally[FULL] = 1
            elif what == ORDER:
                _arrive(sim, par, now, i, side, tick, amount)
            elif what == CANCEL_ALL:
                cancel_all(book, crowd, tally, log, i)
            elif book.left[tick] > 0 and book.number[tick] == amount:
                cancel(book, crowd, tally, log, tick)
        advance(oracle, law, key, end)
        bid, ask, both = quotes(book)
        rows[p, 0] = 0.5 * tally[LAST_MID2]
        rows[p, 1] = ask - bid if both else -1.0
        rows[p, 2] = oracle[0]
        rows[p, 3] = tally[VOLUME]
        rows[p, 4] = tally[1]
