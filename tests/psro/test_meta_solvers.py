"""Every meta-solver on games with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from equilibria.agents.solvers.population.meta_game import DenseMetaGame, MetaStrategy
from equilibria.agents.solvers.population.meta_solvers import dynamics_kernels
from equilibria.agents.solvers.population.meta_solvers.registry import META_SOLVERS, meta_solver, solve_meta_game
from equilibria.sim.errors import InvalidValue, UnknownName, UnsupportedGame
from equilibria.sim.seeds import SeedTree

RPS = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]
DILEMMA = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
CHICKEN = [[[0, 7], [2, 6]], [[0, 2], [7, 6]]]  # first action: dare
SEXES = [[[2, 0], [0, 1]], [[1, 0], [0, 2]]]
BY_SIZE = ("uniform", "uniform_biased", "last")
ZERO_SUM = tuple(name for name, spec in META_SOLVERS.items() if spec.zero_sum)


@pytest.mark.parametrize("name", ["nash", "nash_maxent", "rectified", "prd", "rm", "rm+", "alpharank", "shor", "pm"])
def test_rock_paper_scissors_is_played_uniformly(name: str) -> None:
    found = solve_meta_game(name, [RPS])
    np.testing.assert_allclose(found.flat, np.full(6, 1 / 3), atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(META_SOLVERS) - set(BY_SIZE) - set(ZERO_SUM) - {"shor"}))
def test_the_prisoners_dilemma_ends_in_defection(name: str) -> None:
    # averages of dynamics still carry some of the uniform start: (0.5 + ...) / T
    found = solve_meta_game(name, DILEMMA)
    assert found.marginals[0][1] > 0.99
    assert found.marginals[1][1] > 0.99


@pytest.mark.parametrize("name", ["nash", "nash_maxent"])
def test_mixed_equilibrium_of_a_two_by_two_game(name: str) -> None:
    found = solve_meta_game(name, [[[2, -1], [-1, 1]]])
    np.testing.assert_allclose(found.flat, [0.4, 0.6, 0.4, 0.6], atol=1e-9)


def test_maximum_entropy_splits_duplicated_strategies() -> None:
    rock_twice = [[0, 0, -1, 1], [0, 0, -1, 1], [1, 1, 0, -1], [-1, -1, 1, 0]]
    found = solve_meta_game("nash_maxent", [rock_twice])
    np.testing.assert_allclose(found.marginals[0], [1 / 6, 1 / 6, 1 / 3, 1 / 3], atol=1e-7)


def test_alpharank_ranks_the_two_pure_equilibria_of_battle_of_the_sexes_equally() -> None:
    found = solve_meta_game("alpharank", SEXES)
    np.testing.assert_allclose(found.flat, 0.5, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "joint"),
    [
        ("mwce", [[0, 1 / 4], [1 / 4, 1 / 2]]),
        ("mwcce", [[0, 1 / 4], [1 / 4, 1 / 2]]),
        ("mgce", [[5 / 34, 10 / 34], [10 / 34, 9 / 34]]),
        ("mgcce", [[5 / 34, 10 / 34], [10 / 34, 9 / 34]]),
    ],
)
def test_correlated_equilibria_of_chicken(name: str, joint: ArrayLike) -> None:
    found = solve_meta_game(name, CHICKEN)
    assert found.joint is not None
    np.testing.assert_allclose(found.joint, np.asarray(joint, dtype=np.float64), atol=1e-6)
    if name == "mwce":
        assert float((found.joint * np.sum(CHICKEN, axis=0)).sum()) == pytest.approx(10.5, abs=1e-6)


@pytest.mark.parametrize("name", ["rvce", "rvcce"])
def test_random_vertices_depend_on_the_seed_only(name: str) -> None:
    game = DenseMetaGame(CHICKEN)

    def joint(seed: int) -> MetaStrategy:
        return meta_solver(name, seeds=SeedTree(seed)).solve(game)

    np.testing.assert_array_equal(joint(1).flat, joint(1).flat)
    assert len({joint(seed).flat.tobytes() for seed in range(12)}) > 1


@pytest.mark.parametrize("name", sorted(META_SOLVERS))
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_meta_strategies_are_distributions_at_any_payoff_scale(name: str, scale: float) -> None:
    payoff = scale * (np.random.default_rng(3).standard_normal((4, 5)) + 10.0)
    params = {"iterations": 500} if name in ("rm", "prd", "fp", "rm+") else None
    found = solve_meta_game(name, [payoff, scale * 3.0 - payoff], params)
    for mixture in found.marginals:
        assert np.isfinite(mixture).all()
        assert mixture.min() >= 0.0
        assert mixture.sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", ["nash", "rm+", "alpharank", "nash_maxent"])
def test_scale_free_solvers_ignore_scale_and_shift(name: str) -> None:
    payoff = np.random.default_rng(4).standard_normal((5, 4))
    base = solve_meta_game(name, [payoff, -payoff])
    # powers of two keep the arithmetic of the dynamics exact; the shift is exact to rounding
    scaled = solve_meta_game(name, [1024.0 * payoff, -1024.0 * payoff])
    np.testing.assert_allclose(scaled.flat, base.flat, atol=1e-7)


def test_gamma_keeps_every_policy_alive_in_projected_replicator_dynamics() -> None:
    found = solve_meta_game("prd", DILEMMA, {"iterations": 20000, "step": 0.1, "gamma": 0.01})
    assert found.marginals[0][0] == pytest.approx(0.01, abs=2e-3)


def test_projection_is_the_nearest_point_of_the_truncated_simplex() -> None:
    rng = np.random.default_rng(8)
    work = np.empty(5)
    for _ in range(50):
        y = rng.standard_normal(5)
        x = y.copy()
        dynamics_kernels.project(x, 5, 0.05, work)
        assert x.min() >= 0.05 - 1e-15
        assert x.sum() == pytest.approx(1.0, abs=1e-12)
        # variational inequality of the projection against random feasible points
        for z in 0.05 + 0.75 * rng.dirichlet(np.ones(5), size=20):
            assert (y - x) @ (z - x) <= 1e-12


def test_regret_matching_average_starts_at_uniform() -> None:
    found = solve_meta_game("rm", [[[1.0, 0.0], [0.0, 0.0]], np.zeros((2, 2))], {"iterations": 1})
    # regrets after one step: v - sigma.v = (0.25, -0.25): all mass on 0, up to gamma / 2
    assert found.marginals[0][0] == pytest.approx((0.5 + 1.0 - 0.5e-6) / 2, abs=1e-12)


@pytest.mark.parametrize("name", ZERO_SUM)
def test_zero_sum_solvers_refuse_other_games_and_name_alternatives(name: str) -> None:
    with pytest.raises(UnsupportedGame, match=r"general-sum.*shor"):
        solve_meta_game(name, DILEMMA)
    with pytest.raises(UnsupportedGame, match="3-player"):
        solve_meta_game(name, np.zeros((3, 2, 2, 2)))  # type: ignore[arg-type]


def test_unknown_solvers_and_parameters_are_refused_with_the_choices() -> None:
    with pytest.raises(UnknownName, match="known meta-solvers: alpharank, fp"):
        meta_solver("zzz")
    with pytest.raises(InvalidValue, match=r"'prd', parameter 'dt'.*parameters are: gamma, iterations, step"):
        meta_solver("prd", {"dt": 0.1})


def test_shapes_of_payoffs_must_agree() -> None:
    with pytest.raises(InvalidValue, match=r"shape \(2, 3\)"):
        DenseMetaGame([np.zeros((2, 2)), np.zeros((2, 3))])
    with pytest.raises(InvalidValue, match="mixture of player 1 is no distribution"):
        DenseMetaGame([RPS]).values(0, [[1, 0, 0], [0.5, 0.6, 0.5]])


def test_three_player_values_agree_with_a_tensor_contraction() -> None:
    rng = np.random.default_rng(9)
    payoffs = list(rng.standard_normal((3, 2, 3, 4)))
    sigma = [rng.dirichlet(np.ones(k)) for k in (2, 3, 4)]
    game = DenseMetaGame(payoffs)
    np.testing.assert_allclose(game.values(0, sigma), np.einsum("abc,b,c", payoffs[0], sigma[1], sigma[2]), atol=1e-14)
    np.testing.assert_allclose(game.values(1, sigma), np.einsum("abc,a,c", payoffs[1], sigma[0], sigma[2]), atol=1e-14)
    np.testing.assert_allclose(game.values(2, sigma), np.einsum("abc,a,b", payoffs[2], sigma[0], sigma[1]), atol=1e-14)
