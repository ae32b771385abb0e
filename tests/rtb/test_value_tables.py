"""The bidding programmes against exact tables, a plain triple loop, simulation and their limits."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.value import Objective, final_values, gain_table, solve, solve_spread, stride_error
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.rules import TABLE, BidRule, ValueTable, pack
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

TOY = np.array([0.0, 1 / 3, 1 / 3, 1 / 3])
UNIFORM = np.concatenate([[0.0], np.full(300, 1 / 300)])


def naive(m: FloatArray, theta: float, requests: int, budget: int, v1: float, v0: float, gamma: float) -> FloatArray:
    """Maximise over all bids by brute force, as the recursion is written."""
    v = np.zeros((requests + 1, budget + 1))
    b, d = np.arange(budget + 1)[:, None], np.arange(m.size)
    for t in range(1, requests + 1):
        brackets = v1 * theta - v0 * d + gamma * (v[t - 1, np.maximum(b - d, 0)] - v[t - 1, :, None])
        totals = np.cumsum(np.where(b >= d, m * brackets, 0.0), axis=1)  # entry a: bid a, prices above b never bought
        v[t] = gamma * v[t - 1] + np.maximum(totals.max(axis=1), 0.0)
    return v


def naive_spread(m: FloatArray, thetas: FloatArray, requests: int, budget: int, v0: float) -> FloatArray:
    v = np.zeros((requests + 1, budget + 1))
    for t in range(1, requests + 1):
        for b in range(budget + 1):
            v[t, b] = v[t - 1, b]
            for d in range(min(b, m.size - 1) + 1):
                v[t, b] += m[d] * np.maximum(thetas - v0 * d - (v[t - 1, b] - v[t - 1, b - d]), 0.0).mean()
    return v


def test_toy_values_and_bids_are_the_exact_fractions() -> None:
    table = solve(TOY, 1.0, 4, 8)
    np.testing.assert_allclose(table.values[2, :7], [0, 5 / 9, 1, 4 / 3, 5 / 3, 17 / 9, 2], atol=1e-12)
    exact = np.array([0, 19, 32, 44, 54, 63, 71, 77, 80]) / 27
    np.testing.assert_allclose(table.values[3], exact, atol=1e-12)
    assert table.value(4, 8) == pytest.approx(292 / 81, abs=1e-12)
    assert [table.bid(3, b, 1.0) for b in range(9)] == [0, 1, 2, 2, 2, 3, 3, 3, 3]
    assert [table.bid(4, b, 1.0) for b in range(9)] == [0, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [table.bid(2, b, 0.5) for b in range(9)] == [0, 1, 1, 1, 2, 3, 3, 3, 3]


def test_values_saturate_and_grow_in_requests_and_budget() -> None:
    rng = np.random.default_rng(1)
    m = rng.random(301)
    m /= m.sum()
    table = solve(m, 0.01, 12, 4000)
    for t in (1, 5, 12):
        np.testing.assert_allclose(table.values[t, 300 * t :], t * 0.01, rtol=1e-12)
        assert (table.values[t] <= t * 0.01 + 1e-15).all()
    assert (np.diff(table.values, axis=0) >= -1e-15).all()
    assert (np.diff(table.values, axis=1) >= -1e-15).all()


def test_uniform_prices_reach_the_known_fluid_values_from_below() -> None:
    table = solve(UNIFORM, 1.0, 1000, 40_000)
    assert table.value(1000, 10_000) / 1000 == pytest.approx(0.255253, abs=1e-6)
    assert table.value(1000, 40_000) / 1000 == pytest.approx(0.513581, abs=1e-6)
    assert table.value(1000, 10_000) / 1000 < 0.256537
    assert table.value(1000, 40_000) / 1000 < 0.514731
    assert table.value(100, 1000) / 100 == pytest.approx(0.246792, abs=1e-6)


@pytest.mark.parametrize("case", range(20))
def test_fast_rows_equal_the_triple_loop(case: int) -> None:
    rng = np.random.default_rng(case)
    top = 300 if case == 0 else int(rng.integers(1, 40))
    m = rng.random(top + 1) * (rng.random(top + 1) < 0.5)  # prices never observed, m(0) > 0 in half the cases
    m[int(rng.integers(0, top + 1))] += 0.7  # an atom
    m /= m.sum()
    theta, requests, budget = float(rng.random()), int(rng.integers(1, 201)), int(rng.integers(0, 4001))
    v0, gamma = float(rng.choice([0.0, 0.003])), float(rng.choice([1.0, 0.95]))
    table = solve(m, theta, requests, budget, objective=Objective(cost_weight=v0, gamma=gamma))
    np.testing.assert_allclose(table.values, naive(m, theta, requests, budget, 1.0, v0, gamma), rtol=0, atol=1e-10)


@pytest.mark.parametrize("v0", [0.0, 1e-3])
def test_request_aware_rows_equal_the_plain_recursion(v0: float) -> None:
    rng = np.random.default_rng(5)
    m = rng.random(21)
    m /= m.sum()
    thetas = rng.random(4000)
    table = solve_spread(m, thetas, 12, 100, objective=Objective(cost_weight=v0))
    # G is tabulated at 4,000 nodes: its linear interpolation errs by less than 1e-6 per request here.
    np.testing.assert_allclose(table.values, naive_spread(m, thetas, 12, 100, v0), rtol=0, atol=2e-5)


def test_degenerate_click_probabilities_give_the_plain_programme() -> None:
    plain = solve(UNIFORM, 2e-3, 200, 3000)
    spread = solve_spread(UNIFORM, np.full(7, 2e-3), 200, 3000)
    np.testing.assert_allclose(spread.values, plain.values, rtol=0, atol=1e-12)


def test_gain_table_is_the_mean_excess() -> None:
    values = np.random.default_rng(2).random(5000)
    gain, step = gain_table(values)
    for k in (0, 100, 1700, 3333):
        assert gain[k] == pytest.approx(np.maximum(values - k * step, 0.0).mean(), abs=1e-12)
    assert gain[-1] == 0.0


def policy_value(
    table: ValueTable, thetas: FloatArray, episodes: int, requests: int, budget: int
) -> tuple[float, float]:
    """Simulate the policy of a table; return mean and standard error of the sum of theta won per episode."""
    rng = np.random.default_rng(11)
    n = episodes * requests
    theta = rng.choice(thetas, n)
    price = rng.integers(1, 301, n).astype(np.uint16)
    p = pack((BidRule(kind=TABLE, table=table),))
    out = np.zeros((episodes, 5))
    kernels.replay_table(
        theta, price, np.zeros(n, np.uint8), theta, requests, budget, p.integers[0], p.reals[0], p.tables, out
    )
    won = out[:, kernels.VALUE]
    return float(won.mean()), float(won.std(ddof=1) / np.sqrt(episodes))


def test_simulated_policies_earn_their_own_value() -> None:
    requests, budget, episodes = 200, 4000, 20_000
    plain = solve(UNIFORM, 0.5, requests, budget)
    mean, error = policy_value(plain, np.array([0.5]), episodes, requests, budget)
    assert abs(mean - plain.value(requests, budget)) < 4 * error
    thetas = np.random.default_rng(3).beta(0.5, 2.0, 50_000)
    spread = solve_spread(UNIFORM, thetas, requests, budget)
    mean, error = policy_value(spread, thetas, episodes, requests, budget)
    assert abs(mean - spread.value(requests, budget)) < 4 * error
    blind = solve(UNIFORM, float(thetas.mean()), requests, budget)
    other, _ = policy_value(blind, thetas, episodes, requests, budget)
    assert mean > other  # same requests for both


def test_strides_stay_close_to_the_exact_table() -> None:
    exact, coarse = solve(UNIFORM, 1e-3, 200, 9000), solve(UNIFORM, 1e-3, 200, 9000, budget_stride=8)
    for b in (100, 4095, 4096, 5001, 8999, 9000):
        assert coarse.value(200, b) == pytest.approx(exact.value(200, b), rel=1e-4)
    assert 0.0 < stride_error(UNIFORM, 1e-3, 1000, 31_500, 8) < 1e-4
    thetas = np.random.default_rng(1).beta(1.0, 400.0, 2000)
    fine, strided = solve_spread(UNIFORM, thetas, 60, 6000), solve_spread(UNIFORM, thetas, 60, 6000, budget_stride=4)
    assert strided.value(60, 5990) == pytest.approx(fine.value(60, 5990), rel=1e-4)


def test_a_table_beyond_the_memory_gets_a_stride_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        table = solve(UNIFORM, 1e-3, 100, 20_000, memory_limit=6_000_000)
    assert table.stride > 1
    assert table.values.nbytes <= 6_000_000 + 8 * table.values.shape[1]
    assert "relative error about" in caplog.text
    with pytest.raises(InvalidValue, match="map long episodes"):
        solve(UNIFORM, 1e-3, 1000, 20_000, memory_limit=1000)


def test_final_values_are_the_last_row_of_the_table() -> None:
    np.testing.assert_array_equal(final_values(UNIFORM, 0.5, 40, 3000), solve(UNIFORM, 0.5, 40, 3000).values[40])


def test_published_code_keeps_no_value_without_budget() -> None:
    m = np.array([0.5, 0.5])
    assert solve(m, 0.1, 3, 2).value(3, 0) == pytest.approx(0.15)
    assert solve(m, 0.1, 3, 2, zero_budget_value=False).value(3, 0) == 0.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"requests": 0}, "requests must be at least 1"),
        ({"budget": -1}, "budget must be at least 0"),
        ({"theta": 1.5}, r"theta must lie in \[0, 1\]"),
        ({"theta": float("nan")}, "theta must lie"),
        ({"prices": np.array([0.5, -0.1])}, r"prices\[1\] must be a finite probability"),
        ({"prices": np.array([np.nan])}, r"prices\[0\]"),
        ({"prices": np.zeros(3)}, "prices must sum"),
        ({"prices": np.ones((2, 2))}, "prices must be a vector"),
        ({"budget_stride": 3}, "budget_stride must be a power of two"),
    ],
)
def test_bad_problems_are_refused_by_name(change: dict[str, Any], says: str) -> None:
    good: dict[str, Any] = {"prices": TOY, "theta": 0.5, "requests": 2, "budget": 3, "budget_stride": 1} | change
    with pytest.raises(InvalidValue, match=says):
        solve(good["prices"], good["theta"], good["requests"], good["budget"], budget_stride=good["budget_stride"])


def test_bad_click_probabilities_and_states_are_refused_by_name() -> None:
    with pytest.raises(InvalidValue, match=r"thetas\[1\] must lie"):
        solve_spread(TOY, np.array([0.5, 2.0]), 2, 3)
    with pytest.raises(InvalidValue, match="non-empty"):
        solve_spread(TOY, np.zeros(0), 2, 3)
    with pytest.raises(InvalidValue, match="gamma"):
        Objective(gamma=0.0)
    with pytest.raises(InvalidValue, match="state"):
        solve(TOY, 0.5, 2, 3).bid(4, 1, 0.5)
    assert solve(TOY, 0.5, 2, 0).bid(2, 0, 0.5) == 0
