"""Multi-unit auctions in plain Python, one at a time, used to test the kernels."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.mechanisms.ties import tie_key_reference


def multi_unit_reference(
    rule: str,
    bids: Sequence[Sequence[float]],
    *,
    price_rule: str = "highest_losing",
    random_ties: bool = True,
    seed: int = 0,
    auction: int = 0,
) -> tuple[list[int], list[float]]:
    """Sell k units to n bidders with k marginal bids each.

    Returns:
        The winner of each unit by falling bid [k], and the payments [n].
    """
    n = len(bids)
    if n == 0:
        return [], []
    units = len(bids[0])
    key = [tie_key_reference(random_ties, seed, auction, j) for j in range(n)]
    ranked = sorted((-bids[j][u], key[j], j, u) for j in range(n) for u in range(units))
    won, lost = ranked[:units], ranked[units:]
    winners = [j for _, _, j, _ in won]
    pay = [0.0] * n
    if rule == "discriminatory":
        for bid, _, j, _ in won:
            pay[j] += -bid
    elif rule == "uniform_price":
        price = -won[-1][0] if price_rule == "lowest_winning" else (-lost[0][0] if lost else 0.0)
        pay = [price * winners.count(j) for j in range(n)]
    else:
        for j in range(n):
            displaced = [-bid for bid, _, other, _ in lost if other != j]
            pay[j] = sum(displaced[: winners.count(j)], 0.0)
    return winners, pay
