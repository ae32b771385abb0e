"""Continuous double auction: a limit order book with price-time priority on integer ticks.

A limit order trades at once with what it crosses, at the prices of the resting orders, and the rest waits; a market
order trades with whatever is there, and what it cannot fill is dropped; a cancel removes what is left of an order.
Orders are numbered by event, from 0.

Invariants, tested after every event: the book is never crossed; at one tick the earlier order fills first; quantities
are conserved, so cash and shares of traders are too.

Reference: Gode and Sunder (1993), Journal of Political Economy 101; Farmer, Patelli, Zovko (2005), PNAS 102.
Cost: O(1) per event and fill, plus one step per empty tick that the best price passes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equilibria.mechanisms import book_kernels as kernels
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import IntArray

LIMIT: Final = kernels.LIMIT
MARKET: Final = kernels.MARKET
CANCEL: Final = kernels.CANCEL
BUY: Final = kernels.BUY
SELL: Final = kernels.SELL


class OrderBook:
    """A limit order book.

    Args:
        ticks: Number P of price ticks, 0 to P - 1.
        capacity: Number of events the book can take in its life.

    Raises:
        InvalidValue: If a size is below 1.

    Example:
        >>> book = OrderBook(ticks=100)
        >>> book.submit([[LIMIT, SELL, 51, 2, 0], [LIMIT, BUY, 52, 3, 1]]).tolist()
        [[1, 0, 51, 2, 1, 0]]
        >>> book.best
        (52, None)
    """

    def __init__(self, *, ticks: int = 1000, capacity: int = 1_000_000) -> None:
        if ticks < 1 or capacity < 1:
            raise InvalidValue(f"an order book needs ticks and capacity of at least 1, got {ticks} and {capacity}")
        self._orders = np.zeros((capacity, kernels.ORDER_COLUMNS), np.int64)
        self._ticks = np.full((ticks, kernels.TICK_COLUMNS), kernels.NONE, np.int64)
        self._ticks[:, kernels.QUANTITY] = 0
        self._top = np.array([-1, ticks, 0, 0], np.int64)

    @property
    def ticks(self) -> int:
        """Number P of ticks."""
        return len(self._ticks)

    @property
    def events(self) -> int:
        """Number of events so far, the number of the next order."""
        return int(self._top[kernels.ORDERS])

    @property
    def best(self) -> tuple[int | None, int | None]:
        """Best bid and best ask, ``None`` where a side is empty."""
        bid, ask = int(self._top[0]), int(self._top[1])
        return (bid if bid >= 0 else None), (ask if ask < self.ticks else None)

    def submit(self, events: ArrayLike) -> IntArray:
        """Process events in order.

        Args:
            events: int [E, 5] rows (kind, side, tick, quantity, trader); for a cancel, quantity is the number of the
                order; side and tick do not matter where the kind does not need them.

        Returns:
            int64 [R, 6] trades: taker order, maker order, tick, quantity, buyer, seller.

        Raises:
            InvalidValue: If a row is malformed, a tick or order number does not exist, or the capacity is exceeded;
                nothing is processed then.
        """
        rows = self._checked(events)
        resting = int((self._orders[: self.events, kernels.LEFT] > 0).sum())
        # a trade fills its maker or its taker, so the number of rows is bounded
        trades = np.empty((2 * len(rows) + resting, 6), np.int64)
        self._top[kernels.TRADES] = 0
        kernels.process(rows, self._orders, self._ticks, self._top, trades)
        return trades[: int(self._top[kernels.TRADES])].copy()

    def depth(self) -> tuple[IntArray, IntArray]:
        """Return the resting quantity [P] per tick, to buy and to sell."""
        quantity, tick = self._ticks[:, kernels.QUANTITY], np.arange(self.ticks)
        bid, ask = self._top[kernels.BEST_BID], self._top[kernels.BEST_ASK]
        return np.where(tick <= bid, quantity, 0), np.where(tick >= ask, quantity, 0)

    def _checked(self, events: ArrayLike) -> NDArray[np.int64]:
        rows = np.asarray(events)
        if rows.size == 0:
            return np.empty((0, 5), np.int64)
        if rows.ndim != 2 or rows.shape[1] != 5 or not np.issubdtype(rows.dtype, np.integer):
            raise InvalidValue(f"events must be whole numbers of shape [events, 5], got {rows.dtype} {rows.shape}")
        rows = np.ascontiguousarray(rows, np.int64)
        kind, side, tick, amount = (rows[:, k] for k in range(4))
        number = self.events + np.arange(len(rows))
        places = kind != CANCEL
        for bad, what in (
            ((kind < LIMIT) | (kind > CANCEL), "kind must be 0 (limit), 1 (market) or 2 (cancel)"),
            (places & (side != BUY) & (side != SELL), "side must be 1 (buy) or -1 (sell)"),
            (places & (amount < 1), "quantity must be at least 1"),
            ((kind == LIMIT) & ((tick < 0) | (tick >= self.ticks)), f"tick must lie in 0..{self.ticks - 1}"),
            (~places & ((amount < 0) | (amount >= number)), "cancel must name an earlier order"),
        ):
            if bad.any():
                where = int(bad.argmax())
                raise InvalidValue(f"events[{where}]: {what}, got {rows[where].tolist()}")
        if self.events + len(rows) > len(self._orders):
            raise InvalidValue(
                f"the book takes {len(self._orders)} events, has {self.events} and got {len(rows)} more; raise capacity"
            )
        return rows
