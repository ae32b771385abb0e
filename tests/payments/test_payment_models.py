"""Gradient boosted trees and logistic regressions by action: splits against brute force, known answers, state."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.contextual.allocator import maximum_a_posteriori
from equilibria.agents.payments import tree_kernels as kernels
from equilibria.agents.payments.logistic import LogisticByAction, regression
from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.agents.payments.trees import GradientTrees
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def settings(**change: Any) -> PaymentBanditSettings:
    return PaymentBanditSettings.model_validate(change)


def data(seed: int, n: int = 4000) -> tuple[Any, Any, Any, Any, Any]:
    """A chance that depends on one feature, the issuer and, for action 2, on another feature."""
    rng = np.random.default_rng(seed)
    x, issuer, action = rng.normal(size=(n, 3)), rng.integers(4, size=n), rng.integers(3, size=n)
    z = 1.0 + np.array([0.8, -0.8, 0.3, 0.0])[issuer] + 1.2 * (x[:, 0] > 0) + 1.5 * (action == 2) * x[:, 1]
    chance = 1 / (1 + np.exp(-z))
    return x, issuer, action, (rng.random(n) < chance).astype(np.float64), chance


def test_the_best_split_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(1)
    kinds, widths = np.array([kernels.NUMERIC, kernels.CATEGORICAL]), np.array([6, 6])
    for trial in range(100):
        n = 200
        bins = rng.integers(6, size=(2, n)).astype(np.uint8)
        slope, curvature = rng.normal(size=n), rng.uniform(0.05, 0.25, n)
        if trial % 2:
            slope += np.array([0.5, -1, 0.2, 0.9, 0, 0.3])[bins[1]]
        hist = np.zeros((2, kernels.BINS, 3))
        kernels.histogram(bins, np.arange(n), slope, curvature, widths, hist)
        threshold, bits = np.zeros(1, np.int64), np.zeros(4, np.uint64)
        total = (float(slope.sum()), float(curvature.sum()), float(n))
        gain, column = kernels.best_split(hist, kinds, widths, total, 20, threshold, bits)

        def value(left: Any, slope: Any = slope, curvature: Any = curvature, total: Any = total) -> float:
            g, h = slope[left].sum(), curvature[left].sum()
            if left.sum() < 20 or (~left).sum() < 20:
                return 0.0
            return float(g**2 / h + (total[0] - g) ** 2 / (total[1] - h) - total[0] ** 2 / total[1])

        numeric = max(value(bins[0] <= k) for k in range(5))
        sets = itertools.chain.from_iterable(itertools.combinations(range(6), k) for k in range(1, 6))
        grouped = max(value(np.isin(bins[1], s)) for s in sets)
        left = (
            bins[0] <= threshold[0]
            if column == 0
            else np.array([(int(bits[0]) >> int(b)) & 1 for b in bins[1]], np.bool_)
        )
        assert value(left) == pytest.approx(gain, abs=1e-9)
        # categories are ordered by a smoothed mean slope: never above all groupings, never below the numeric best
        assert numeric - 1e-9 <= gain <= max(numeric, grouped) + 1e-9
        if column == 1:
            assert gain >= 0.9 * grouped


def test_one_tree_on_one_category_gives_newton_steps_of_the_groups() -> None:
    rng = np.random.default_rng(2)
    n = 900
    action = rng.integers(3, size=n)
    reward = (rng.random(n) < np.array([0.2, 0.5, 0.9])[action]).astype(np.float64)
    model = GradientTrees(1, 3, settings(iterations=1, leaves=3, rate=1.0, patience=0))
    model.fit(np.zeros((n, 1)), np.zeros(n, np.int64), action, reward, SeedTree(0))
    mean = reward.mean()
    found = model.predict(np.zeros((1, 1)), np.zeros(1, np.int64), np.ones((1, 3), np.bool_))[0]
    step = np.array([(reward[action == a].mean() - mean) / (mean * (1 - mean)) for a in range(3)])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + step))), rtol=1e-9)


@pytest.mark.parametrize("kind", [GradientTrees, LogisticByAction])
def test_models_come_near_the_true_chances(kind: type[GradientTrees]) -> None:
    x, issuer, action, reward, _ = data(3, 20_000)
    model = kind(4, 3, settings())
    model.fit(x, issuer, action, reward, SeedTree(1))
    x, issuer, action, _, chance = data(4, 4000)
    found = model.predict(x, issuer, np.ones((4000, 3), np.bool_))[np.arange(4000), action]
    assert np.sqrt(np.mean((found - chance) ** 2)) < 0.06  # the step in the first feature is not logistic
    assert np.sqrt(np.mean((chance.mean() - chance) ** 2)) > 0.12


def test_early_stopping_keeps_few_trees_of_noise() -> None:
    rng = np.random.default_rng(5)
    x, issuer, action = rng.normal(size=(3000, 4)), rng.integers(4, size=3000), rng.integers(3, size=3000)
    reward = (rng.random(3000) < 0.8).astype(np.float64)
    stopped, full = GradientTrees(4, 3, settings()), GradientTrees(4, 3, settings(patience=0, iterations=40))
    for model in (stopped, full):
        model.fit(x, issuer, action, reward, SeedTree(1))
    assert stopped.trees < 25
    assert full.trees == 40


def test_leaves_hold_enough_observations_and_there_are_not_more_than_allowed() -> None:
    x, issuer, action, reward, _ = data(6, 1000)
    model = GradientTrees(4, 3, settings(iterations=5, leaves=8, least_samples=50, patience=0, rate=1.0))
    model.fit(x, issuer, action, reward, SeedTree(1))
    found = model.predict(x, issuer, np.eye(3, dtype=np.bool_)[action]).sum(axis=1)
    for tree in model.arrays()["column"]:
        assert (tree >= 0).sum() <= 7
    one = GradientTrees(4, 3, settings(iterations=1, leaves=8, least_samples=50, patience=0))
    one.fit(x, issuer, action, reward, SeedTree(1))
    leaves = np.unique(one.predict(x, issuer, np.eye(3, dtype=np.bool_)[action]).sum(axis=1), return_counts=True)[1]
    assert len(leaves) <= 8
    assert leaves.min() >= 50
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", [GradientTrees, LogisticByAction])
@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_without_variation_give_a_constant(kind: type[GradientTrees], reward: float) -> None:
    x, issuer, action, _, _ = data(7, 200)
    model = kind(4, 3, settings())
    model.fit(x, issuer, action, np.full(200, reward), SeedTree(1))
    found = model.predict(x, issuer, np.ones((200, 3), np.bool_))
    assert np.abs(found - reward).max() < 0.2
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("kind", [GradientTrees, LogisticByAction])
def test_models_come_back_from_their_arrays(kind: type[GradientTrees]) -> None:
    x, issuer, action, reward, _ = data(8, 1000)
    model, again = kind(4, 3, settings(iterations=5)), kind(4, 3, settings(iterations=5))
    model.fit(x, issuer, action, reward, SeedTree(1))
    again.restore(model.arrays())
    on = np.random.default_rng(1).random((1000, 3)) < 0.7
    np.testing.assert_array_equal(model.predict(x, issuer, on), again.predict(x, issuer, on))
    assert not model.predict(x, issuer, on)[~on].any()
    with pytest.raises(InvalidValue, match="the model is fitted to"):
        model.predict(x[:, :2], issuer, on)


def test_broken_data_are_named() -> None:
    x, issuer, action, reward, _ = data(9, 50)
    model = GradientTrees(4, 3, settings())
    with pytest.raises(InvalidValue, match="equally many"):
        model.fit(x[:-1], issuer, action, reward, SeedTree(1))
    x[7, 1] = np.nan
    with pytest.raises(InvalidValue, match=r"features\[7, 1\] must be finite, got nan"):
        model.fit(x, issuer, action, reward, SeedTree(1))


@pytest.mark.parametrize("actions", [3, 70])
def test_predictions_are_those_of_walking_down_every_tree_alone(actions: int) -> None:
    """Feasible actions of a row walk together; more than 64 of them take several words of bits."""
    rng = np.random.default_rng(actions)
    n = 3000
    x, issuer, action = rng.normal(size=(n, 2)), rng.integers(4, size=n), rng.integers(actions, size=n)
    z = x[:, 0] + np.where(action % 3 == 0, 1.5, -1.0) * (issuer > 1)
    reward = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(np.float64)
    model = GradientTrees(4, actions, settings(iterations=15, patience=0, least_samples=5))
    model.fit(x, issuer, action, reward, SeedTree(0))
    available = rng.random((40, actions)) < 0.6
    available[0] = False
    found, m = model.predict(x[:40], issuer[:40], available), model.arrays()
    assert (m["column"] == 3).any()
    for i, a in np.argwhere(available):
        row = [int(np.searchsorted(m[f"cut{j}"], x[i, j], side="left")) for j in range(2)] + [int(issuer[i]), int(a)]
        score = float(m["first"][0])
        for t in range(15):
            node = 0
            while (f := int(m["column"][t, node])) >= 0:
                b = row[f]
                on_left = b <= m["threshold"][t, node] if f < 2 else (int(m["bits"][t, node, b >> 6]) >> (b & 63)) & 1
                node = int(m["left" if on_left else "right"][t, node])
            score += float(m["value"][t, node])
        assert found[i, a] == pytest.approx(1 / (1 + np.exp(-score)), rel=1e-14)
    assert (found[~available] == 0).all()


def test_a_regression_with_indicators_is_the_one_on_dense_columns() -> None:
    rng = np.random.default_rng(5)
    n, d, groups = 500, 3, 4
    x, group = rng.normal(size=(n, d)), rng.integers(groups, size=n)
    reward = (rng.random(n) < 1 / (1 + np.exp(-2 * x[:, 0] - group))).astype(np.float64)
    rows = np.flatnonzero(rng.random(n) < 0.5)
    prior, precision = rng.normal(size=1 + d + groups), rng.uniform(0.1, 5.0, 1 + d + groups)
    dense = np.column_stack([np.ones(n), x, np.eye(groups)[group]])
    found = regression(x, group, reward, rows, prior, precision)
    np.testing.assert_allclose(found, maximum_a_posteriori(dense[rows], reward[rows], prior, precision), atol=1e-9)
    chance = 1 / (1 + np.exp(-dense[rows] @ found))
    slope = (chance - reward[rows]) @ dense[rows] + precision * (found - prior)
    assert np.abs(slope).max() < 1e-5


def test_data_that_cannot_be_fitted_to_is_named_by_both_models() -> None:
    x, issuer, action, reward, _ = data(1, 50)
    for model in (LogisticByAction(4, 3), GradientTrees(4, 3)):
        with pytest.raises(InvalidValue, match="equally many"):
            model.fit(x, issuer[:10], action, reward, SeedTree(0))
        broken = x.copy()
        broken[7, 1] = np.nan
        with pytest.raises(InvalidValue, match=r"features\[7, 1\] must be finite, got nan"):
            model.fit(broken, issuer, action, reward, SeedTree(0))
        model.fit(x, issuer, action, reward, SeedTree(0))
        with pytest.raises(InvalidValue, match="fitted to 3 features, got 2"):
            model.predict(x[:, :2], issuer, np.ones((50, 3), np.bool_))
