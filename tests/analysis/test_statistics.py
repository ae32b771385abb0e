"""Statistics of runs against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equilibria.sim.analysis.statistics import (
    bootstrap_interval,
    holm,
    paired_difference,
    sign_flip_test,
    smallest_p,
)
from equilibria.sim.errors import InvalidValue, NumericalError

FLOATS = st.floats(-1e6, 1e6, allow_nan=False)


def test_sign_flip_p_of_n_equal_signs_is_two_to_the_one_minus_n() -> None:
    for n in (1, 2, 5, 6, 10):
        p, exact = sign_flip_test(np.arange(1.0, n + 1))
        assert exact
        assert p == smallest_p(n) == 2.0 ** (1 - n)


def test_sign_flip_p_of_a_hand_counted_case() -> None:
    # |sum| of (+-1, +-2, +-4): the observed 1 + 2 - 4 = -1 is the least possible size, so every vector counts.
    assert sign_flip_test([1.0, 2.0, -4.0]) == (1.0, True)
    # (1, 4, -2): size 3; sizes 7, 5, 3, 1 occur twice each, six of eight are at least 3.
    assert sign_flip_test([1.0, 4.0, -2.0]) == (0.75, True)


def test_sign_flip_p_is_not_moved_by_rounding_of_the_sum() -> None:
    p, _ = sign_flip_test([0.1, 0.2, 0.3, 1e-17])
    assert p == 0.25


def test_sampled_sign_flip_test_agrees_with_the_exact_one() -> None:
    data = np.random.default_rng(1).normal(0.3, 1.0, 14)
    exact_p, exact = sign_flip_test(data)
    sampled_p, sampled_exact = sign_flip_test(np.append(data, 0.0))  # a zero pair changes no sum
    assert exact
    assert not sampled_exact
    assert sampled_p == pytest.approx(exact_p, abs=0.012)


def test_no_pair_reaches_five_percent_before_six() -> None:
    assert smallest_p(5) > 0.05 >= smallest_p(6)


def test_bootstrap_is_deterministic_and_contains_the_mean() -> None:
    data = np.random.default_rng(3).normal(2.0, 1.0, 20)
    first, second = bootstrap_interval(data), bootstrap_interval(data)
    assert first == second
    assert first.low < data.mean() < first.high
    # Width of a normal interval: 2 * 1.96 * s / sqrt(n); the bootstrap is near it for 20 normal values.
    normal = 2 * 1.96 * data.std(ddof=1) / math.sqrt(20)
    assert first.high - first.low == pytest.approx(normal, rel=0.2)


def test_bootstrap_covers_the_true_mean_about_as_often_as_promised() -> None:
    generator = np.random.default_rng(5)
    hits = sum(bootstrap_interval(generator.exponential(1.0, 30)).contains(1.0) for _ in range(60))
    assert hits >= 50  # 95 % promised; 50 of 60 has probability below 1e-3 under a coverage of 94 %


def test_constant_and_single_values_have_no_statistical_interval() -> None:
    assert bootstrap_interval([2.0, 2.0, 2.0]).method == "constant"
    single = bootstrap_interval([2.0])
    assert (single.method, single.low, single.high) == ("none", 2.0, 2.0)


def test_median_interval_uses_percentiles() -> None:
    interval = bootstrap_interval([1.0, 2.0, 3.0, 4.0, 50.0], statistic="median")
    assert interval.method == "percentile bootstrap"
    assert interval.low <= 3.0 <= interval.high


def test_pairing_cancels_what_the_seeds_share() -> None:
    common = np.random.default_rng(2).normal(0, 10, 12)
    noise = np.random.default_rng(4).normal(0, 0.1, 12)
    result = paired_difference(common + 1 + noise, common)
    assert result.interval.low > 0.8
    assert result.interval.high < 1.2
    assert result.p_value <= 0.001


def test_ratio_is_that_of_geometric_means() -> None:
    result = paired_difference([1.0, 4.0], [2.0, 32.0])
    assert result.ratio == pytest.approx(0.25)  # sqrt(1/2 * 1/8)
    assert paired_difference([0.0, 1.0], [1.0, 1.0]).ratio is None


def test_values_that_no_seed_changes_are_recognised() -> None:
    assert paired_difference([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]).seed_free
    assert not paired_difference([1.0, 2.0], [2.0, 3.0]).seed_free
    assert not paired_difference([1.0], [2.0]).seed_free


def test_holm_adjusts_in_order_of_size() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_bad_samples_are_named() -> None:
    with pytest.raises(NumericalError, match="value 1 of the sample"):
        bootstrap_interval([1.0, math.inf])
    with pytest.raises(InvalidValue, match="non-empty"):
        bootstrap_interval([])
    with pytest.raises(InvalidValue, match="one length, got 2 and 1"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(InvalidValue, match="confidence"):
        bootstrap_interval([1.0, 2.0], confidence=1.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=9))
def test_swapping_the_sides_mirrors_the_result(pairs: list[tuple[float, float]]) -> None:
    a, b = [p[0] for p in pairs], [p[1] for p in pairs]
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert there.difference == -back.difference
    assert there.p_value == back.p_value
    assert (there.lower_pairs, there.higher_pairs) == (back.higher_pairs, back.lower_pairs)
    assert there.interval.low <= there.interval.high
