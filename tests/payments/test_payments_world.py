"""The payment world: chances by formula, feasible sets, counted random numbers, drift, named errors."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from equilibria.games.payments.settings import PaymentsSettings
from equilibria.games.payments.world import PaymentsWorld
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def world(seed: int = 3, **change: object) -> PaymentsWorld:
    return PaymentsWorld(PaymentsSettings.model_validate(change), seeds=SeedTree(seed))


def test_chances_are_the_formula() -> None:
    w = world(batch=500)
    batch = w.generation(2)
    z = 2.0 + w.by_issuer[batch.issuer][:, None] + batch.features @ w.weights(2).T + w.pairs.T[batch.issuer]
    np.testing.assert_allclose(batch.chance, 1 / (1 + np.exp(-z)), rtol=1e-12)
    np.testing.assert_array_equal(batch.best, [max(c[a]) for c, a in zip(batch.chance, batch.available, strict=True)])


def test_transactions_have_the_laws_they_claim() -> None:
    batch = world(batch=40_000).generation(1)
    n = len(batch.issuer)
    assert np.abs(batch.features.mean(axis=0)).max() < 4.5 / np.sqrt(n)
    assert np.abs((batch.features**2).mean(axis=0) - 1).max() < 4.5 * np.sqrt(2 / n)
    counts = np.bincount(batch.issuer, minlength=20)
    assert np.abs(counts / n - 0.05).max() < 4.5 * np.sqrt(0.05 * 0.95 / n)
    assert batch.available.sum(axis=1).min() >= 2
    assert np.abs(batch.available.mean(axis=0) - 0.7).max() < 4.5 * np.sqrt(0.21 / n) + 1e-4
    assert abs(batch.late.mean() - 0.1) < 4.5 * np.sqrt(0.09 / n)
    action = batch.available.argmax(axis=1)
    chance = batch.chance[np.arange(n), action]
    error = np.sqrt((chance * (1 - chance)).sum()) / n
    assert abs(batch.outcome(action).mean() - chance.mean()) < 4.5 * error


def test_generations_are_pure_functions_of_seed_and_number() -> None:
    large, small = world(batch=300), world(batch=100)
    large.generation(5)
    for name in ("features", "issuer", "available", "late", "chance", "coin"):
        np.testing.assert_array_equal(
            getattr(large.generation(2), name)[:100], getattr(small.generation(2), name), err_msg=name
        )
    assert not np.array_equal(small.generation(1).coin, small.generation(2).coin)
    assert not np.array_equal(small.generation(1).coin, small.judges(100, 1).coin)


def test_drift_is_a_random_walk_of_the_weights() -> None:
    still, moving = world(), world(drift=0.02)
    np.testing.assert_array_equal(still.weights(0), still.weights(9))
    np.testing.assert_array_equal(still.weights(0), moving.weights(0))
    steps = np.diff([moving.weights(g) for g in range(41)], axis=0)
    assert steps.std() == pytest.approx(0.02, rel=0.05)
    assert np.corrcoef(steps[1:].ravel(), steps[:-1].ravel())[0, 1] == pytest.approx(0.0, abs=0.08)
    assert np.array_equal(moving.judges(10, 7).chance, moving.judges(10, 7).chance)
    assert not np.array_equal(moving.judges(10, 7).chance, moving.judges(10, 8).chance)


def test_infeasible_actions_are_named() -> None:
    batch = world(batch=50).generation(1)
    action = (~batch.available).argmax(axis=1)
    i = int(np.flatnonzero(~batch.available.all(axis=1))[0])
    with pytest.raises(InvalidValue, match=rf"action\[{i}\] must be one of the feasible \[.*\], got {action[i]}"):
        batch.outcome(action)
    with pytest.raises(InvalidValue, match="count from 1"):
        world().generation(0)


def test_settings_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValidationError, match="least_actions must be at most actions"):
        world(actions=3, least_actions=4)
    with pytest.raises(ValidationError, match="raise availability"):
        world(availability=0.01, least_actions=5)
