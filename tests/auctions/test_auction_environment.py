"""Bayesian auction games and their PettingZoo view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from equilibria.games.auctions.bayesian import BayesianAuction
from equilibria.games.auctions.environment import AuctionEnv
from equilibria.mechanisms import all_pay, first_price, myerson, second_price
from equilibria.mechanisms.oracles import first_price_bid
from equilibria.mechanisms.priors import Exponential, Uniform
from equilibria.sim.errors import InvalidValue
from equilibria.testing import check_env

MAKERS: list[Callable[[], AuctionEnv]] = [
    lambda: AuctionEnv(first_price(), [Uniform()] * 2),
    lambda: AuctionEnv(second_price(reserve=0.2), [Uniform(), Exponential()], rounds=12, budgets=[1.0, 0.5]),
    lambda: AuctionEnv(all_pay(), [Uniform()] * 3, rounds=5, budgets=[0.0, 1.0, 2.0]),
    lambda: AuctionEnv(myerson(), [Uniform()], rounds=3),
]


@pytest.mark.parametrize("make", MAKERS)
def test_the_environment_passes_the_suites(make: Callable[[], AuctionEnv]) -> None:
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    check_env(make, episodes=3)
    parallel_api_test(make(), num_cycles=40)
    parallel_seed_test(make)


def test_payments_never_exceed_budgets() -> None:
    env = AuctionEnv(first_price(), [Uniform()] * 2, rounds=50, budgets=[1.0, 2.0])
    env.reset(seed=1)
    spent = dict.fromkeys(env.agents, 0.0)
    while env.agents:
        _, _, _, _, infos = env.step({a: np.array([0.9]) for a in env.agents})
        for a in infos:
            spent[a] += infos[a]["payment"]
    assert spent["bidder_0"] <= 1.0 and spent["bidder_1"] <= 2.0
    assert sum(spent.values()) > 2.9


def test_rewards_are_value_minus_price() -> None:
    env = AuctionEnv(first_price(), [Uniform()] * 2)
    seen, _ = env.reset(seed=3)
    _, rewards, ended, _, infos = env.step({"bidder_0": np.array([0.25]), "bidder_1": np.array([0.5])})
    assert rewards["bidder_1"] == pytest.approx(seen["bidder_1"][0] - 0.5)
    assert (rewards["bidder_0"], infos["bidder_1"]["won"], all(ended.values())) == (0.0, True, True)


@pytest.mark.parametrize(
    ("bid", "says"), [(np.nan, "must be finite"), (-1.0, "at least 0"), (None, "no bid of bidder_1")]
)
def test_bad_bids_are_named(bid: Any, says: str) -> None:
    env = AuctionEnv(first_price(), [Uniform()] * 2)
    env.reset(seed=1)
    actions = {"bidder_0": np.array([0.5])} | ({} if bid is None else {"bidder_1": np.array([bid])})
    with pytest.raises(InvalidValue, match=says):
        env.step(actions)


def test_equilibrium_bids_leave_no_interim_gain_and_shaded_ones_do() -> None:
    game = BayesianAuction(first_price(), [Uniform()] * 3)
    grid, n = np.linspace(0, 1, 101), 100_000
    good = [lambda v: first_price_bid(v, 3)] * 3
    found = game.interim_gain(good, 0, 0.7, grid=grid, rng=np.random.default_rng(1), samples=n)
    assert found.gain <= found.half_width + 2e-3  # the maximum over 101 bids is biased upward
    assert found.best_bid == pytest.approx(0.7 * 2 / 3, abs=0.05)
    low = [lambda v: 0.2 * v] * 3
    assert game.interim_gain(low, 0, 0.7, grid=grid, rng=np.random.default_rng(1), samples=n).gain > 0.1


def test_bayesian_auctions_check_shapes() -> None:
    game = BayesianAuction(first_price(), [Uniform()] * 2)
    with pytest.raises(InvalidValue, match="types must have shape"):
        game.step([[0.5]], [[0.5]])
    with pytest.raises(InvalidValue, match="bids must have shape"):
        game.step([[0.5, 0.2]], [[0.5]])
    with pytest.raises(InvalidValue, match="at least one bidder"):
        BayesianAuction(first_price(), [])
    with pytest.raises(InvalidValue, match="2 strategies"):
        game.interim_gain([], 0, 0.5, grid=[0.1], rng=np.random.default_rng(0))
