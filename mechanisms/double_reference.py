"""Double auctions in plain Python, one at a time, used to test the kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from equilibria.mechanisms.ties import tie_key_reference


def double_reference(
    rule: str,
    bids: Sequence[float],
    asks: Sequence[float],
    *,
    k: float = 0.5,
    random_ties: bool = True,
    seed: int = 0,
    auction: int = 0,
) -> tuple[list[int], list[int], float, float]:
    """Match buyers and sellers of single units.

    Returns:
        Trading buyers, trading sellers (best first), what a buyer pays and what a seller receives.
    """
    nb, ns = len(bids), len(asks)
    buyers = sorted(range(nb), key=lambda j: (-bids[j], tie_key_reference(random_ties, seed, auction, j), j))
    sellers = sorted(range(ns), key=lambda j: (asks[j], tie_key_reference(random_ties, seed, auction, nb + j), j))
    b, s = [bids[j] for j in buyers], [asks[j] for j in sellers]
    efficient = max((t for t in range(1, min(nb, ns) + 1) if b[t - 1] >= s[t - 1]), default=0)
    if efficient == 0:
        return [], [], 0.0, 0.0
    excluded_bid = b[efficient] if efficient < nb else -math.inf
    excluded_ask = s[efficient] if efficient < ns else math.inf
    low, high = max(s[efficient - 1], excluded_bid), min(b[efficient - 1], excluded_ask)
    if rule == "k_double_auction":
        low = high = low + k * (high - low)
    elif rule == "mcafee":
        both = efficient < nb and efficient < ns
        middle = (excluded_bid + excluded_ask) / 2 if both else math.nan
        if both and s[efficient - 1] <= middle <= b[efficient - 1]:
            low = high = middle
        else:
            low, high = b[efficient - 1], s[efficient - 1]
            efficient -= 1
    return buyers[:efficient], sellers[:efficient], low, high
