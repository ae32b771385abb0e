"""What an auction returns: a structure of arrays, one row per auction.

Axes: N auctions of a batch, n bidders, m items (units or slots).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, Int32Array

UNSOLD = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a batch of auctions.

    Attributes:
        alloc: [N, n, m] quantity of item m that bidder n gets, 0 or 1 unless the rule says otherwise.
        pay: [N, n] payment of each bidder in money; negative for sellers, who receive.
        winner: [N, m] bidder that gets the item, ``UNSOLD`` (-1) if nobody.
        price: [N, m] clearing price of the item, NaN if it is unsold or the rule has no such price.
        welfare: [N] sum of reported value x allocation, minus reported cost of sellers.
        revenue: [N] sum of payments; for double auctions the surplus of the budget.
    """

    alloc: FloatArray
    pay: FloatArray
    winner: Int32Array
    price: FloatArray
    welfare: FloatArray
    revenue: FloatArray

    @classmethod
    def empty(cls, auctions: int, bidders: int, items: int) -> Outcome:
        """Return zeroed arrays: nothing sold, nothing paid."""
        return cls(
            alloc=np.zeros((auctions, bidders, items)),
            pay=np.zeros((auctions, bidders)),
            winner=np.full((auctions, items), UNSOLD, np.int32),
            price=np.full((auctions, items), np.nan),
            welfare=np.zeros(auctions),
            revenue=np.zeros(auctions),
        )


def in_blocks(run: Callable[[int, int], None], auctions: int, n_jobs: int) -> None:
    """Call ``run(low, high)`` on contiguous blocks of auctions, in ``n_jobs`` threads.

    The kernels release the interpreter lock and write their own rows only, so the number of threads
    cannot change a byte.
    """
    if n_jobs < 1:
        raise InvalidValue(f"n_jobs must be at least 1, got {n_jobs}")
    if n_jobs == 1 or auctions < 2 * n_jobs:
        run(0, auctions)
        return
    bounds = [auctions * k // n_jobs for k in range(n_jobs + 1)]
    with ThreadPoolExecutor(n_jobs) as pool:
        for done in [pool.submit(run, low, high) for low, high in itertools.pairwise(bounds)]:
            done.result()
