"""Golden examples of the literature, and named errors for bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from equilibria import mechanisms as m
from equilibria.sim.errors import InvalidValue

CLICKS = np.array([200.0, 100.0])


def test_a_bid_equal_to_the_reserve_wins_at_the_reserve() -> None:
    out = m.second_price(reserve=0.5).allocate_and_price([[0.5, 0.2]])
    assert (out.winner[0, 0], out.revenue[0]) == (0, 0.5)


def test_second_price_pays_the_larger_of_second_bid_and_reserve() -> None:
    out = m.second_price(reserve=0.5).allocate_and_price([[0.9, 0.2], [0.9, 0.7]])
    assert out.revenue.tolist() == [0.5, 0.7]


def test_soft_floor_is_first_price_below_and_second_price_above() -> None:
    rule = m.second_price(reserve=0.2, soft_floor=0.6)
    assert rule.allocate_and_price([[0.5, 0.3], [0.8, 0.3], [0.8, 0.7], [0.1, 0.0]]).revenue.tolist() == [
        0.5, 0.6, 0.7, 0.0,
    ]  # fmt: skip


def test_lazy_and_eager_personal_reserves_differ_when_the_top_bidder_fails() -> None:
    bids, reserve = [[0.8, 0.5]], [0.9, 0.3]
    assert m.second_price(reserve=reserve, reserve_mode="lazy").allocate_and_price(bids).winner[0, 0] == -1
    eager = m.second_price(reserve=reserve).allocate_and_price(bids)
    assert (eager.winner[0, 0], eager.revenue[0]) == (1, 0.3)


def test_clocks_converge_to_first_and_second_price() -> None:
    bids = np.random.default_rng(1).random((200, 4))
    for clock, limit in ((m.dutch, m.first_price), (m.english, m.second_price)):
        exact = limit().allocate_and_price(bids).revenue
        for step in (1e-2, 1e-4):
            # one step of the clock is the largest distance of the two prices
            assert np.abs(clock(clock_step=step).allocate_and_price(bids).revenue - exact).max() <= step * (1 + 1e-9)


def test_zero_bidders_is_an_unsold_item() -> None:
    out = m.first_price().allocate_and_price(np.zeros((2, 0)))
    assert (out.winner.tolist(), out.revenue.tolist()) == ([[-1], [-1]], [0.0, 0.0])


def test_position_golden_example() -> None:
    bids = [[10.0, 4.0, 2.0]]
    ctr = (CLICKS / 200).tolist()
    assert (200 * m.gsp(ctr=ctr).allocate_and_price(bids).pay[0]).tolist() == [800, 200, 0]
    assert (200 * m.vcg_position(ctr=ctr).allocate_and_price(bids).pay[0]).tolist() == [600, 200, 0]


def test_gsp_pays_the_next_score_over_the_own_quality_per_click() -> None:
    out = m.gsp(ctr=[0.5], quality=[2.0, 1.0]).allocate_and_price([[3.0, 4.0]])
    assert (out.price[0, 0], out.pay[0, 0]) == (2.0, 2.0)  # price 4 / 2, 0.5 x 2 clicks


def test_vcg_revenue_is_not_monotone_in_bidders() -> None:
    rule = m.combinatorial(items=2)
    three = rule.allocate_and_price([[3], [1], [2]], [[2.0], [2.0], [2.0]])
    assert (three.winner[0].tolist(), three.revenue[0], three.welfare[0]) == ([1, 2], 0.0, 4.0)
    two = rule.allocate_and_price([[3], [1]], [[2.0], [2.0]])
    assert (two.welfare[0], two.revenue[0]) == (2.0, 2.0)


@pytest.mark.parametrize("payment", ["nearest_vcg", "nearest_zero", "nearest_bid"])
def test_core_payments_leave_no_blocking_coalition(payment: str) -> None:
    out = m.combinatorial(items=2, payment=payment).allocate_and_price([[3], [1], [2]], [[2.0], [2.0], [2.0]])
    np.testing.assert_allclose(out.pay[0], [0, 1, 1], atol=1e-9)


def test_core_payments_are_in_the_core_of_random_auctions() -> None:
    from equilibria.mechanisms.combinatorial_kernels import coalition_values

    rng = np.random.default_rng(2)
    for _ in range(20):
        masks, values = rng.integers(1, 8, (4, 3)), rng.random((4, 3))
        out = m.combinatorial(items=3, payment="nearest_vcg").allocate_and_price(masks, values)
        vcg = m.combinatorial(items=3).allocate_and_price(masks, values)
        got = (out.alloc[0].astype(int) << np.arange(3)).sum(axis=1)
        value = np.where(masks == got[:, None], values, 0).max(axis=1)
        for coalition, worth in enumerate(coalition_values(masks, values, 3)):
            inside = (coalition >> np.arange(4)) & 1 == 1
            assert out.pay[0][~inside].sum() + value[inside].sum() >= worth - 1e-8
        assert (out.pay[0] >= vcg.pay[0] - 1e-8).all() and (out.pay[0] <= value + 1e-12).all()


def test_integer_programme_agrees_with_the_dynamic_programme() -> None:
    rng = np.random.default_rng(3)
    masks, values = rng.integers(1, 64, (6, 4)), rng.random((6, 4))
    small, large = (m.combinatorial(items=k).allocate_and_price(masks, values) for k in (6, 17))
    np.testing.assert_allclose(large.pay, small.pay, atol=1e-9)
    assert large.welfare[0] == pytest.approx(small.welfare[0], abs=1e-12)


def test_demand_reduction_leaves_no_revenue() -> None:
    rule = m.uniform_price(units=2)
    reduced = rule.allocate_and_price([[[0.9, 0.0], [0.4, 0.0]]])
    assert (reduced.revenue[0], sorted(reduced.winner[0].tolist())) == (0.0, [0, 1])


def test_mcafee_drops_one_trade_without_an_excluded_pair() -> None:
    out = m.mcafee().allocate_and_price([[0.9, 0.6]], [[0.1, 0.3]])
    assert out.alloc[0, :, 0].tolist() == [1, 0, -1, 0]
    assert (out.pay[0, 0], out.pay[0, 2], out.revenue[0]) == (0.6, -0.3, pytest.approx(0.3))


def test_k_double_price_excludes_the_first_excluded_traders() -> None:
    out = m.k_double_auction(k=0.0).allocate_and_price([[0.9, 0.5]], [[0.1, 0.7]])
    assert out.price[0, 0] == 0.5


@pytest.mark.parametrize(
    ("make", "args", "says"),
    [
        (m.first_price, ([[0.1, np.nan]],), r"bids\[0, 1\] must be finite, got nan"),
        (m.first_price, ([[0.1], [np.inf]],), r"bids\[1, 0\] must be finite, got inf"),
        (m.first_price, ([[0.1, -0.5]],), r"bids\[0, 1\] must be at least 0, got -0\.5"),
        (m.first_price, ([0.1, 0.5],), r"must have shape \[auctions, bidders\], got shape \(2,\)"),
        (m.first_price, ([["a"]],), "rectangular array of numbers"),
        (m.gsp, ([[[0.1]]],), r"must have shape \[auctions, bidders\]"),
        (lambda: m.gsp(quality=[1.0]), ([[0.1, 0.2]],), "quality must be one number or 2 numbers"),
        (lambda: m.second_price(reserve=[0.1]), ([[0.1, 0.2]],), "reserve must be one number or 2 numbers"),
        (m.discriminatory, ([[[0.1, 0.2]]],), r"bids\[0, 0\] must not increase, got 0\.1 before 0\.2"),
        (m.discriminatory, ([[[0.1]]],), r"shape \[auctions, bidders, 2\]"),
        (m.mcafee, ([[0.1]], [[-1.0]]), r"asks\[0, 0\] must be at least 0"),
        (m.mcafee, ([[0.1]], [[0.1], [0.2]]), "equally many auctions, got 1 and 2"),
        (m.combinatorial, ([[4]], [[1.0]]), r"bundles\[0, 0, 0\] = 4 names items outside 0..1"),
        (m.combinatorial, ([[0.5]], [[1.0]]), "whole numbers"),
        (m.llg, ([[0.1, 0.2]],), r"shape \[auctions, 3\]"),
        (lambda: m.myerson(priors=[{"family": "uniform"}] * 2), ([[1, 1, 1]],), "each of 3 bidders, got 2"),
    ],
)
def test_bad_bids_are_named(make: Callable[[], Any], args: tuple[Any, ...], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        make().allocate_and_price(*args)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: m.first_price(reserve=-0.1), "must be a finite number of at least 0, got -0.1"),
        (lambda: m.second_price(reserve=0.5, soft_floor=0.3), "soft_floor must be 0"),
        (lambda: m.gsp(ctr=[0.5, 0.6]), r"ctr must not increase: ctr\[1\]"),
        (lambda: m.gsp(ctr=[1.5]), r"ctr\[0\] must lie in \[0, 1\]"),
        (lambda: m.gsp(ctr=[]), "ctr"),
        (lambda: m.gsp(quality=[0.0]), "must be a finite number above 0"),
        (lambda: m.discriminatory(units=0), "units"),
        (lambda: m.k_double_auction(k=1.5), "less than or equal to 1"),
        (lambda: m.myerson(priors=[{"family": "unifrom"}]), "did you mean 'uniform'"),
        (lambda: m.myerson(priors=[{"family": "uniform", "hihg": 1}]), "unknown parameter 'hihg'"),
        (lambda: m.myerson(priors=[{"family": "power", "exponent": 0.5}]), "exponent >= 1"),
        (lambda: m.first_price(reserv=0.1), "reserv"),
    ],
)
def test_bad_parameters_are_named(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_budgets_clip_reject_or_refuse() -> None:
    bids, budgets = [[0.9, 0.5]], [0.4, 1.0]
    assert m.first_price().allocate_and_price(bids, budgets=budgets).pay[0].tolist() == [0.0, 0.5]
    rejected = m.all_pay(on_over_budget="reject").allocate_and_price(bids, budgets=budgets)
    assert rejected.pay[0].tolist() == [0.0, 0.5]
    with pytest.raises(InvalidValue, match=r"bids\[0, 0\] = 0\.9 exceeds the remaining budget 0\.4"):
        m.first_price(on_over_budget="error").allocate_and_price(bids, budgets=budgets)
    with pytest.raises(InvalidValue, match=r"budgets\[1\] must be at least 0"):
        m.first_price().allocate_and_price(bids, budgets=[0.1, -1.0])


def test_monotonise_sorts() -> None:
    out = m.discriminatory(units=2, monotonise=True).allocate_and_price([[[0.1, 0.2]]])
    assert out.revenue[0] == pytest.approx(0.3)
