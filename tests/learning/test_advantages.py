"""Advantages, their normalisation and the normalisation of values: known answers and bad input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from equilibria.agents.learning.advantages import advantages, normalised
from equilibria.agents.learning.value_norm import ValueNorm
from equilibria.sim.errors import InvalidValue, NumericalError

NEVER = np.zeros(3, dtype=bool)


def test_three_steps_give_the_known_advantages() -> None:
    found, targets = advantages([1, 0, 2], [0.5, 1, 1.5, 2], NEVER, discount=0.9, trace=0.8)
    np.testing.assert_allclose(found, [2.84432, 2.006, 2.3], atol=1e-12)
    np.testing.assert_allclose(targets, [3.34432, 3.006, 3.8], atol=1e-12)


def test_one_step_advantages_are_the_temporal_differences() -> None:
    found, _ = advantages([1, 0, 2], [0.5, 1, 1.5, 2], NEVER, discount=0.9, trace=0.0)
    np.testing.assert_allclose(found, [1.4, 0.35, 2.3], atol=1e-12)


def test_targets_without_values_are_the_sums_of_rewards_to_the_end() -> None:
    rng = np.random.default_rng(0)
    rewards, over = rng.normal(size=(50, 3, 2)), rng.random((50, 3, 2)) < 0.1
    _, targets = advantages(rewards, np.zeros((51, 3, 2)), over, discount=1.0, trace=1.0)
    total, expected = np.zeros((3, 2)), np.zeros_like(rewards)
    for t in reversed(range(50)):
        total = rewards[t] + np.where(over[t], 0.0, total)
        expected[t] = total
    np.testing.assert_allclose(targets, expected, atol=1e-12)


def test_nothing_follows_a_terminal_step() -> None:
    over = np.array([False, True, False])
    found, _ = advantages([1, 0, 2], [0.5, 1, 1.5, 2], over, discount=0.9, trace=0.8)
    np.testing.assert_allclose(found, [1.4 + 0.72 * -1.0, -1.0, 2.3], atol=1e-12)


def test_a_truncated_step_looks_at_the_last_observation_and_not_beyond() -> None:
    cut = np.array([False, True, False])
    last = np.array([np.nan, 7.0, np.nan])  # values where nothing is truncated are not read
    found, _ = advantages([1, 0, 2], [0.5, 1, 1.5, 2], NEVER, truncated=cut, final_values=last, discount=0.9, trace=0.8)
    np.testing.assert_allclose(found[1], 0.9 * 7.0 - 1.0, atol=1e-12)
    np.testing.assert_allclose(found[0], 1.4 + 0.72 * found[1], atol=1e-12)


def test_a_terminal_step_at_the_time_limit_is_terminal() -> None:
    both = np.array([True])
    found, _ = advantages([1.0], [0.0, 5.0], both, truncated=both, final_values=[9.0])
    assert found.tolist() == [1.0]


def test_one_state_under_a_time_limit_is_worth_ten_only_with_bootstrapping() -> None:
    # reward 1 per step, gamma .9: worth 10 for ever; a critic that has converged sees 10 everywhere
    steps = 100
    cut = (np.arange(steps) + 1) % 10 == 0
    over = np.zeros(steps, dtype=bool)

    def fixed_point(mode: str) -> float:
        value = 0.0
        for _ in range(400):
            _, targets = advantages(
                np.ones(steps), np.full(steps + 1, value), over, truncated=cut,
                final_values=np.full(steps, value), discount=0.9, time_limit=mode,  # type: ignore[arg-type]
            )  # fmt: skip
            value = float(targets.mean())
        return value

    assert fixed_point("bootstrap") == pytest.approx(10, abs=0.05)
    assert fixed_point("terminal") < 7


def test_absent_agents_change_nothing_whatever_their_entries_hold() -> None:
    rng = np.random.default_rng(1)
    rewards, values = rng.normal(size=(20, 4, 3)), rng.normal(size=(21, 4, 3))
    active = np.arange(21)[:, None, None] < rng.integers(1, 22, (4, 3))  # agents die and stay dead
    over = np.zeros(rewards.shape, dtype=bool)
    clean = advantages(rewards, values, over, active=active)
    for filler in (1e6, np.nan):
        found = advantages(
            np.where(active[:-1], rewards, filler), np.where(active, values, filler), over, active=active
        )
        assert all(np.array_equal(a, b) for a, b in zip(found, clean, strict=True))
        spread = normalised(np.where(active[:-1], clean[0], filler), active[:-1])
        np.testing.assert_array_equal(spread, normalised(clean[0], active[:-1]))
    assert not clean[0][~active[:-1]].any()


def test_an_agent_that_dies_earns_nothing_afterwards() -> None:
    active = np.array([True, True, False, False])
    found, _ = advantages([1, 0, 2], [0.5, 1, 1.5, 2], NEVER, active=active, discount=0.9, trace=0.8)
    np.testing.assert_allclose(found, [1.4 - 0.72, -1.0, 0.0], atol=1e-12)


def test_normalised_advantages_have_mean_0_and_deviation_1() -> None:
    x = np.random.default_rng(0).normal(3, 5, size=(40, 6, 2)) * np.array([1, 100])
    whole, each = normalised(x), normalised(x, mode="per_agent")
    assert whole.mean() == pytest.approx(0, abs=1e-12)
    assert whole.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(each.std(axis=(0, 1)), 1, atol=1e-5)
    assert whole[..., 0].std() < 0.1  # one deviation for both agents drowns the small one
    np.testing.assert_array_equal(normalised(x, mode="none"), x)


def test_one_entry_or_no_spread_only_loses_its_mean() -> None:
    assert normalised([4.0, 4.0, 4.0]).tolist() == [0.0, 0.0, 0.0]
    assert normalised([4.0, 9.0], [True, False]).tolist() == [0.0, 0.0]
    assert normalised([4.0, 9.0], [False, False]).tolist() == [0.0, 0.0]


BAD: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: advantages([1, 0, 2], [0, 0, 0], NEVER), InvalidValue, r"values must have shape \(4,\), got \(3,\)"),
    (lambda: advantages([1, 0, 2], np.zeros(4), NEVER[:2]), InvalidValue, "terminated must have shape"),
    (lambda: advantages(np.zeros(0), [0], []), InvalidValue, "T >= 1"),
    (lambda: advantages([1, 0, 2], np.zeros(4), NEVER, discount=1.1), InvalidValue, r"discount must lie in \[0, 1\]"),
    (lambda: advantages([1, 0, 2], np.zeros(4), NEVER, truncated=~NEVER), InvalidValue, "final_values is missing"),
    (
        lambda: advantages(np.array([[1, 1], [1, np.nan]]), np.zeros((3, 2)), np.zeros((2, 2))),
        NumericalError,
        r"reward became nan at unit 1 \(entry \[1\]\)",
    ),
    (lambda: advantages([1.0], [0, np.inf], [False]), NumericalError, "value became inf at unit 1"),
    (lambda: normalised([1.0], mode="agent"), InvalidValue, "mode must be"),  # type: ignore[arg-type]
    (lambda: ValueNorm(decay=1.0), InvalidValue, "decay"),
    (lambda: ValueNorm(var_floor=0), InvalidValue, "var_floor"),
    (lambda: ValueNorm().update([np.nan]), NumericalError, "return became nan"),
    (lambda: ValueNorm().update([1.0], [True, False]), InvalidValue, "active must have the shape"),
    (lambda: ValueNorm().load(ValueNorm(decay=0.9).save()), InvalidValue, "belongs to"),
]


@pytest.mark.parametrize(("call", "error", "says"), BAD)
def test_bad_input_is_refused_by_name(call: Callable[[], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize("decay", [0.99999, 0.999])
def test_one_update_gives_the_exact_mean_and_variance(decay: float) -> None:
    x = np.random.default_rng(0).normal(-7, 3, size=(50, 4))
    norm = ValueNorm(decay=decay)
    norm.update(x)
    assert norm.mean == pytest.approx(x.mean(), abs=1e-9)
    assert norm.variance == pytest.approx(x.var(), abs=1e-8)
    np.testing.assert_allclose(norm.denormalise(norm.normalise(x)), x, atol=1e-9)
    assert norm.normalise(x).std() == pytest.approx(1, abs=1e-6)


def test_the_variance_has_a_floor() -> None:
    norm = ValueNorm()
    norm.update([2.0, 2.0])
    assert norm.variance == 1e-2
    assert ValueNorm(var_floor=0.5).variance == 0.5


def test_two_updates_weigh_the_later_one_more() -> None:
    norm = ValueNorm(decay=0.5)
    norm.update([0.0])
    norm.update([3.0])
    assert norm.mean == pytest.approx(2.0, abs=1e-12)  # weights 1/4 and 1/2


def test_inactive_returns_are_not_counted_and_an_empty_batch_changes_nothing() -> None:
    norm = ValueNorm()
    norm.update([1.0, 3.0, np.nan], [True, True, False])
    before = norm.save().arrays["sums"].tobytes()
    norm.update([np.nan], [False])
    assert norm.mean == pytest.approx(2.0, abs=1e-9)
    assert norm.save().arrays["sums"].tobytes() == before


def test_restored_value_norm_goes_on_bit_identically() -> None:
    a, b = ValueNorm(), ValueNorm()
    a.update([1.0, 2.0])
    b.load(a.save())
    for norm in (a, b):
        norm.update([5.0, -1.0])
    assert a.save().arrays["sums"].tobytes() == b.save().arrays["sums"].tobytes()
