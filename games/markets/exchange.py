"""Compiled exchange: orders of traders on the book, with rows that are used again, cash and shares."""

from __future__ import annotations

import numpy as np

from equilibria.games.markets.state import (
    BOUGHT,
    CANCELLED,
    CASH,
    CROSSED,
    DEALS,
    DEALT,
    EVENTS,
    FIRST,
    FULL,
    LAST_MID2,
    LOGGED,
    RESTING,
    RESTS,
    SENT,
    SHARES,
    TRADED,
    VOLUME,
    WITHDRAWN,
)
from equilibria.mechanisms.book_kernels import (
    BEST_ASK,
    BEST_BID,
    BUY,
    CANCEL,
    FOLLOWING,
    LEFT,
    LIMIT,
    MARKET,
    NONE,
    NUMBER,
    OWNER,
    PRECEDING,
    TRADES,
    enqueue,
    match,
    withdraw,
)
from equilibria.sim.jit import kernel


@kernel(counted=False, forceinline=True)
def _note(log, count, kind, side, tick, amount, trader):  # type: ignore[no-untyped-def]
    k = count[LOGGED]
    if k < log.shape[0]:
        log[k, 0], log[k, 1], log[k, 2], log[k, 3], log[k, 4] = kind, side, tick, amount, trader
        count[LOGGED] = k + 1


@kernel(counted=False, forceinline=True)
def _release(orders, free, accounts, count, slot):  # type: ignore[no-untyped-def]
    """Take an order off its trader's list and free its row."""
    trader = orders[slot, OWNER]
    a, b = orders[slot, FOLLOWING], orders[slot, PRECEDING]
    if b == NONE:
        accounts[trader, FIRST] = a
    else:
        orders[b, FOLLOWING] = a
    if a != NONE:
        orders[a, PRECEDING] = b
    count[RESTING] -= 1
    free[free.shape[0] - 1 - count[RESTING]] = slot
    accounts[trader, RESTS] -= 1


@kernel(counted=False, forceinline=True)
def cancel(orders, ticks, top, free, accounts, count, log, slot):  # type: ignore[no-untyped-def]
    """Cancel a resting order."""
    trader = orders[slot, OWNER]
    _note(log, count, np.int64(CANCEL), np.int64(0), np.int64(0), orders[slot, NUMBER], trader)
    withdraw(slot, orders, ticks, top)
    _release(orders, free, accounts, count, slot)
    accounts[trader, WITHDRAWN] += 1
    count[EVENTS] += 1
    count[CANCELLED] += 1


@kernel(counted=False, forceinline=True)
def _settle_trades(orders, top, trades, free, accounts, count):  # type: ignore[no-untyped-def]
    """Move cash and shares for the trades of one order and free the rows of orders that are filled."""
    for k in range(top[TRADES]):
        maker, at, quantity, buyer, seller = trades[k, 1], trades[k, 2], trades[k, 3], trades[k, 4], trades[k, 5]
        accounts[buyer, CASH] -= at * quantity
        accounts[seller, CASH] += at * quantity
        accounts[buyer, SHARES] += quantity
        accounts[seller, SHARES] -= quantity
        accounts[buyer, DEALT] += 1
        accounts[seller, DEALT] += 1
        accounts[buyer, TRADED] += quantity
        accounts[seller, TRADED] += quantity
        count[DEALS] += 1
        count[VOLUME] += quantity
        if orders[maker, LEFT] == 0:
            _release(orders, free, accounts, count, maker)


@kernel(counted=False, forceinline=True)
def submit(orders, ticks, top, trades, free, accounts, count, log, kind, side, tick, amount, trader):  # type: ignore[no-untyped-def]
    """Execute an order; return its row if something of it rests, else -1.

    Sets the flag FULL, and drops the rest, when no row is free.
    """
    _note(log, count, kind, side, tick, amount, trader)
    number = count[EVENTS]
    count[EVENTS] += 1
    accounts[trader, SENT] += 1
    limit = tick
    if kind == MARKET:
        limit = ticks.shape[0] if side == BUY else -1
    top[TRADES] = 0
    rest = match(number, trader, amount, limit, side, orders, ticks, top, trades)
    _settle_trades(orders, top, trades, free, accounts, count)
    if side == BUY:
        count[BOUGHT] += amount - rest
    slot = NONE
    if kind == LIMIT and rest > 0:
        if count[RESTING] == free.shape[0]:
            count[FULL] = 1
        else:
            slot = free[free.shape[0] - 1 - count[RESTING]]
            count[RESTING] += 1
            enqueue(slot, side, tick, rest, trader, orders, ticks, top)
            first = accounts[trader, FIRST]
            orders[slot, NUMBER], orders[slot, FOLLOWING], orders[slot, PRECEDING] = number, first, NONE
            if first != NONE:
                orders[first, PRECEDING] = slot
            accounts[trader, FIRST] = slot
            accounts[trader, RESTS] += 1
    bid, ask = top[BEST_BID], top[BEST_ASK]
    if bid >= 0 and ask < ticks.shape[0]:
        count[LAST_MID2] = bid + ask
        if bid >= ask:
            count[CROSSED] += 1
    return slot
