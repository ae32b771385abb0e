"""Alpha-rank: known answers, agreement with OpenSpiel, limits that other implementations miss."""

from __future__ import annotations

import numpy as np
import pytest
from open_spiel.python.egt import alpharank as openspiel_alpharank

from equilibria.games.analysis import alpha_rank, alpha_rank_single, alpharank
from equilibria.games.analysis.markov import NEVER, gth, gth_log, gth_orders
from equilibria.sim.errors import InvalidValue, NumericalError

RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=float)
DILEMMA = np.array([[3, 0], [5, 1]], dtype=float)


def test_battle_of_the_sexes_splits_between_the_pure_equilibria() -> None:
    ranked = alpha_rank([[[2, 0], [0, 1]], [[1, 0], [0, 2]]])
    np.testing.assert_allclose(ranked.distribution, [[0.5, 0], [0, 0.5]])
    assert ranked.sinks == 2


def test_rock_paper_scissors_is_uniform() -> None:
    for ranked in (alpha_rank([RPS, -RPS]), alpha_rank_single(RPS)):
        np.testing.assert_allclose(ranked.marginals[0], 1 / 3, atol=1e-12)


@pytest.mark.parametrize("alpha", [None, 1.0, 100.0, 1e6])
def test_prisoners_dilemma_defects(alpha: float | None) -> None:
    ranked = alpha_rank([DILEMMA, DILEMMA.T], alpha=alpha)
    # at alpha = 1 a mutant that loses 1 or 2 still fixates with probability of about exp(-50)
    np.testing.assert_allclose(ranked.distribution[1, 1], 1.0, atol=1e-15)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2), (5, 1)])
@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_finite_alpha_agrees_with_openspiel(shape: tuple[int, ...], alpha: float) -> None:
    rng = np.random.default_rng(1)
    payoffs = [rng.normal(size=shape) for _ in shape]
    theirs = openspiel_alpharank.compute(payoffs, m=10, alpha=alpha)[2]
    ours = alpha_rank(payoffs, alpha=alpha, population=10).distribution
    np.testing.assert_allclose(ours.ravel(), theirs, atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_limit_agrees_with_openspiel_at_small_epsilon(seed: int) -> None:
    rng = np.random.default_rng(seed)
    payoffs = [rng.normal(size=(3, 3)).round(1) for _ in range(2)]
    theirs = openspiel_alpharank.compute(payoffs, use_inf_alpha=True, inf_alpha_eps=1e-7)[2]
    np.testing.assert_allclose(alpha_rank(payoffs).distribution.ravel(), theirs, atol=1e-5)


def test_single_population_agrees_with_openspiel() -> None:
    a = np.random.default_rng(2).normal(size=(6, 6))
    theirs = openspiel_alpharank.compute([a], m=20, alpha=0.5)[2]
    np.testing.assert_allclose(alpha_rank_single(a, alpha=0.5, population=20).distribution, theirs, atol=1e-10)
    limit = openspiel_alpharank.compute([a], use_inf_alpha=True, inf_alpha_eps=1e-8)[2]
    np.testing.assert_allclose(alpha_rank_single(a).distribution, limit, atol=1e-6)


def test_huge_alpha_tends_to_the_limit_instead_of_failing() -> None:
    rng = np.random.default_rng(4)
    payoffs = [rng.normal(size=(4, 4)) for _ in range(2)]
    far = alpha_rank(payoffs, alpha=1e9).distribution
    assert np.isfinite(far).all() and abs(far.sum() - 1) < 1e-9


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_limit_does_not_depend_on_scale_and_shift(scale: float) -> None:
    rng = np.random.default_rng(6)
    payoffs = [rng.integers(0, 5, (5, 5)).astype(float) for _ in range(2)]
    base = alpha_rank(payoffs).distribution
    moved = alpha_rank([p * scale + 3 for p in payoffs]).distribution
    np.testing.assert_allclose(moved, base, atol=1e-12)


def test_equilibria_that_need_two_mistakes_to_leave_are_compared_by_order() -> None:
    # three players coordinate; (0,0,0) and (1,1,1) are reached from each other only by several mistakes,
    # fewer of them towards 1 because two players at 1 already pull the third one
    payoff = np.zeros((2, 2, 2))
    payoff[0, 0, 0], payoff[1, 1, 1] = 1.0, 2.0
    payoff[1, 1, 0] = payoff[1, 0, 1] = payoff[0, 1, 1] = 0.5
    ranked = alpha_rank([payoff] * 3)
    assert ranked.sinks == 2
    np.testing.assert_allclose(ranked.distribution[1, 1, 1], 1.0)


@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 2), (3, 2, 3), (2, 2, 2, 2)])
def test_sink_method_agrees_with_leading_orders_on_tied_games(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(12)
    for _ in range(60):
        payoffs = rng.integers(0, 3, (len(shape), *shape)).astype(float)
        pointer, target, advantage = alpharank._deviations(payoffs.reshape(len(shape), -1), np.array(shape, np.int64))
        edges = alpharank._Edges(pointer, target, advantage)
        by_sinks, _ = alpharank._limit(edges, 1e-14, alpharank._Watch())
        np.testing.assert_allclose(by_sinks, alpharank._by_orders(edges, 1e-14, alpharank._Watch()), atol=1e-10)


def test_leading_orders_match_state_reduction_at_a_small_epsilon() -> None:
    rng = np.random.default_rng(7)
    orders = rng.integers(0, 4, (6, 6)).astype(np.int32)
    coefficients = rng.random((6, 6)) + 0.1
    np.fill_diagonal(orders, NEVER)
    eps = 1e-4
    rates = np.where(orders < NEVER, coefficients * eps ** np.minimum(orders, 9), 0.0)
    x, order = gth_orders(coefficients.copy(), orders.copy())
    limit = np.where(order == order.min(), x, 0.0)
    np.testing.assert_allclose(limit / limit.sum(), gth(rates), atol=1e-3)


def test_logarithmic_reduction_equals_the_linear_one() -> None:
    rates = np.random.default_rng(9).random((7, 7))
    np.fill_diagonal(rates, 0.0)
    with np.errstate(divide="ignore"):
        logs = np.log(rates)
    np.testing.assert_allclose(np.exp(gth_log(logs)), gth(rates.copy()), rtol=1e-13)


def test_state_reduction_gives_tiny_components_with_relative_accuracy() -> None:
    # birth and death chain: x_j / x_(j-1) = up / down exactly
    n, up = 30, 1e-8
    rates = np.diag(np.full(n - 1, up), 1) + np.diag(np.ones(n - 1), -1)
    x = gth(rates)
    np.testing.assert_allclose(x[1:] / x[:-1], up, rtol=1e-13)


@pytest.mark.parametrize("kind", ["random", "zero-sum", "coordination", "cycle", "constant"])
def test_hundred_by_hundred_profiles_balance(kind: str) -> None:
    rng = np.random.default_rng(10)
    a = rng.normal(size=(100, 100))
    angle = np.subtract.outer(np.arange(100), np.arange(100)) * 2 * np.pi / 100
    payoffs = {
        "random": [a, rng.normal(size=(100, 100))],
        "zero-sum": [a, -a],
        "coordination": [np.eye(100), np.eye(100)],
        "cycle": [np.sin(angle), -np.sin(angle)],
        "constant": [np.ones((100, 100))] * 2,
    }[kind]
    x = alpha_rank(payoffs).distribution
    assert abs(x.sum() - 1) < 1e-12 and x.min() >= 0
    if kind == "coordination":
        np.testing.assert_allclose(x, np.eye(100) / 100, atol=1e-12)
    elif kind in ("cycle", "constant"):
        np.testing.assert_allclose(x, 1e-4, atol=1e-12)
    else:
        # stationarity, recomputed densely by rows: inflow by strictly better moves equals outflow
        u, v = payoffs
        out = (u[None] > u[:, None]).sum(1) + (v[:, None, :] > v[:, :, None]).sum(2)
        inflow = np.zeros_like(x)
        for i in range(100):
            inflow[i] += (x * (u[i] > u)).sum(0)
            inflow[:, i] += (x * (v[:, i : i + 1] > v)).sum(1)
        balanced = np.where(x > 0, x * out - inflow, 0.0)
        # a strict equilibrium has no way out: its mass cannot be checked by balance
        assert np.abs(np.where(out > 0, balanced, 0.0)).max() < 1e-10


def test_bad_input_is_refused() -> None:
    with pytest.raises(NumericalError):
        alpha_rank([[[np.inf]], [[0.0]]])
    with pytest.raises(InvalidValue, match="axes"):
        alpha_rank([[1.0, 2.0], [1.0, 2.0]])
    with pytest.raises(InvalidValue, match="alpha"):
        alpha_rank([RPS, -RPS], alpha=-1.0)
    with pytest.raises(InvalidValue, match="population"):
        alpha_rank([RPS, -RPS], population=1)
    with pytest.raises(InvalidValue, match="square"):
        alpha_rank_single([[1.0, 2.0]])
