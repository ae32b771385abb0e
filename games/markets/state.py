"""Arrays of a market, grouped for the kernels: few and wide, because compiled calls pay for every array they pass."""

from __future__ import annotations

from typing import NamedTuple

from equilibria.sim.types import FloatArray, IntArray

# columns of ``accounts``
# cents; shares; resting orders and the first of them; so far: orders sent, orders cancelled, trades, shares traded
CASH, SHARES, RESTS, FIRST, SENT, WITHDRAWN, DEALT, TRADED = range(8)
# kind of trader; decisions drawn, the step of its random numbers; nanoseconds from decision to book; time of the last
# observation (value), volume at the last quotes (makers), row of ``mids`` (momentum); bought volume at the last quotes
KIND, DRAWN, LATENCY, SEEN, SEEN_BOUGHT = range(8, 13)
ACCOUNT_COLUMNS = 13
# cells of ``counts``: orders resting, events, trades, quantity traded, cancellations, crossed books seen, flag of a full
# book, the last mid price times two, events logged; items waiting, items ever entered, rows of ``later`` in use;
# nanoseconds passed; quantity traded that the incoming order bought
RESTING, EVENTS, DEALS, VOLUME, CANCELLED, CROSSED, FULL, LAST_MID2, LOGGED = range(9)
WAITING, ENTRIES, HELD, CLOCK, BOUGHT = range(9, 14)
COUNTS = 14
# columns of ``later`` and ``sent``: what, trader, side (2 or -2 for a market order), tick or slot, quantity or number of
# the order; the last column of ``later`` is its stack of free rows
WHAT, TRADER, SIDE, TICK, AMOUNT, SPARE = range(6)
LATER_COLUMNS = 6
# values of WHAT
ORDER, CANCEL_ALL, CANCEL_ONE = range(3)
# columns of ``mids``: prices seen, sums of the last LONG and SHORT of them; then the prices
WATCHED, LONG_SUM, SHORT_SUM, PRICES = range(4)
LONG, SHORT = 50, 20


class Market(NamedTuple):
    """C orders at once, P ticks, N traders, M momentum traders, H events to come."""

    orders: IntArray  # [C, 8] see mechanisms.book_kernels
    ticks: IntArray  # [P, 3]
    top: IntArray  # [4]
    trades: IntArray  # [C + 1, 6] workspace: the trades of one order
    free: IntArray  # [C] stack of free rows of ``orders``
    accounts: IntArray  # [N, 13]
    belief: FloatArray  # [N, 2] estimate and its variance (value); average spread (makers)
    mids: IntArray  # [M, 53] what momentum traders remember, mid prices times two
    heap: IntArray  # [H, 3] see agenda
    later: IntArray  # [H, 6] orders and cancellations under way
    sent: IntArray  # [S, 5] workspace: what a trader sends at one decision
    counts: IntArray  # [14] see the cells above
    log: IntArray  # [E, 5] events of the book, if they are kept
