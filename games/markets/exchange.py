"""Compiled exchange: orders of traders on the book, with slots that are used again, cash and shares."""

from __future__ import annotations

from equilibria.mechanisms.book_kernels import (
    BEST_ASK,
    BEST_BID,
    BUY,
    CANCEL,
    LIMIT,
    MARKET,
    NONE,
    TRADES,
    enqueue,
    match,
    settle,
    unlink,
)
from equilibria.sim.jit import kernel

# cells of ``tally``: orders resting, events, trades, quantity traded, cancellations, crossed books seen, flag of a full
# book, the last mid price times two, events logged
RESTING, EVENTS, DEALS, VOLUME, CANCELLED, CROSSED, FULL, LAST_MID2, LOGGED = range(9)
TALLIES = 9


@kernel(inline="always")
def quotes(book):  # type: ignore[no-untyped-def]
    """Return best bid, best ask and whether both are there."""
    bid, ask = book.top[BEST_BID], book.top[BEST_ASK]
    return bid, ask, bid >= 0 and ask < book.head.shape[0]


@kernel
def _release(book, crowd, tally, slot):  # type: ignore[no-untyped-def]
    """Take an order off its trader's list and free its slot."""
    trader = book.owner[slot]
    a, b = book.following[slot], book.preceding[slot]
    if b == NONE:
        book.first[trader] = a
    else:
        book.following[b] = a
    if a != NONE:
        book.preceding[a] = b
    tally[RESTING] -= 1
    book.free[book.free.shape[0] - 1 - tally[RESTING]] = slot
    crowd.orders[trader] -= 1


@kernel
def _note(log, tally, kind, side, tick, amount, trader):  # type: ignore[no-untyped-def]
    k = tally[LOGGED]
    if k < log.shape[0]:
        log[k, 0], log[k, 1], log[k, 2], log[k, 3], log[k, 4] = kind, side, tick, amount, trader
        tally[LOGGED] = k + 1


@kernel
def cancel(book, crowd, tally, log, slot):  # type: ignore[no-untyped-def]
    """Cancel a resting order."""
    _note(log, tally, CANCEL, 0, 0, book.number[slot], book.owner[slot])
    book.left[slot] = 0
    unlink(slot, book.price, book.after, book.before, book.head, book.tail)
    settle(book.top, book.head)
    _release(book, crowd, tally, slot)
    tally[EVENTS] += 1
    tally[CANCELLED] += 1


@kernel
def cancel_all(book, crowd, tally, log, trader):  # type: ignore[no-untyped-def]
    """Cancel all orders of a trader."""
    while book.first[trader] != NONE:
        cancel(book, crowd, tally, log, book.first[trader])


@kernel
def submit(book, crowd, tally, log, kind, side, tick, amount, trader):  # type: ignore[no-untyped-def]
    """Execute an order; return its slot if something of it rests, else -1.

    Sets the flag FULL, and drops the rest, when no slot is free.
    """
    _note(log, tally, kind, side, tick, amount, trader)
    number = tally[EVENTS]
    tally[EVENTS] += 1
    limit = tick
    if kind == MARKET:
        limit = book.head.shape[0] if side == BUY else -1
    book.top[TRADES] = 0
    rest = match(
        number, trader, amount, limit, side, book.price, book.owner, book.left, book.after, book.before, book.head,
        book.tail, book.top, book.trades,
    )  # fmt: skip
    for k in range(book.top[TRADES]):
        _, maker, at, quantity, buyer, seller = book.trades[k]
        crowd.cash[buyer] -= at * quantity
        crowd.cash[seller] += at * quantity
        crowd.shares[buyer] += quantity
        crowd.shares[seller] -= quantity
        tally[DEALS] += 1
        tally[VOLUME] += quantity
        if book.left[maker] == 0:
            _release(book, crowd, tally, maker)
    slot = -1
    if kind == LIMIT and rest > 0:
        if tally[RESTING] == book.free.shape[0]:
            tally[FULL] = 1
        else:
            slot = book.free[book.free.shape[0] - 1 - tally[RESTING]]
            tally[RESTING] += 1
            book.price[slot], book.side[slot], book.owner[slot] = tick, side, trader
            book.left[slot], book.number[slot] = rest, number
            enqueue(slot, side, tick, book.after, book.before, book.head, book.tail, book.top)
            book.following[slot], book.preceding[slot] = book.first[trader], NONE
            if book.first[trader] != NONE:
                book.preceding[book.first[trader]] = slot
            book.first[trader] = slot
            crowd.orders[trader] += 1
    bid, ask, both = quotes(book)
    if both:
        tally[LAST_MID2] = bid + ask
        if bid >= ask:
            tally[CROSSED] += 1
    return slot
