"""Repeated second-price auctions with budgets, for bids that are known beforehand.

Axes: R auctions, N bidders.  In auction r bidder i bids min(bids[r, i], money left); the highest bid
wins if it is at least the reserve (ties: the lowest number) and pays the largest of the second bid and
the reserve, before auction r + 1.

Cost: one pass over the bids, about 1 ns per bid; the budgets make auctions depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray


@dataclass(frozen=True, slots=True)
class Sales:
    """What a series of auctions sold.

    Attributes:
        winner: int32 [R], -1 if unsold.
        price: float64 [R] paid, 0 if unsold.
        left: float64 [N] money left.
        wins: int64 [N].
    """

    winner: Int32Array
    price: FloatArray
    left: FloatArray
    wins: IntArray


def second_price_with_budgets(bids: FloatArray, budgets: FloatArray, *, reserve: float = 0.0) -> Sales:
    """Run the auctions in order.

    Args:
        bids: float64 [R, N], at least 0.
        budgets: float64 [N], at least 0.
        reserve: Least price, at least 0.

    Raises:
        InvalidValue: If a shape does not fit or a number is out of range; names the first bad entry.
    """
    b, money = np.ascontiguousarray(bids, np.float64), np.array(budgets, np.float64)
    if b.ndim != 2 or b.shape[1] < 1 or money.shape != (b.shape[1],):
        raise InvalidValue(
            f"bids must have shape [R, N] with N >= 1 and budgets [N], got {np.shape(bids)} and {money.shape}"
        )
    bad = int(_first_bad(b.reshape(-1)))
    if bad >= 0:
        where = divmod(bad, b.shape[1])
        raise InvalidValue(
            f"bids[{where[0]}, {where[1]}] must be a finite number of at least 0, got {float(b[where])!r}"
        )
    bad = int(_first_bad(money))
    if bad >= 0:
        raise InvalidValue(f"budgets[{bad}] must be a finite number of at least 0, got {float(money[bad])!r}")
    if not 0.0 <= reserve < np.inf:
        raise InvalidValue(f"reserve must be a finite number of at least 0, got {reserve!r}")
    sales = Sales(np.empty(b.shape[0], np.int32), np.empty(b.shape[0]), money, np.zeros(b.shape[1], np.int64))
    run_sales(b, sales.left, reserve, sales.winner, sales.price, sales.wins)
    return sales


@kernel
def _first_bad(values):  # type: ignore[no-untyped-def]
    for k in range(values.shape[0]):
        if not 0.0 <= values[k] < np.inf:
            return k
    return -1


@kernel
def run_sales(bids, left, reserve, winner, price, wins):  # type: ignore[no-untyped-def]
    """Run the auctions; ``left`` and ``wins`` are updated, ``winner`` and ``price`` overwritten."""
    n = left.shape[0]
    for r in range(bids.shape[0]):
        best, second, who = -1.0, -1.0, -1
        for i in range(n):
            x = min(bids[r, i], left[i])
            if x > second:  # seldom true for many bidders, so the branch is cheap
                if x > best:
                    second, best, who = best, x, i
                else:
                    second = x
        winner[r], price[r] = -1, 0.0
        if best >= reserve:
            paid = max(second, reserve)
            left[who] -= paid
            wins[who] += 1
            winner[r], price[r] = who, paid
