"""Single-item auctions in plain Python, one auction at a time: the text-book rules, used to test the kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from equilibria.mechanisms.ties import tie_key_reference


def single_item_reference(
    rule: str,
    bids: Sequence[float],
    *,
    reserve: Sequence[float] | float = 0.0,
    eager: bool = True,
    soft_floor: float = 0.0,
    clock_step: float = 0.01,
    random_ties: bool = True,
    seed: int = 0,
    auction: int = 0,
) -> tuple[int, list[float]]:
    """Run one auction.

    Args:
        rule: Rule name, as in the registry.
        bids: n bids.
        reserve: One reserve, or one per bidder; the price of a posted price sale.
        eager: Drop bidders below their own reserve first; else the winner must clear the own reserve.
        soft_floor: From here upward the price is at least this much; below, the winner pays the bid.
        clock_step: Step of the clock.
        random_ties: Ties by hash, else to the lowest index.
        seed: Seed of the tie keys.
        auction: Number of the auction.

    Returns:
        The winner, -1 if nobody, and the n payments.
    """
    n = len(bids)
    limits = [float(reserve)] * n if isinstance(reserve, int | float) else [float(r) for r in reserve]
    keys = [(tie_key_reference(random_ties, seed, auction, j), j) for j in range(n)]
    pay = [0.0] * n
    accepting = [j for j in range(n) if bids[j] >= limits[j]]
    if rule == "posted_price":
        if not accepting:
            return -1, pay
        winner = min(accepting, key=lambda j: keys[j])
        pay[winner] = limits[winner]
        return winner, pay
    if rule in ("dutch", "english"):
        return _clock(rule, bids, limits, clock_step, accepting, keys)
    field = accepting if eager else list(range(n))
    if rule == "all_pay":
        for j in accepting:
            pay[j] = bids[j]
    if not field:
        return -1, pay
    order = sorted(field, key=lambda j: (-bids[j], keys[j]))
    ranked = [bids[j] for j in order] + [0.0, 0.0]
    winner = order[0]
    if rule == "war_of_attrition":
        return winner, [ranked[1] if j == winner else bids[j] for j in range(n)]
    if bids[winner] < limits[winner]:
        return -1, pay
    pay[winner] = _price(rule, ranked, limits[winner], soft_floor)
    return winner, pay


def _price(rule: str, ranked: Sequence[float], reserve: float, soft_floor: float) -> float:
    if rule in ("first_price", "all_pay"):
        return ranked[0]
    if rule == "third_price":
        return max(ranked[2], reserve)
    if soft_floor > reserve:
        return max(ranked[1], soft_floor) if ranked[0] >= soft_floor else ranked[0]
    return max(ranked[1], reserve)


def _clock(
    rule: str, bids: Sequence[float], limits: Sequence[float], step: float, accepting: list[int],
    keys: Sequence[tuple[int, int]],
) -> tuple[int, list[float]]:  # fmt: skip
    pay = [0.0] * len(bids)
    if not accepting:
        return -1, pay
    start = limits[0]
    levels = {j: _level(bids[j], start, step) for j in accepting}
    order = sorted(accepting, key=lambda j: (-levels[j], keys[j]))
    winner = order[0]
    stop = levels[winner]
    if rule == "english":
        runner_up = levels[order[1]] if len(order) > 1 else -1
        stop = min(stop, runner_up + 1)
    pay[winner] = start + stop * step
    return winner, pay


def _level(bid: float, start: float, step: float) -> int:
    level = math.floor((bid - start) / step)
    if start + level * step > bid:
        return level - 1
    return level + 1 if start + (level + 1) * step <= bid else level
