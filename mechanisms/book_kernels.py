"""Compiled limit order book on integer ticks, price-time priority.

Orders are rows of one array, chained first in, first out per tick; ticks are rows of another, which hold the ends of
their queues, -1 when empty, and the quantity that rests.  Buy orders rest below sell orders, so the side of a resting
order follows from its tick.  Two arrays instead of many keep an order in one cache line and calls cheap.  Cost: O(1)
per event, plus one step per empty tick passed when the best price moves and one per order filled.
"""

from __future__ import annotations

from equilibria.sim.jit import kernel

LIMIT, MARKET, CANCEL = 0, 1, 2
BUY, SELL = 1, -1
NONE = -1
# cells of the array ``top``
BEST_BID, BEST_ASK, ORDERS, TRADES = 0, 1, 2, 3
# columns of ``orders``: tick, trader, quantity that rests (0 once filled or cancelled), next and previous order of the
# queue; then, for markets that use rows again: number of the event, next and previous order of the same trader
PRICE, OWNER, LEFT, AFTER, BEFORE, NUMBER, FOLLOWING, PRECEDING = range(8)
ORDER_COLUMNS = 8
# columns of ``ticks``: first and last order, quantity
HEAD, TAIL, QUANTITY = range(3)
TICK_COLUMNS = 3


@kernel(counted=False, forceinline=True)
def unlink(order, orders, ticks):  # type: ignore[no-untyped-def]
    """Take an order out of its queue; ``settle`` moves the best prices."""
    p = orders[order, PRICE]
    a, b = orders[order, AFTER], orders[order, BEFORE]
    if b == NONE:
        ticks[p, HEAD] = a
    else:
        orders[b, AFTER] = a
    if a == NONE:
        ticks[p, TAIL] = b
    else:
        orders[a, BEFORE] = b


@kernel(counted=False, forceinline=True)
def settle(top, ticks):  # type: ignore[no-untyped-def]
    """Move the best prices past empty ticks."""
    while top[BEST_BID] >= 0 and ticks[top[BEST_BID], HEAD] == NONE:
        top[BEST_BID] -= 1
    while top[BEST_ASK] < ticks.shape[0] and ticks[top[BEST_ASK], HEAD] == NONE:
        top[BEST_ASK] += 1


@kernel(counted=False, forceinline=True)
def match(taker, trader, quantity, limit, side, orders, ticks, top, trades):  # type: ignore[no-untyped-def]
    """Fill against the other side up to ``limit``; return what is left."""
    while quantity > 0:
        p = top[BEST_ASK] if side == BUY else top[BEST_BID]
        if p < 0 or p >= ticks.shape[0] or (p > limit if side == BUY else p < limit):
            break
        maker = ticks[p, HEAD]
        amount = min(quantity, orders[maker, LEFT])
        row = top[TRADES]
        trades[row, 0] = taker
        trades[row, 1] = maker
        trades[row, 2] = p
        trades[row, 3] = amount
        trades[row, 4] = trader if side == BUY else orders[maker, OWNER]
        trades[row, 5] = orders[maker, OWNER] if side == BUY else trader
        top[TRADES] += 1
        quantity -= amount
        ticks[p, QUANTITY] -= amount
        orders[maker, LEFT] -= amount
        if orders[maker, LEFT] == 0:
            unlink(maker, orders, ticks)
            settle(top, ticks)
    return quantity


@kernel(counted=False, forceinline=True)
def enqueue(order, side, tick, amount, trader, orders, ticks, top):  # type: ignore[no-untyped-def]
    """Put an order at the end of the queue of its tick."""
    last = ticks[tick, TAIL]
    orders[order, PRICE], orders[order, OWNER], orders[order, LEFT] = tick, trader, amount
    orders[order, BEFORE] = last
    orders[order, AFTER] = NONE
    if last == NONE:
        ticks[tick, HEAD] = order
    else:
        orders[last, AFTER] = order
    ticks[tick, TAIL] = order
    ticks[tick, QUANTITY] += amount
    if side == BUY:
        top[BEST_BID] = max(top[BEST_BID], tick)
    else:
        top[BEST_ASK] = min(top[BEST_ASK], tick)


@kernel(counted=False, forceinline=True)
def withdraw(order, orders, ticks, top):  # type: ignore[no-untyped-def]
    """Cancel a resting order."""
    ticks[orders[order, PRICE], QUANTITY] -= orders[order, LEFT]
    orders[order, LEFT] = 0
    unlink(order, orders, ticks)
    settle(top, ticks)


@kernel(counted=False)
def process(events, orders, ticks, top, trades):  # type: ignore[no-untyped-def]
    """Process events in order; order numbers count events from ``top[ORDERS]``.

    Args:
        events: int64 [E, 5]: kind, side, tick (limit), quantity (limit, market) or order number (cancel), trader.
        orders: int64 [C, 8]: an order per row, see the columns; the last three stay as they are.
        ticks: int64 [P, 3]: ends and quantity of each tick's queue.
        top: int64 [4]: best bid, best ask, orders, trades of this call.
        trades: int64 [R, 6] out: taker, maker, tick, quantity, buyer, seller.
            A trade fills its maker or its taker, so E + number of resting orders rows are enough.
    """
    for e in range(events.shape[0]):
        order = top[ORDERS]
        top[ORDERS] += 1
        kind, s, tick = events[e, 0], events[e, 1], events[e, 2]
        amount, trader = events[e, 3], events[e, 4]
        orders[order, LEFT] = 0
        if kind == CANCEL:
            if orders[amount, LEFT] > 0:
                withdraw(amount, orders, ticks, top)
            continue
        limit = tick
        if kind == MARKET:
            limit = ticks.shape[0] if s == BUY else -1
        rest = match(order, trader, amount, limit, s, orders, ticks, top, trades)
        if kind == LIMIT and rest > 0:
            enqueue(order, s, tick, rest, trader, orders, ticks, top)
