"""The order market behind PettingZoo: the engine's market when traders wait, exact accounts, tasks, named refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from equilibria.games.adapters import environment
from equilibria.games.markets import OrderMarket, OrderMarketEnv
from equilibria.games.markets.environment import CANCEL, HOLD, LIMIT_BUY, LIMIT_SELL, MARKET_BUY, MARKET_SELL
from equilibria.games.markets.settings import OrderMarketViewSettings
from equilibria.mechanisms.order_book import OrderBook
from equilibria.sim.errors import GameError, IllegalAction, InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_env

SMALL: dict[str, Any] = {"noise": 300, "session": 300.0, "period": 10.0, "warm_up": 3, "capacity": 3000}
TASKS: list[dict[str, Any]] = [
    {},
    {"traders": 3, "latency": 0.4},
    {"task": "execution", "traders": 2, "parent": 120, "sizes": (10, 50)},
    {"noise": 0, "value": 0, "momentum": 0, "makers": 0, "zero": 1, "traders": 2},  # no quotes at first
]


def view(**change: Any) -> OrderMarketEnv:
    return OrderMarketEnv(OrderMarketViewSettings.model_validate({**SMALL, **change}))


def wait(env: OrderMarketEnv) -> dict[str, Any]:
    return {agent: np.array([HOLD, 0, 0]) for agent in env.agents}


def play(env: OrderMarketEnv, seed: int, steps: int = 10_000) -> dict[str, float]:
    """Play random actions; return the sum of rewards by agent."""
    rng = np.random.default_rng(seed)
    earned = dict.fromkeys(env.agents, 0.0)
    for _ in range(steps):
        if not env.agents:
            break
        space = env.action_space(env.agents[0])
        actions = {agent: rng.integers(0, space.nvec) for agent in env.agents}
        for agent, reward in env.step(actions)[1].items():
            earned[agent] += reward
    return earned


@pytest.mark.parametrize("change", TASKS)
def test_the_library_and_we_accept_the_view(change: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # advice on constants and unbounded numbers
        parallel_api_test(view(**change), num_cycles=60)
    parallel_seed_test(lambda: view(**change), num_cycles=30)
    check_env(lambda: view(**change), episodes=2)


@pytest.mark.parametrize("latency", [0.0, 0.3])
def test_traders_who_wait_see_the_market_of_the_engine(latency: float) -> None:
    env = view(traders=2, latency=latency)
    seen, infos = env.reset(seed=5)
    shown = [seen["trader_1"]]
    while env.agents:
        seen, rewards, ended, cut, infos = env.step(wait(env))
        shown.append(seen["trader_1"])
        assert rewards == {"trader_0": 0.0, "trader_1": 0.0}
    assert (ended["trader_0"], cut["trader_0"]) == (False, True)
    market = OrderMarket(env.settings)
    market.reset(SeedTree(5).child("environment", 0))
    market.run(1, 30)
    np.testing.assert_array_equal(env.world.rows, market.rows)
    for name, column in market.columns().items():
        np.testing.assert_array_equal(env.world.columns()[name][: market.agents], column)
    mids = market.rows[:, 0]
    for k, row in enumerate(shown):
        now = 3 + k
        assert row[0] == mids[now - 1] / 100_000
        assert row[1] == market.rows[now - 1, 1]
        assert 0.0 <= row[2] <= 1.0
        known = [m if m > 0 else 100_000.0 for m in mids[max(now - 4, 0) : now]]
        np.testing.assert_array_equal(row[3:6], np.diff(known)[-3:] if len(known) > 3 else [0.0, *np.diff(known)])
        np.testing.assert_array_equal(row[6:10], 0.0)
        assert row[10] == pytest.approx((30 - now) / 27)
    assert infos["trader_0"]["fundamental"] == market.rows[-1, 2]


@pytest.mark.parametrize("change", TASKS)
def test_cash_and_shares_are_conserved_with_the_traders(change: dict[str, Any]) -> None:
    env = view(**change)
    env.reset(seed=3)
    play(env, 1)
    details = env.world.certificate().details
    assert details["cash_created"] == details["shares_created"] == details["crossed"] == 0
    columns: dict[str, Any] = dict(env.world.columns())
    assert np.abs(columns["shares"][-env.settings.traders :]).sum() > 0
    assert columns["orders"].sum() == env.world.tally["resting"]


def test_the_reference_book_sees_the_traders_orders() -> None:
    """All events of a session, replayed in the plain order book, give the traders' cash and shares."""
    env = view(traders=2)
    env.reset(seed=11)
    env.world.reset(SeedTree(11).child("environment", 0))  # again, with a log from the first event on
    env.world.keep_events(60_000)
    env.world.run(1, 3)
    play(env, 2)
    events, n = env.world.events(), env.world.agents
    assert np.isin(events[:, 4], [n - 2, n - 1]).sum() > 20
    book = OrderBook(ticks=2 * env.settings.mean + 1, capacity=len(events))
    trades = book.submit(events)
    cash, shares = np.full(n, env.settings.cash), np.zeros(n, np.int64)
    for column, sign in ((4, 1), (5, -1)):
        np.add.at(cash, trades[:, column], -sign * trades[:, 2] * trades[:, 3])
        np.add.at(shares, trades[:, column], sign * trades[:, 3])
    for i in (n - 2, n - 1):
        assert env.world.account(i) == (cash[i], shares[i])


def test_an_investor_earns_the_change_of_wealth() -> None:
    env = view(traders=2)
    _, infos = env.reset(seed=4)
    assert infos["trader_0"] == {
        "cash": 10_000_000, "shares": 0, "wealth": 10_000_000.0, "fundamental": env.world.rows[-1, 2],
    }  # fmt: skip
    earned = play(env, 3)
    mid = env.world.rows[-1, 0]
    for i, agent in enumerate(env.possible_agents):
        cash, shares = env.world.account(env.world.agents - 2 + i)
        assert shares != 0
        assert earned[agent] == pytest.approx(cash + shares * mid - 10_000_000, abs=1e-6)


def test_orders_do_what_they_say() -> None:
    """Market orders pay the best price, limit orders rest behind the best price and can be cancelled."""
    env = view(sizes=(1, 7), makers=2)
    env.reset(seed=6)
    me, spread = env.world.agents - 1, env.world.levels(1)
    bid, ask = int(spread[0, 0, 0]), int(spread[1, 0, 0])
    env._act("trader_0", MARKET_BUY, 4, 1, [bid, ask])
    assert env.world.account(me) == (10_000_000 - ask, 1)
    env._act("trader_0", MARKET_SELL, 0, 1, [bid, ask])
    assert env.world.account(me) == (10_000_000 - ask + bid, 0)
    env._act("trader_0", LIMIT_BUY, 3, 7, [bid, ask])
    env._act("trader_0", LIMIT_SELL, 0, 1, [bid, ask])
    assert {tuple(row) for row in env.world.open_orders(me).tolist()} == {(1, bid - 3, 7), (-1, ask, 1)}
    own = env._own("trader_0")
    assert own == [(bid - ask) / 100_000, 0.0, 1.0, 1 / 7]
    env._act("trader_0", CANCEL, 0, 1, [bid, ask])
    assert len(env.world.open_orders(me)) == 0


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_execution_costs_what_was_paid_against_the_arrival_price(side: str) -> None:
    env = view(task="execution", parent=130, side=side, sizes=(10, 50), traders=1)
    _, infos = env.reset(seed=2)
    arrival, sign = infos["trader_0"]["arrival"], 1 if side == "buy" else -1
    assert arrival == env.world.rows[-1, 0]
    cost, steps = 0.0, 0
    while env.agents:
        seen, rewards, ended, cut, infos = env.step({"trader_0": np.array([1, 0, 1])})  # market orders of 50
        cost -= rewards["trader_0"]
        steps += 1
        assert seen["trader_0"][-2] == infos["trader_0"]["left"] / 130
        assert seen["trader_0"][-1] == sign * (env.world.rows[-1, 0] - arrival)
    assert (ended["trader_0"], cut["trader_0"]) == (True, False)
    assert infos["trader_0"]["shares"] == sign * 130  # 50 + 50 + 30: cut to what is left
    assert infos["trader_0"]["left"] == 0
    assert steps >= 3
    paid = sign * (10_000_000 - infos["trader_0"]["cash"])
    assert cost == pytest.approx(sign * (paid - 130 * arrival))


def test_execution_is_charged_for_what_is_left_and_never_overfills() -> None:
    env = view(task="execution", parent=100, sizes=(30,), penalty=7.0, traders=2, makers=2)
    env.reset(seed=8)
    total = dict.fromkeys(env.agents, 0.0)
    while env.agents:
        actions = {"trader_0": np.array([2, 0, 0]), "trader_1": np.array([0, 0, 0])}
        _, rewards, _, _, infos = env.step({agent: actions[agent] for agent in env.agents})
        for agent, reward in rewards.items():
            total[agent] += reward
        if "trader_0" in infos:
            opened = env.world.open_orders(env.world.agents - 2)[:, 2].sum()
            assert infos["trader_0"]["shares"] + opened <= 100
    assert total["trader_1"] == -700.0


def test_a_ruined_investor_is_out_and_leaves_no_orders() -> None:
    env = view(traders=2, cash=100_000, sizes=(10, 1000), makers=2)
    env.reset(seed=3)
    out = env.world.agents - 2
    while "trader_0" in env.agents:  # buys and sells a thousand at market prices
        assert env.agents == ["trader_0", "trader_1"]
        deal = MARKET_BUY if env.world.account(out)[1] <= 0 else MARKET_SELL
        acts = {"trader_0": np.array([deal, 0, 1]), "trader_1": np.array([LIMIT_BUY, 4, 0])}
        _, _, ended, cut, infos = env.step(acts)
    assert (ended, cut["trader_0"]) == ({"trader_0": True, "trader_1": False}, False)
    assert infos["trader_0"]["wealth"] < 30_000
    assert len(env.world.open_orders(out)) == 0
    before = env.world.account(out)
    while env.agents:
        env.step(wait(env))
    assert env.world.account(out) == before


def test_episodes_follow_the_seed() -> None:
    env, other = view(), view()
    first = env.reset(seed=4)[0]["trader_0"]
    play(env, 1)
    second = env.reset()[0]["trader_0"]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(other.reset(seed=4)[0]["trader_0"], first)
    np.testing.assert_array_equal(other.reset()[0]["trader_0"], second)


def test_wrong_use_is_refused_by_name() -> None:
    env = view()
    with pytest.raises(GameError, match=r"step\(\) before reset\(\)"):
        env.step({})
    env.reset(seed=1)
    for wrong in ([6, 0, 0], [0, 5, 0], [0, 0, 3], [-1, 0, 0]):
        with pytest.raises(IllegalAction, match="action of trader_0 must be in MultiDiscrete"):
            env.step({"trader_0": np.array(wrong)})
    with pytest.raises(IllegalAction, match="check trader_1"):
        env.step({**wait(env), "trader_1": np.array([0, 0, 0])})
    play(env, 1)
    assert env.step({}) == ({}, {}, {}, {}, {})
    with pytest.raises(GameError, match="the episode is over"):
        env.step({"trader_0": np.array([0, 0, 0])})
    with pytest.raises(InvalidValue, match="whole number of periods"):
        environment("order_market", session=100.0, period=30.0)
    with pytest.raises(InvalidValue, match="more than warm_up"):
        environment("order_market", session=100.0, period=50.0, warm_up=2)
    with pytest.raises(InvalidValue, match="sizes must rise"):
        environment("order_market", sizes=(10, 10))
    with pytest.raises(InvalidValue, match="twice the latency"):
        environment("order_market", latency=30.0)
    with pytest.raises(InvalidValue, match="the book is full: 10 orders rest"):
        view(capacity=10).reset(seed=1)
