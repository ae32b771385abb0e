"""Zero-sum, maximum-entropy and correlated equilibria of matrix games."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equilibria.games.analysis import (
    correlated_equilibrium,
    correlated_gap,
    exploitability_of,
    max_entropy_nash,
    zero_sum_nash,
)
from equilibria.sim.errors import InvalidValue, NumericalError

RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=float)
CHICKEN = [[[0, 7], [2, 6]], [[0, 2], [7, 6]]]


def test_two_by_two_game_has_the_textbook_equilibrium() -> None:
    nash = zero_sum_nash([[2, -1], [-1, 1]])
    np.testing.assert_allclose(nash.row, [0.4, 0.6], atol=1e-12)
    np.testing.assert_allclose(nash.column, [0.4, 0.6], atol=1e-12)
    assert nash.value == pytest.approx(0.2, abs=1e-12)


def test_rock_paper_scissors_is_uniform_with_value_zero() -> None:
    nash = zero_sum_nash(RPS)
    np.testing.assert_allclose(nash.row, 1 / 3, atol=1e-12)
    assert nash.value == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 8), st.sampled_from([1e-6, 1.0, 1e6]))
def test_equilibrium_leaves_no_gain_at_any_scale(seed: int, m: int, k: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    # small integers make degenerate games: ties, dominated and duplicated strategies
    a = (rng.integers(-2, 3, (m, k)) + 0.5) * scale
    for nash in (zero_sum_nash(a), max_entropy_nash(a)):
        for x in (nash.row, nash.column):
            assert x.min() >= 0 and abs(x.sum() - 1) < 1e-9
        assert -1e-12 * scale <= nash.nash_conv < 1e-8 * scale


def test_cloned_rock_shares_the_mass_of_rock() -> None:
    cloned = RPS[np.ix_([0, 0, 1, 2], [0, 0, 1, 2])]
    np.testing.assert_allclose(max_entropy_nash(cloned).row, [1 / 6, 1 / 6, 1 / 3, 1 / 3], atol=1e-9)


def test_all_equal_payoffs_give_the_uniform_equilibrium() -> None:
    np.testing.assert_allclose(max_entropy_nash(np.full((3, 4), 7.0)).row, 1 / 3)


def test_no_other_equilibrium_has_more_entropy() -> None:
    rng = np.random.default_rng(3)
    s = np.sign(rng.integers(-1, 2, (12, 12)))
    s = np.triu(s, 1) - np.triu(s, 1).T
    best = max_entropy_nash(s).row
    entropy = -(best[best > 0] * np.log(best[best > 0])).sum()
    for _ in range(20):
        # vertices of the equilibrium set: LP solutions of randomly permuted copies
        order = rng.permutation(12)
        other = np.empty(12)
        other[order] = zero_sum_nash(s[np.ix_(order, order)]).row
        mixed = (best + other) / 2
        assert exploitability_of(s, mixed, mixed) < 1e-9
        assert -(mixed[mixed > 0] * np.log(mixed[mixed > 0])).sum() <= entropy + 1e-9


@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_chicken_welfare_optimum_is_one_half_quarter_quarter(concept: Any) -> None:
    joint = correlated_equilibrium(CHICKEN, concept=concept, objective="welfare")
    np.testing.assert_allclose(joint, [[0, 0.25], [0.25, 0.5]], atol=1e-9)
    assert (joint * np.sum(CHICKEN, axis=0)).sum() == pytest.approx(10.5)


@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_chicken_maximum_gini_is_5_10_10_9_of_34(concept: Any) -> None:
    joint = correlated_equilibrium(CHICKEN, concept=concept)
    np.testing.assert_allclose(joint, np.array([[5, 10], [10, 9]]) / 34, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2), (6, 6), (1, 3)])
@pytest.mark.parametrize("objective", ["gini", "welfare", "random"])
@pytest.mark.parametrize("zero_sum", [False, True])
def test_selected_joint_distribution_has_no_gap(shape: tuple[int, ...], objective: Any, zero_sum: bool) -> None:
    rng = np.random.default_rng(5)
    u = [rng.normal(size=shape).round(1) for _ in shape]
    if zero_sum:
        u[-1] = -np.sum(u[:-1], axis=0)
    ce = correlated_equilibrium(u, concept="ce", objective=objective, rng=rng)
    cce = correlated_equilibrium(u, concept="cce", objective=objective, rng=rng)
    assert correlated_gap(u, ce).ce_total < 1e-7
    assert correlated_gap(u, cce).cce_total < 1e-7


def test_least_squares_selection_beats_every_vertex() -> None:
    rng = np.random.default_rng(8)
    u = [rng.normal(size=(5, 5)).round() for _ in range(2)]
    best = (correlated_equilibrium(u) ** 2).sum()
    for _ in range(20):
        vertex = correlated_equilibrium(u, objective="random", rng=rng)
        for share in (0.0, 0.5, 0.9):
            mixed = share * correlated_equilibrium(u) + (1 - share) * vertex
            assert (mixed**2).sum() >= best - 1e-9


def test_gap_of_a_pure_profile_is_the_best_deviation() -> None:
    gap = correlated_gap(CHICKEN, [[1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(gap.ce, [2, 2])
    np.testing.assert_allclose(gap.cce, [2, 2])


def test_bad_payoffs_are_refused_by_name() -> None:
    with pytest.raises(NumericalError, match=r"entry \[0, 1\]"):
        zero_sum_nash([[0.0, np.nan]])
    with pytest.raises(InvalidValue, match="at least one row"):
        zero_sum_nash(np.zeros((0, 2)))
    with pytest.raises(InvalidValue, match="one shape"):
        correlated_equilibrium([np.zeros((2, 2)), np.zeros((2, 3))])
    with pytest.raises(InvalidValue, match="needs rng"):
        correlated_equilibrium(CHICKEN, objective="random")
    with pytest.raises(InvalidValue, match=r"sum 0\.5"):
        correlated_gap(CHICKEN, [[0.5, 0.0], [0.0, 0.0]])
