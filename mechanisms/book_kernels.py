"""Compiled limit order book on integer ticks, price-time priority.

Orders are rows of arrays, chained first in, first out per tick; ``head[p]`` and ``tail[p]`` are the ends of tick p's
queue, -1 when empty.  Buy orders rest below sell orders.  Cost: O(1) per event, plus one step per empty tick passed
when the best price moves and one per order filled.
"""

from __future__ import annotations

from equilibria.sim.jit import kernel

LIMIT, MARKET, CANCEL = 0, 1, 2
BUY, SELL = 1, -1
NONE = -1
# cells of the array ``top``
BEST_BID, BEST_ASK, ORDERS, TRADES = 0, 1, 2, 3


@kernel
def unlink(order, price, after, before, head, tail):  # type: ignore[no-untyped-def]
    """Take an order out of its queue; ``settle`` moves the best prices."""
    p = price[order]
    a, b = after[order], before[order]
    if b == NONE:
        head[p] = a
    else:
        after[b] = a
    if a == NONE:
        tail[p] = b
    else:
        before[a] = b
    after[order] = NONE
    before[order] = NONE


@kernel
def settle(top, head):  # type: ignore[no-untyped-def]
    """Move the best prices past empty ticks."""
    while top[BEST_BID] >= 0 and head[top[BEST_BID]] == NONE:
        top[BEST_BID] -= 1
    while top[BEST_ASK] < head.shape[0] and head[top[BEST_ASK]] == NONE:
        top[BEST_ASK] += 1


@kernel
def match(taker, trader, quantity, limit, side, price, owner, left, after, before, head, tail, top, trades):  # type: ignore[no-untyped-def]
    """Fill against the other side up to ``limit``; return what is left."""
    while quantity > 0:
        p = top[BEST_ASK] if side == BUY else top[BEST_BID]
        if p < 0 or p >= head.shape[0] or (p > limit if side == BUY else p < limit):
            break
        maker = head[p]
        amount = min(quantity, left[maker])
        row = top[TRADES]
        trades[row, 0] = taker
        trades[row, 1] = maker
        trades[row, 2] = p
        trades[row, 3] = amount
        trades[row, 4] = trader if side == BUY else owner[maker]
        trades[row, 5] = owner[maker] if side == BUY else trader
        top[TRADES] += 1
        quantity -= amount
        left[maker] -= amount
        if left[maker] == 0:
            unlink(maker, price, after, before, head, tail)
            settle(top, head)
    return quantity


@kernel
def enqueue(order, side, tick, after, before, head, tail, top):  # type: ignore[no-untyped-def]
    """Put an order at the end of the queue of its tick."""
    last = tail[tick]
    before[order] = last
    after[order] = NONE
    if last == NONE:
        head[tick] = order
    else:
        after[last] = order
    tail[tick] = order
    if side == BUY:
        top[BEST_BID] = max(top[BEST_BID], tick)
    else:
        top[BEST_ASK] = min(top[BEST_ASK], tick)


@kernel
def process(events, price, side, owner, left, after, before, head, tail, top, trades):  # type: ignore[no-untyped-def]
    """Process events in order; order numbers count events from ``top[ORDERS]``.

    Args:
        events: int64 [E, 5]: kind, side, tick (limit), quantity (limit, market) or order number (cancel), trader.
        price: [C] tick of each order.
        side: [C] side of each order.
        owner: [C] trader of each order.
        left: [C] quantity that rests, 0 once filled or cancelled.
        after: [C] next order of the queue.
        before: [C] previous order of the queue.
        head: [P] first order per tick.
        tail: [P] last order per tick.
        top: [4] best bid, best ask, orders, trades of this call.
        trades: [R, 6] out: taker, maker, tick, quantity, buyer, seller.
            A trade fills its maker or its taker, so E + number of resting orders rows are enough.
    """
    for e in range(events.shape[0]):
        order = top[ORDERS]
        top[ORDERS] += 1
        kind, s, tick, amount, trader = events[e]
        price[order] = tick
        side[order] = s
        owner[order] = trader
        left[order] = 0
        after[order] = NONE
        before[order] = NONE
        if kind == CANCEL:
            if left[amount] > 0:
                left[amount] = 0
                unlink(amount, price, after, before, head, tail)
                settle(top, head)
            continue
        limit = tick
        if kind == MARKET:
            limit = head.shape[0] if s == BUY else -1
        rest = match(order, trader, amount, limit, s, price, owner, left, after, before, head, tail, top, trades)
        if kind == LIMIT and rest > 0:
            left[order] = rest
            enqueue(order, s, tick, after, before, head, tail, top)
