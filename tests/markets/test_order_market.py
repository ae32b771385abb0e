"""The order market: the plain book sees the same trades, nothing is created, traders follow their rules."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from equilibria.games.markets import trader_kernels as kernels
from equilibria.games.markets.facts import batch_means, facts
from equilibria.games.markets.fundamental import advance
from equilibria.games.markets.metrics import TraderActivity
from equilibria.games.markets.settings import OrderMarketSettings
from equilibria.games.markets.world import OrderMarket
from equilibria.mechanisms.order_book import OrderBook
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.plugin import NoSettings
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine


def market(seed: int = 1, **change: Any) -> OrderMarket:
    world = OrderMarket(OrderMarketSettings.model_validate({"capacity": 5000, **change}))
    world.reset(SeedTree(seed))
    return world


CROWDS: list[dict[str, Any]] = [
    {},
    {"latency": 0.5},
    {"noise": 50, "value": 20, "momentum": 30, "makers": 1, "zero": 1, "value_rate": 0.5, "momentum_rate": 0.5},
]


@pytest.mark.parametrize("crowd", CROWDS)
def test_the_order_book_sees_the_same_trades(crowd: dict[str, Any]) -> None:
    """Replaying the events in the reference book gives the same cash, shares and resting orders: price-time priority."""
    world = market(**crowd)
    world.reset(SeedTree(2))
    world.keep_events(60_000)
    world.run(1, 120)
    events = world.events()
    missed = world.tally["events"] - len(events)  # makers' first quotes come with the first period, so none
    assert missed == 0
    assert len(events) > 200
    book = OrderBook(ticks=2 * world.settings.mean + 1, capacity=len(events))
    trades = book.submit(events)
    cash, shares = (np.zeros(world.agents, np.int64) for _ in range(2))
    paid = trades[:, 2] * trades[:, 3]
    for column, sign in ((4, 1), (5, -1)):
        np.add.at(cash, trades[:, column], -sign * paid)
        np.add.at(shares, trades[:, column], sign * trades[:, 3])
    columns = world.columns()
    np.testing.assert_array_equal(columns["cash"] - world.settings.cash, cash)
    np.testing.assert_array_equal(columns["shares"], shares)
    for ours, theirs in zip(world.depth(), book.depth(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert world.tally["trades"] == len(trades)
    assert world.tally["crossed"] == 0


def test_cash_and_shares_are_conserved_and_the_book_is_never_crossed() -> None:
    world = market(noise=300, session=300.0)
    world.run(1, 600)
    found = world.certificate()
    assert found.details["cash_created"] == found.details["shares_created"] == found.details["crossed"] == 0
    assert world.tally["trades"] > 300
    columns: dict[str, Any] = dict(world.columns())
    assert columns["profit"].sum() == pytest.approx(0.0, abs=1e-3)
    assert columns["orders"].sum() == world.tally["resting"]
    bid, ask = world.depth()
    assert np.flatnonzero(bid).max() < np.flatnonzero(ask).min()


def test_every_noise_trader_trades_once_per_session() -> None:
    world = market(noise=400, value=0, momentum=0, makers=1, session=100.0, maker_interval=1.0)
    world.keep_events(100_000)
    world.run(1, 200)
    events = world.events()
    orders = np.bincount(events[(events[:, 0] != 2) & (events[:, 4] < 400), 4], minlength=400)
    assert orders.max() <= 2
    assert orders.mean() == pytest.approx(2.0, abs=0.05)


def test_value_traders_pull_the_price_to_the_fundamental_value() -> None:
    """Noise alone drifts off; value traders who observe the value keep the mid price near it."""
    gaps = []
    for value in (0, 102):
        world = market(seed=5, value=value, volatility=10.0, value_rate=0.05, session=600.0)
        world.run(1, 600)
        rows = world.rows[100:]
        gaps.append(float(np.abs(rows[:, 0] - rows[:, 2]).mean()))
    assert gaps[1] < gaps[0] / 3


def test_the_fundamental_value_has_its_law_and_does_not_depend_on_where_it_is_asked_for() -> None:
    mean, kappa, s = 1000.0, 0.5, 3.0
    law = np.array([mean, kappa, s, 0.0, 0.0, 0.0])
    seen = []
    for k in range(4000):
        oracle = np.array([1010.0, 0.0, np.inf, 0.0])
        advance(oracle, law, np.uint64(k), 1_000_000_000)
        seen.append(oracle[0])
    z = (np.array(seen) - (mean + np.exp(-kappa) * 10.0)) / (s * np.sqrt((1 - np.exp(-2 * kappa)) / (2 * kappa)))
    assert abs(z.mean()) < 4.5 / np.sqrt(4000)
    assert z.var() == pytest.approx(1.0, abs=4.5 * np.sqrt(2 / 4000))
    # large shocks: of either sign, at their rate
    law = np.array([mean, 0.0, 0.0, 2.0, 1000.0, 0.0])
    oracle, jumps = np.array([mean, 0.0, 0.1, 0.0]), 0
    for t in range(1, 501):
        before = oracle[0]
        advance(oracle, law, np.uint64(3), t * 100_000_000)
        jumps += before != oracle[0]
        assert (oracle[0] - mean) % 1000 == pytest.approx(0.0, abs=1e-6)
    assert 60 < jumps < 140


def test_order_sizes_are_the_mixture() -> None:
    rng = np.random.default_rng(1)
    sizes = np.array([kernels.order_size(*w) for w in rng.integers(0, 2**32, (20_000, 2), np.uint64)])
    assert sizes.min() >= 1
    hundred = np.mean(sizes == 100)
    assert hundred == pytest.approx(0.7, abs=0.02)
    assert np.mean(sizes == 200) == pytest.approx(0.06, abs=0.01)
    assert np.mean(sizes == 400) == pytest.approx(0.0329, abs=0.006)
    rest = np.sort(sizes[sizes % 100 != 0])
    assert np.median(rest) == pytest.approx(np.exp(2.9), rel=0.1)


def test_the_spread_of_zero_intelligence_follows_the_law_of_its_rates() -> None:
    """Doubling all rates changes nothing but the clock; more market orders per limit order widen the spread."""

    def spread(**rates: Any) -> float:
        world = market(noise=0, value=0, momentum=0, makers=0, zero=1, period=0.1, **rates)
        world.run(1, 4000)
        rows = world.rows[1000:]
        return float(rows[rows[:, 1] >= 0, 1].mean())

    base = spread(limit_rate=0.5, market_rate=2.0, cancel_rate=0.1)
    twice = spread(limit_rate=1.0, market_rate=4.0, cancel_rate=0.2)
    wide = spread(limit_rate=0.5, market_rate=6.0, cancel_rate=0.1)
    assert twice == pytest.approx(base, rel=0.15)
    assert wide > 1.5 * base


def test_runs_can_be_cut_anywhere_and_saved() -> None:
    whole, cut, again = market(latency=0.2), market(latency=0.2), market(seed=9, latency=0.2)
    whole.run(1, 90)
    cut.run(1, 20)
    cut.run(21, 31)
    again.load(cut.save())
    again.run(52, 39)
    np.testing.assert_array_equal(again.rows, whole.rows)
    for name, column in whole.columns().items():
        np.testing.assert_array_equal(again.columns()[name], column)


def test_facts_of_known_series() -> None:
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(0, 2.0, 20_000))
    found = facts(walk)
    assert found["deviation"] == pytest.approx(2.0, rel=0.03)
    assert abs(found["excess_kurtosis"]) < 0.2
    assert abs(found["memory"]) < 0.04
    assert abs(found["clustering"]) < 0.04
    bounce = 1000.0 + rng.choice([-1.0, 1.0], 20_000)
    assert facts(bounce)["memory"] == pytest.approx(-0.5, abs=0.03)
    assert facts(np.ones(100)) == {}
    assert facts(walk[:8]) == {}
    mean, half = batch_means(rng.normal(3.0, 1.0, 2000))
    assert abs(mean - 3.0) < 2 * half
    assert half == pytest.approx(1.96 / np.sqrt(2000), rel=0.6)


def test_activity_by_kind_counts_every_trade_for_both_sides() -> None:
    world = market()
    world.run(1, 60)
    found = TraderActivity(NoSettings()).compute(SimpleNamespace(game=world))
    assert {key.rpartition("_")[0] for key in found} == {"noise", "value", "momentum", "maker"}
    total = {k: sum(v for key, v in found.items() if key.endswith(f"_{k}")) for k in ("trades", "shares")}
    assert total["trades"] == 2 * world.tally["trades"] > 0
    assert total["shares"] == 2 * world.tally["volume"]


def test_the_engine_keeps_its_contract() -> None:
    scenario = {
        "version": 1,
        "name": "market",
        "game": {"use": "order_market", "params": {"noise": 40, "session": 60.0, "capacity": 2000, "zero": 1}},
        "agents": [],
        "metrics": [
            {"use": m, "every": 5}
            for m in ("market_price", "market_spread", "market_activity", "trader_activity", "trader_profit")
        ]
        + [{"use": "price_facts", "every": 20, "params": {"horizon": 1}}],
        "tables": [{"name": "depth", "every": 10}, {"name": "agents", "every": 20, "sample": 5}],
        "run": {"budget": 40, "seed": 1},
    }
    check_engine(plan_from_bytes(json.dumps(scenario).encode(), "market.yaml").build)


def test_broken_markets_are_named() -> None:
    with pytest.raises(ValidationError, match="the market needs traders"):
        OrderMarketSettings(noise=0, value=0, momentum=0, makers=0)
    with pytest.raises(GameTooLarge, match="lower capacity"):
        OrderMarket(OrderMarketSettings(capacity=100_000_000))
    with pytest.raises(InvalidValue, match="the book is full: 10 orders rest"):
        market(zero=1, capacity=10, cancel_rate=0.0).run(1, 100)
