"""Accounts outside the population: their orders follow the rules of the book and change nothing while they are idle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.games.markets.settings import OrderMarketSettings
from equilibria.games.markets.world import OrderMarket
from equilibria.mechanisms.order_book import BUY, SELL, OrderBook
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def market(outside: int, seed: int = 3, **change: Any) -> OrderMarket:
    world = OrderMarket(OrderMarketSettings.model_validate({"capacity": 5000, **change}), outside=outside)
    world.reset(SeedTree(seed))
    return world


@pytest.mark.parametrize("change", [{}, {"latency": 0.3}])
def test_idle_accounts_change_nothing(change: dict[str, Any]) -> None:
    plain, other = market(0, **change), market(3, **change)
    for world in (plain, other):
        world.run(1, 200)
    np.testing.assert_array_equal(other.rows, plain.rows)
    for name, column in plain.columns().items():
        np.testing.assert_array_equal(other.columns()[name][:-3], column)
    assert other.agents == plain.agents + 3
    assert other.columns()["kind"][-3:].tolist() == [5, 5, 5]


@pytest.mark.parametrize("latency", [0.0, 0.4])
def test_orders_from_outside_trade_by_the_rules_of_the_book(latency: float) -> None:
    """The log of events, replayed in the reference book, gives the same accounts, levels and open orders."""
    world = market(2, latency=latency)
    world.keep_events(100_000)
    me, other = world.agents - 2, world.agents - 1
    rng = np.random.default_rng(1)
    for t in range(1, 121):
        world.run(t, 1)
        (bid, _), (ask, _) = world.levels(1)[:, 0]
        if bid < 0 or ask < 0:
            continue
        side = BUY if rng.random() < 0.5 else SELL
        world.submit(me, side, int(rng.integers(1, 300)))
        world.submit(other, side, 50, int(bid - 2 if side == BUY else ask + 2))
        if t % 20 == 10:
            world.cancel_all(other)
    assert world.clock == 120 * 10**9
    events = world.events()
    book = OrderBook(ticks=2 * world.settings.mean + 1, capacity=len(events))
    trades = book.submit(events)
    for trader in (me, other):
        bought, sold = (trades[trades[:, c] == trader] for c in (4, 5))
        paid = int((bought[:, 2] * bought[:, 3]).sum() - (sold[:, 2] * sold[:, 3]).sum())
        assert world.account(trader) == (world.settings.cash - paid, bought[:, 3].sum() - sold[:, 3].sum())
    assert len(trades[(trades[:, 4] == me) | (trades[:, 5] == me)]) > 30
    depth = book.depth()
    for found, quantity in zip(world.levels(5), depth, strict=True):
        near = np.flatnonzero(quantity)
        near = near[::-1][:5] if quantity is depth[0] else near[:5]
        np.testing.assert_array_equal(found[: near.size], np.stack([near, quantity[near]], axis=1))
    rest = world.open_orders(other)
    assert len(rest) == world.columns()["orders"][other]
    assert rest[:, 2].max() <= 50
    details = world.certificate().details
    assert details["cash_created"] == details["shares_created"] == details["crossed"] == 0


def test_open_orders_are_listed_and_cancelled_after_the_latency() -> None:
    world = market(1, latency=2.0)
    me = world.agents - 1
    world.run(1, 30)
    world.submit(me, BUY, 7, 10)
    world.submit(me, SELL, 9, 199_000)
    assert not len(world.open_orders(me))  # still under way
    world.run(31, 5)
    assert world.open_orders(me).tolist() == [[SELL, 199_000, 9], [BUY, 10, 7]]
    world.cancel_all(me)
    again = market(1, seed=9, latency=2.0)
    again.load(world.save())
    for each in (world, again):
        each.run(36, 5)
        assert not len(each.open_orders(me))
    np.testing.assert_array_equal(again.rows, world.rows)
    assert world.kind_tally["outside"] == {"orders": 2, "cancellations": 2, "trades": 0, "shares": 0}


def test_counts_by_kind_add_up() -> None:
    world = market(0)
    world.run(1, 600)
    found, tally = world.kind_tally, world.tally
    total = {name: sum(f[name] for f in found.values()) for name in ("orders", "cancellations", "trades", "shares")}
    assert total["orders"] + total["cancellations"] == tally["events"]
    assert total["cancellations"] == tally["cancelled"]
    assert (total["trades"], total["shares"]) == (2 * tally["trades"], 2 * tally["volume"])
    assert set(found) == {"noise", "value", "momentum", "maker"}
    assert found["maker"]["cancellations"] > 100


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"trader": 0, "side": BUY, "quantity": 1}, "account 0 is not outside; those outside are 1116..1116"),
        ({"trader": 1117, "side": BUY, "quantity": 1}, "account 1117 is not outside"),
        ({"trader": 1116, "side": 0, "quantity": 1}, "side is 1"),
        ({"trader": 1116, "side": BUY, "quantity": 0}, "quantity lies in 1"),
        ({"trader": 1116, "side": BUY, "quantity": 2**62}, "quantity lies in 1"),
        ({"trader": 1116, "side": SELL, "quantity": 1, "tick": 0}, "tick of a limit order lies in 1..199999, got 0"),
        ({"trader": 1116, "side": SELL, "quantity": 1, "tick": 200_000}, "tick of a limit order"),
    ],
)
def test_wrong_orders_are_named(call: dict[str, int], text: str) -> None:
    world = market(1)
    before = world.tally
    with pytest.raises(InvalidValue, match=text):
        world.submit(**call)
    assert world.tally == before


def test_wrong_accounts_and_a_full_book_are_named() -> None:
    with pytest.raises(InvalidValue, match="build the market with outside=1"):
        market(0).cancel_all(3)
    with pytest.raises(InvalidValue, match="outside is a number of accounts"):
        OrderMarket(outside=-1)
    world = market(1, noise=0, value=1, momentum=0, makers=0, capacity=10)
    for k in range(10):
        world.submit(1, BUY, 1, 100 + k)
    with pytest.raises(InvalidValue, match="the book is full: 10 orders rest"):
        world.submit(1, BUY, 1, 99)


def test_a_maker_quotes_by_its_rule() -> None:
    """Numbers by hand: average spread .75 * 14 + .25 * 50 = 23, mid 997, 300 of 400 shares bought, so up by 4 * .5."""
    world = market(2, noise=0, value=0, momentum=0, makers=1, mean=1000, maker_interval=10.0, levels=2)
    world.run(1, 5)
    assert sorted(world.open_orders(0).tolist()) == [[-1, 1025, 1], [-1, 1275, 1], [1, 725, 1], [1, 975, 1]]
    world.submit(1, BUY, 400, 990)
    world.submit(1, SELL, 400, 1004)
    world.submit(2, BUY, 300)
    world.submit(2, SELL, 100)
    world.run(6, 6)
    assert sorted(world.open_orders(0).tolist()) == [[-1, 1011, 10], [-1, 1126, 10], [1, 873, 10], [1, 988, 10]]
    world.run(12, 10)  # no trade since: no move, the least size
    assert sorted(world.open_orders(0).tolist()) == [[-1, 1006, 1], [-1, 1087, 1], [1, 908, 1], [1, 989, 1]]
