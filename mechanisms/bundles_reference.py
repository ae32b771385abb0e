"""Combinatorial auctions in plain Python, one at a time, used to test the kernels."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.mechanisms.ties import tie_key_reference

Bids = Sequence[Sequence[tuple[int, float]]]
"""XOR bids of each bidder as (bit mask, value)."""


def combinatorial_reference(
    bids: Bids, items: int, *, payment: str = "vcg", random_ties: bool = True, seed: int = 0, auction: int = 0
) -> tuple[list[int], list[float]]:
    """Run one auction; returns the accepted bid of each bidder (-1 for none) and the payments [n]."""
    n = len(bids)
    order = sorted(range(n), key=lambda j: (tie_key_reference(random_ties, seed, auction, j), j))
    full = (1 << items) - 1
    total, choice = _best(bids, order, full)
    pay = [0.0] * n
    for j in range(n):
        if choice[j] >= 0:
            value = bids[j][choice[j]][1]
            without = _best(bids, [i for i in order if i != j], full)[0]
            pay[j] = value if payment == "first_price" else max(0.0, without - (total - value))
    return choice, pay


def _best(bids: Bids, order: Sequence[int], full: int) -> tuple[float, list[int]]:
    """Return the best welfare of the bidders in ``order`` and the accepted bids of all."""
    memo: dict[tuple[int, int], float] = {}

    def worth(count: int, left: int) -> float:
        """Welfare of the first ``count`` bidders with the items ``left``."""
        if count == 0:
            return 0.0
        if (count, left) not in memo:
            options = [worth(count - 1, left)]
            for mask, value in bids[order[count - 1]]:
                if mask and left & mask == mask:
                    options.append(worth(count - 1, left ^ mask) + value)
            memo[count, left] = max(options)
        return memo[count, left]

    choice, left = [-1] * len(bids), full
    for count in range(len(order), 0, -1):
        j = order[count - 1]
        if worth(count, left) == worth(count - 1, left):
            continue
        for b, (mask, value) in enumerate(bids[j]):
            if mask and left & mask == mask and worth(count - 1, left ^ mask) + value == worth(count, left):
                choice[j], left = b, left ^ mask
                break
    return worth(len(order), full), choice
