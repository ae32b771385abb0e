"""The update on one simplex: identities from the formula, random input, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.mirror.simplex import mmd_step
from equilibria.sim.errors import InvalidValue


def _random(rng: np.random.Generator, size: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rng.dirichlet(np.ones(size)), rng.dirichlet(np.ones(size)), rng.normal(size=size) * 3


@pytest.mark.parametrize("seed", range(20))
def test_temperature_zero_is_multiplicative_weights(seed: int) -> None:
    policy, _, q = _random(np.random.default_rng(seed))
    for _ in range(5):
        expected = policy * np.exp(0.3 * q)
        policy = mmd_step(policy, q, eta=0.3)
        np.testing.assert_allclose(policy, expected / expected.sum(), rtol=1e-13)


@pytest.mark.parametrize("seed", range(20))
def test_magnet_at_the_policy_is_mirror_descent_with_a_smaller_step(seed: int) -> None:
    policy, _, q = _random(np.random.default_rng(seed))
    eta, alpha = 0.7, 1.3
    step = mmd_step(policy, q, eta=eta, alpha=alpha, magnet=policy)
    np.testing.assert_allclose(step, mmd_step(policy, q, eta=eta / (1 + eta * alpha)), rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_infinite_step_reaches_the_quantal_response(seed: int) -> None:
    policy, magnet, q = _random(np.random.default_rng(seed))
    response = magnet * np.exp(q / 0.8)
    step = mmd_step(policy, q, eta=1e12, alpha=0.8, magnet=magnet)
    np.testing.assert_allclose(step, response / response.sum(), rtol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_constants_do_not_matter_and_actions_have_no_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy, magnet, q = _random(rng)
    step = mmd_step(policy, q, eta=0.5, alpha=0.2, magnet=magnet)
    shifted = mmd_step(policy, np.float64(q + 4.0), eta=0.5, alpha=0.2, magnet=magnet)
    assert np.abs(step - shifted).max() < 1e-14
    order = rng.permutation(4)
    permuted = mmd_step(policy[order], q[order], eta=0.5, alpha=0.2, magnet=magnet[order])
    np.testing.assert_allclose(permuted, step[order], rtol=1e-13)


def test_huge_values_neither_overflow_nor_lose_the_floor() -> None:
    step = mmd_step([0.5, 0.5], [1e6, -1e6], eta=10.0, floor=1e-10)
    assert step[1] == pytest.approx(1e-10, rel=1e-6)
    assert mmd_step([0.5, 0.5], [1e6, -1e6], eta=10.0).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"eta": 0.0}, "eta .* must be positive"),
        ({"eta": float("nan")}, "eta .* must be positive"),
        ({"alpha": -1.0}, "alpha .* must be non-negative"),
        ({"floor": 0.5}, "floor must lie in"),
        ({"q": [1.0, float("nan")]}, "q must be finite"),
        ({"q": []}, "non-empty vector"),
        ({"policy": [0.7, 0.7]}, "policy must be a distribution"),
        ({"policy": [1.0]}, "policy must have shape"),
        ({"magnet": [1.0, 0.0]}, "magnet must not contain zeros"),
        ({"magnet": [-0.5, 1.5]}, "magnet must be a distribution"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], text: str) -> None:
    arguments: dict[str, object] = {"policy": [0.5, 0.5], "q": [0.0, 1.0], "eta": 1.0, "alpha": 0.1, **change}
    policy, q = arguments.pop("policy"), arguments.pop("q")
    with pytest.raises(InvalidValue, match=text):
        mmd_step(policy, q, **arguments)  # type: ignore[arg-type]
