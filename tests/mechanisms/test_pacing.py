"""Pacing rules against closed forms and hindsight, pacing equilibria against golden examples and optimality conditions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from equilibria.mechanisms.fppe import first_price_pacing, second_price_pacing
from equilibria.mechanisms.pacing import (
    Pacing,
    hindsight_value,
    paced,
    uniform_pacing,
    uniform_target_multiplier,
)
from equilibria.sim.errors import InvalidValue, NotConverged
from equilibria.sim.types import FloatArray

T = 100_000


def stream(seed: int, size: int = T) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return rng.random(size), rng.random(size)


@pytest.mark.parametrize("rate", [1 / 24, 1 / 12])
def test_adaptive_pacing_finds_the_optimal_multiplier_within_three_percent(rate: float) -> None:
    best = uniform_pacing(rate)["multiplier"]
    for seed in range(3):
        values, prices = stream(seed)
        run = paced("multiplicative", values, prices, rate * T)
        assert run.multipliers[T // 2 :].mean() == pytest.approx(best, rel=0.03)
        assert run.spend <= rate * T


def test_closed_form_numbers() -> None:
    assert uniform_pacing(1 / 24) == pytest.approx(
        {"multiplier": 0.5, "spend": 1 / 24, "win_rate": 0.25, "value": 1 / 6}
    )
    assert uniform_pacing(1.0)["multiplier"] == 1.0
    values, prices = stream(9)
    won = 0.5 * values > prices
    n = math.sqrt(T)
    assert abs(won.mean() - 0.25) < 4 * 0.44 / n
    assert abs((prices * won).mean() - 1 / 24) < 4 * 0.09 / n
    assert abs((values * won).mean() - 1 / 6) < 4 * 0.32 / n


@pytest.mark.parametrize("rule", ["throttle", "multiplicative", "pid", "dual_omd"])
@pytest.mark.parametrize("payment", ["first_price", "second_price"])
@pytest.mark.parametrize("budget", [0.5, 50.0, 1e6])
def test_spend_never_exceeds_the_budget(rule: Pacing, payment: str, budget: float) -> None:
    values, prices = stream(1, 5000)
    run = paced(rule, values, prices, budget, payment=payment)
    assert run.spend <= budget
    assert np.isfinite(run.multipliers).all()
    assert (run.payments[~run.won] == 0).all()
    assert run.value == pytest.approx(float(values[run.won].sum()))


@pytest.mark.parametrize("rule", ["throttle", "multiplicative", "pid"])
def test_pacing_rules_spend_their_budget_over_the_whole_horizon(rule: Pacing) -> None:
    values, prices = stream(2)
    run = paced(rule, values, prices, T / 24)
    assert run.spend >= 0.95 * T / 24
    half = run.payments[: T // 2].sum()
    assert 0.4 < half / run.spend < 0.6


def test_pacing_beats_throttling_and_nears_the_hindsight_optimum() -> None:
    values, prices = stream(3)
    best = hindsight_value(values, prices, T / 24)
    shaded = paced("multiplicative", values, prices, T / 24).value
    thrown = paced("throttle", values, prices, T / 24).value
    assert best >= shaded > thrown
    assert shaded >= 0.95 * best


def test_target_bidder_finds_twice_its_target() -> None:
    expected = uniform_target_multiplier(0.25)
    values, prices = stream(4)
    run = paced("dual_omd", values, prices, 1e9, target=0.25)
    assert run.multipliers[T // 2 :].mean() == pytest.approx(expected["multiplier"], rel=0.03)
    assert run.spend <= 0.25 * run.value * 1.03
    assert run.value / T == pytest.approx(expected["value"], rel=0.05)


def test_hindsight_programme_equals_greedy_when_the_target_is_slack() -> None:
    values, prices = stream(5, 400)
    assert hindsight_value(values, prices, 20.0, target=1e6) == pytest.approx(hindsight_value(values, prices, 20.0))
    assert hindsight_value(values, prices, 20.0, target=0.1) < hindsight_value(values, prices, 20.0)
    assert hindsight_value([1.0, 1.0], [2.0, 4.0], 3.0) == pytest.approx(1.25)
    assert hindsight_value([1.0, 1.0], [2.0, 4.0], 100.0) == 2.0


@pytest.mark.parametrize("b", [0.5, 1.0, 1.9])
def test_first_price_pacing_golden_example_shades(b: float) -> None:
    found = first_price_pacing([[2, 1], [1, 2]], [b, b])
    np.testing.assert_allclose(found.alpha, b / 2, atol=1e-4)  # root of the tolerance 1e-9
    np.testing.assert_allclose(found.prices, b, atol=2e-4)
    np.testing.assert_allclose(found.allocation, np.eye(2), atol=1e-4)


@pytest.mark.parametrize("b", [2.5, 10.0])
def test_first_price_pacing_golden_example_with_money_left(b: float) -> None:
    found = first_price_pacing([[2, 1], [1, 2]], [b, b])
    np.testing.assert_allclose(found.alpha, 1.0, atol=1e-4)
    np.testing.assert_allclose(found.prices, 2.0, atol=1e-4)


@pytest.mark.parametrize(("n", "m"), [(1, 3), (4, 6), (10, 30)])
def test_first_price_pacing_conditions_hold(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    values, budgets = rng.random((n, m)), rng.random(n) * m / n
    found = first_price_pacing(values, budgets, tolerance=1e-8)
    assert (found.spend <= budgets * 1.01 + 1e-9).all()
    shading = found.alpha < 0.999
    np.testing.assert_allclose(found.spend[shading], budgets[shading], rtol=0.01)
    np.testing.assert_allclose(found.allocation.sum(axis=0), 1.0, atol=1e-9)
    # goods go to (nearly) the highest paced bids
    waste = found.allocation * (found.prices - found.alpha[:, None] * values)
    assert waste.sum() <= 1e-3 * found.prices.sum()


def test_first_price_pacing_agrees_with_a_convex_solver() -> None:
    import cvxpy

    rng = np.random.default_rng(7)
    values, budgets = rng.random((4, 5)), np.array([0.3, 0.6, 0.2, 5.0])
    x, saved = cvxpy.Variable((4, 5), nonneg=True), cvxpy.Variable(4, nonneg=True)
    wealth = cvxpy.sum(cvxpy.multiply(values, x), axis=1) + saved
    goal = cvxpy.Maximize(cvxpy.sum(cvxpy.multiply(budgets, cvxpy.log(wealth)) - saved))
    cvxpy.Problem(goal, [cvxpy.sum(x, axis=0) <= 1]).solve()
    np.testing.assert_allclose(first_price_pacing(values, budgets).alpha, budgets / wealth.value, atol=1e-3)


def test_second_price_pacing_reports_its_own_error() -> None:
    rng = np.random.default_rng(8)
    values = rng.random((3, 2000))
    spend = np.sort(values, axis=0)[-2].sum() / 3
    found = second_price_pacing(values, [spend / 2, spend / 3, 1e9])
    assert found.error < 0.05
    assert found.alpha[2] == 1.0
    top = found.alpha[:, None] * values
    paid = np.where(top == top.max(axis=0), np.sort(top, axis=0)[-2], 0).sum(axis=1)
    np.testing.assert_allclose(found.spend, paid)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: paced("pid", [0.1], [0.1], -1.0), "budget must be a finite number above 0, got -1.0"),
        (lambda: paced("pid", [0.1, np.nan], [0.1, 0.1], 1.0), r"values\[1\] must be finite"),
        (lambda: paced("pid", [0.1], [0.1, 0.2], 1.0), "equally long"),
        (lambda: paced("pidd", [0.1], [0.1], 1.0), "rule must be one of"),  # type: ignore[arg-type]
        (lambda: paced("pid", [0.1], [0.1], 1.0, interval=0), "interval must be at least 1"),
        (lambda: first_price_pacing([[1.0]], [-1.0]), r"budgets\[0\] must be at least 0"),
        (lambda: first_price_pacing([[1.0]], [0.0]), r"budgets\[0\] must be above 0"),
        (lambda: first_price_pacing([[0.0]], [1.0]), "must value at least one good"),
        (lambda: second_price_pacing([[1.0]], [1.0], iterations=0), "iterations >= 1"),
        (lambda: uniform_pacing(0.0), "rate must be above 0"),
        (lambda: uniform_target_multiplier(0.7), "target must lie in"),
        (lambda: hindsight_value([1.0], [1.0], -1.0), "budget >= 0"),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        call()


def test_an_iteration_limit_is_an_error_not_a_wrong_number() -> None:
    with pytest.raises(NotConverged, match="after 10 iterations"):
        first_price_pacing([[2, 1], [1, 2]], [1, 1], max_iterations=10)
