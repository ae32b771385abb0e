"""The limit order book against a plain Python book, and its invariants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.mechanisms.order_book import BUY, CANCEL, LIMIT, MARKET, SELL, OrderBook
from equilibria.sim.errors import InvalidValue

TICKS = 40


class PlainBook:
    """The same rules with lists: resting orders as [tick, number, left, trader] per side."""

    def __init__(self) -> None:
        self.sides: dict[int, list[list[int]]] = {BUY: [], SELL: []}
        self.number = 0

    def submit(self, kind: int, side: int, tick: int, amount: int, trader: int) -> list[list[int]]:
        number, self.number = self.number, self.number + 1
        if kind == CANCEL:
            for queue in self.sides.values():
                queue[:] = [o for o in queue if o[1] != amount]
            return []
        trades = []
        other = self.sides[-side]
        while amount:
            good = [o for o in other if kind == MARKET or (o[0] - tick) * side <= 0]
            if not good:
                break
            best = min(good, key=lambda o: (o[0] * side, o[1]))
            fill = min(amount, best[2])
            pair = [trader, best[3]] if side == BUY else [best[3], trader]
            trades.append([number, best[1], best[0], fill, *pair])
            amount, best[2] = amount - fill, best[2] - fill
            if not best[2]:
                other.remove(best)
        if kind == LIMIT and amount:
            self.sides[side].append([tick, number, amount, trader])
        return trades


def flow(rng: np.random.Generator, count: int, first: int = 0) -> Any:
    kind = rng.choice([LIMIT, LIMIT, LIMIT, MARKET, CANCEL], count)
    kind[0] = LIMIT if first == 0 else kind[0]
    side = rng.choice([BUY, SELL], count)
    tick = np.clip(TICKS // 2 + rng.integers(-8, 8, count) - 2 * side, 0, TICKS - 1)
    amount = rng.integers(1, 6, count)
    number = np.maximum(first + np.arange(count), 1)
    amount = np.where(kind == CANCEL, rng.integers(0, number), amount)
    return np.stack([kind, side, tick, amount, rng.integers(0, 5, count)], axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_the_book_equals_a_plain_book_event_by_event(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events, plain, book = flow(rng, 600), PlainBook(), OrderBook(ticks=TICKS, capacity=600)
    for row in events:
        trades = book.submit(row[None])
        assert trades.tolist() == plain.submit(*row.tolist())
        bid, ask = book.best
        assert bid == max((o[0] for o in plain.sides[BUY]), default=None)
        assert ask == min((o[0] for o in plain.sides[SELL]), default=None)
        assert bid is None or ask is None or bid < ask
        for queue, depth in zip((plain.sides[BUY], plain.sides[SELL]), book.depth(), strict=True):
            assert int(depth.sum()) == sum(o[2] for o in queue)


def test_events_can_be_submitted_in_any_pieces() -> None:
    events = flow(np.random.default_rng(9), 5000)
    whole, pieces = OrderBook(ticks=TICKS), OrderBook(ticks=TICKS)
    trades = whole.submit(events)
    parts = [pieces.submit(p) for p in np.array_split(events, 37)]
    assert np.array_equal(np.concatenate(parts), trades)
    assert all(np.array_equal(a, b) for a, b in zip(whole.depth(), pieces.depth(), strict=True))


def test_quantity_is_conserved() -> None:
    events = flow(np.random.default_rng(10), 20_000)
    book = OrderBook(ticks=TICKS)
    trades = book.submit(events)
    placed = events[events[:, 0] == LIMIT][:, 3].sum()
    assert trades[:, 3].min() >= 1
    # what limit orders offered is at most traded twice (maker and taker) or resting
    assert sum(int(d.sum()) for d in book.depth()) <= placed
    cash = np.zeros(5, np.int64)
    np.add.at(cash, trades[:, 4], -trades[:, 2] * trades[:, 3])
    np.add.at(cash, trades[:, 5], trades[:, 2] * trades[:, 3])
    assert cash.sum() == 0


def test_zero_intelligence_traders_are_nearly_efficient() -> None:
    """Budget-constrained random traders, 11 buyers and 11 sellers with one unit each (Gode and Sunder).

    Eight pairs can gain; the other three lie clearly outside, as in the classroom markets of the paper.  With evenly
    spread values the same traders reach 0.96: efficiency belongs to the market as much as to the rule.
    """
    shares = []
    value = np.array([140, 135, 130, 125, 120, 115, 110, 105, 75, 70, 65])
    cost = np.array([60, 65, 70, 75, 80, 85, 90, 95, 115, 120, 125])
    for seed in range(20):
        rng = np.random.default_rng(seed)
        best = np.maximum(value - cost, 0).sum()
        book, gained, active = OrderBook(ticks=201, capacity=8000), 0, list(range(22))
        resting: dict[int, int] = {}
        for _ in range(1500):
            j = int(rng.choice(active)) if active else -1
            if j < 0:
                break
            buys = j < 11
            tick = int(rng.integers(1, value[j] + 1)) if buys else int(rng.integers(cost[j - 11], 201))
            if j in resting:
                book.submit([[CANCEL, 0, 0, resting.pop(j), j]])
            number = book.events
            trades = book.submit([[LIMIT, BUY if buys else SELL, tick, 1, j]])
            if len(trades):
                buyer, seller = int(trades[0, 4]), int(trades[0, 5])
                gained += int(value[buyer] - cost[seller - 11])
                active = [k for k in active if k not in (buyer, seller)]
                resting = {k: o for k, o in resting.items() if k not in (buyer, seller)}
            else:
                resting[j] = number
        shares.append(gained / best)
    assert np.mean(shares) >= 0.97


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([3, 1, 5, 1, 0], r"events\[0\]: kind must be"),
        ([LIMIT, 0, 5, 1, 0], "side must be"),
        ([LIMIT, BUY, TICKS, 1, 0], r"tick must lie in 0\.\.39"),
        ([MARKET, BUY, 0, 0, 0], "quantity must be at least 1"),
        ([CANCEL, 0, 0, 0, 0], "cancel must name an earlier order"),
        ([LIMIT, BUY, 5, 1], r"shape \[events, 5\]"),
        ([LIMIT, BUY, 5.5, 1, 0], "whole numbers"),
    ],
)
def test_malformed_events_are_named_and_change_nothing(row: list[float], says: str) -> None:
    book = OrderBook(ticks=TICKS)
    with pytest.raises(InvalidValue, match=says):
        book.submit([row])
    assert book.events == 0


def test_a_full_book_is_an_error() -> None:
    book = OrderBook(ticks=TICKS, capacity=1)
    book.submit([[LIMIT, BUY, 5, 1, 0]])
    with pytest.raises(InvalidValue, match="raise capacity"):
        book.submit([[LIMIT, BUY, 5, 1, 0]])
    with pytest.raises(InvalidValue, match="at least 1"):
        OrderBook(ticks=0)
