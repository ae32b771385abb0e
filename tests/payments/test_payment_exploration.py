"""Exploration rules against their closed forms, their limits and the guarantee of inverse gap weighting."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.payments import kernels
from equilibria.agents.payments.exploration import SCHEMES, distribution, theory_gamma
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import BoolArray, FloatArray


def instances(seed: int, rows: int = 300, actions: int = 6) -> tuple[FloatArray, BoolArray]:
    rng = np.random.default_rng(seed)
    predicted, available = rng.random((rows, actions)), rng.random((rows, actions)) < 0.7
    available[np.arange(rows), rng.integers(actions, size=rows)] = True
    predicted[::7] = np.round(0.9 * predicted[::7], 1)  # ties, below 1
    return predicted, available


def plain(scheme: str, y: list[float], knob: float) -> list[float]:
    b, count = y.index(max(y)), len(y)
    if scheme == "softmax":
        e = np.exp((np.array(y) - max(y)) / knob)
        return list(e / e.sum())
    gap, loss = [y[b] - v for v in y], 1 - y[b]
    others: dict[str, list[float]] = {
        "uniform": [1 / count] * count,
        "greedy": [0.0] * count,
        "epsilon_greedy": [knob / count] * count,
        "square_cb": [1 / (count + knob * g) for g in gap],
        "fast_cb": [loss / (count * loss + knob * g) for g in gap],
    }
    p = others[scheme]
    p[b] = 0.0
    p[b] = 1 - sum(p)
    return p


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
@pytest.mark.parametrize("knob", [0.3, 1.0, 200.0])
def test_probabilities_are_the_closed_form(scheme: str, knob: float) -> None:
    knob = min(knob, 1.0) if scheme == "epsilon_greedy" else knob
    predicted, available = instances(1)
    found = distribution(scheme, predicted, available, knob)
    for y, on, p in zip(predicted, available, found, strict=True):
        np.testing.assert_allclose(p[on], plain(scheme, y[on].tolist(), knob), atol=1e-14)
        assert not p[~on].any()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    if scheme not in ("greedy",):
        assert found[available].min() > 0


@pytest.mark.parametrize("scheme", ["square_cb", "fast_cb"])
def test_gamma_runs_from_uniform_to_greedy(scheme: str) -> None:
    predicted, available = instances(2)
    count = available.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(distribution(scheme, predicted, available, 0.0), available / count, atol=1e-12)
    greedy = distribution("greedy", predicted, available, 0.0)
    unique = (np.where(available, predicted, -1) == np.where(available, predicted, -1).max(1, keepdims=True)).sum(
        1
    ) == 1
    np.testing.assert_allclose(distribution(scheme, predicted, available, 1e12)[unique], greedy[unique], atol=1e-7)
    top = [distribution(scheme, predicted, available, g)[greedy > 0] for g in (1.0, 10.0, 100.0)]
    assert (top[1] >= top[0] - 1e-15).all()
    assert (top[2] >= top[1] - 1e-15).all()


def test_fast_cb_explores_less_where_the_best_loss_is_small_and_not_at_all_without_loss() -> None:
    on = np.ones((1, 2), np.bool_)
    low, high = (distribution("fast_cb", np.array([y]), on, 50.0)[0, 1] for y in ([0.99, 0.9], [0.6, 0.51]))
    assert low < high / 5
    assert distribution("fast_cb", np.array([[1.0, 0.9]]), on, 50.0).tolist() == [[1.0, 0.0]]
    # with the largest loss, 1, the two rules agree
    y = np.zeros((1, 3))
    np.testing.assert_array_equal(
        distribution("fast_cb", y, np.ones((1, 3), np.bool_), 7.0), distribution("square_cb", y, np.ones((1, 3), np.bool_), 7.0)
    )  # fmt: skip


def test_inverse_gap_weighting_bounds_regret_by_the_error_of_the_regression() -> None:
    """sum_a p(a) [f(a*) - f(a) - gamma/4 (y(a) - f(a))^2] <= 2 A / gamma for every f (Foster and Rakhlin, lemma 3)."""
    rng = np.random.default_rng(3)
    predicted, available = instances(3, rows=4000, actions=5)
    for gamma in (5.0, 50.0, 500.0):
        p = distribution("square_cb", predicted, available, gamma)
        for truth in (rng.random(predicted.shape), np.clip(predicted + rng.normal(0, 0.1, predicted.shape), 0, 1)):
            best = np.where(available, truth, -1).max(axis=1, keepdims=True)
            left = (p * (best - truth - gamma / 4 * (predicted - truth) ** 2)).sum(axis=1)
            assert (left <= 2 * available.sum(axis=1) / gamma + 1e-12).all()


def test_the_power_schedule_counts_transactions() -> None:
    predicted, available = instances(4, rows=50)
    found = distribution("square_cb", predicted, available, 10.0, first=901, power=0.5)
    for i in (0, 17, 49):
        alone = distribution("square_cb", predicted[i : i + 1], available[i : i + 1], 10.0 * (901 + i) ** 0.5)
        np.testing.assert_allclose(found[i], alone[0], rtol=1e-12)
    assert theory_gamma(10, 1000, 4.0) == pytest.approx(50.0)


def test_actions_are_drawn_with_their_probabilities() -> None:
    predicted, available = instances(5, rows=1)
    p = np.repeat(distribution("square_cb", predicted, available, 3.0), 100_000, axis=0)
    action, propensity = np.empty(100_000, np.int64), np.empty(100_000)
    kernels.draw(np.uint64(7), 1, p, action, propensity)
    share = np.bincount(action, minlength=6) / 100_000
    assert (np.abs(share - p[0]) <= 4.5 * np.sqrt(p[0] * (1 - p[0]) / 100_000)).all()
    np.testing.assert_array_equal(propensity, p[0][action])


@pytest.mark.parametrize(
    ("scheme", "parameter", "predicted", "available", "says"),
    [
        ("thompson", 1.0, [[0.5, 0.5]], [[True, True]], "exploration must be one of uniform"),
        ("epsilon_greedy", 1.5, [[0.5, 0.5]], [[True, True]], "parameter of epsilon_greedy is out of range, got 1.5"),
        ("softmax", 0.0, [[0.5, 0.5]], [[True, True]], "out of range"),
        ("square_cb", float("nan"), [[0.5, 0.5]], [[True, True]], "out of range, got nan"),
        ("square_cb", 1.0, [[0.5, 1.5]], [[True, True]], r"predicted\[0, 1\] must lie in \[0, 1\], got 1.5"),
        ("square_cb", 1.0, [[0.5, float("nan")]], [[True, True]], r"predicted\[0, 1\].*nan"),
        ("square_cb", 1.0, [[0.5, 0.5]], [[False, False]], r"available\[0\] has no feasible action"),
        ("square_cb", 1.0, [[0.5]], [[True, True]], "one shape"),
    ],
)
def test_bad_input_is_named(
    scheme: str, parameter: float, predicted: list[list[float]], available: list[list[bool]], says: str
) -> None:
    with pytest.raises(InvalidValue, match=says):
        distribution(scheme, np.array(predicted), np.array(available), parameter)
    with pytest.raises(InvalidValue, match="above 0"):
        theory_gamma(2, 10, 0.0)
