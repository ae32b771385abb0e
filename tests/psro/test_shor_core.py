"""The core shared by SHOR and PM against the published traces and tables."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.population.meta_game import DenseMetaGame
from equilibria.agents.solvers.population.meta_solvers.hybrid import hybrid
from equilibria.agents.solvers.population.meta_solvers.registry import meta_solver, solve_meta_game
from equilibria.agents.solvers.population.meta_solvers.shor import Shor, ShorSettings
from equilibria.sim.errors import InvalidValue, NumericalError

TWO = [[2.0, -1.0], [-1.0, 1.0]]
THREE = [[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]]
RPS_DOMINATED = [[0, -1, 1, 1], [1, 0, -1, 1], [-1, 1, 0, 1], [-1, -1, -1, 0]]
DILEMMA = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]


def shor_at(call: int) -> Shor:
    solver = meta_solver("shor")
    assert isinstance(solver, Shor)
    solver.calls = call - 1
    return solver


@pytest.mark.parametrize(
    ("matrix", "parameters", "rounds", "row", "col"),
    [
        (TWO, (0.3, 0.5, 0.5, 0.05), 1, [0.91931757, 0.08068243], [0.0016571, 0.9983429]),
        (TWO, (0.3, 0.5, 0.5, 0.05), 2, [0.02589549, 0.97410451], [0.97678195, 0.02321805]),
        (TWO, (0.3, 0.5, 0.5, 0.05), 3, [0.98674512, 0.01325488], [0.01320805, 0.98679195]),
        (THREE, (0.2, 0.1, 0.5, 0.02), 1, [1.71e-06, 0.99999829], [0, 0.8746683, 0.1253317]),
        (THREE, (0.2, 0.1, 0.5, 0.02), 2, [0.98864167, 0.01135833], [0.13646377, 0, 0.86353623]),
        (THREE, (0.2, 0.1, 0.5, 0.02), 3, [0.00678499, 0.99321501], [0, 0.62526399, 0.37473601]),
    ],
)
def test_core_reproduces_the_published_traces(
    matrix: list[list[float]],
    parameters: tuple[float, float, float, float],
    rounds: int,
    row: list[float],
    col: list[float],
) -> None:
    blend, temperature, momentum, bonus = parameters
    arrays = DenseMetaGame([matrix]).arrays()
    sigma = hybrid(arrays, rounds, blend, temperature, momentum, bonus, True, False)
    np.testing.assert_allclose(sigma, row + col, atol=1e-6)


@pytest.mark.parametrize(
    ("payoffs", "call", "row", "col"),
    [
        ([TWO], 1, [0.429261, 0.570739], [0.393409, 0.606591]),
        ([TWO], 75, [0.509252, 0.490748], [0.489353, 0.510647]),
        ([RPS_DOMINATED], 1, [0.329172] * 3 + [0.012485], [0.329172] * 3 + [0.012485]),
        ([RPS_DOMINATED], 75, [1 / 3] * 3 + [0], [1 / 3] * 3 + [0]),
        ([THREE], 1, [0.301647, 0.698353], [0.001230, 0.539048, 0.459722]),
        ([THREE], 75, [0.264691, 0.735309], [0.000318, 0.534971, 0.464711]),
        (DILEMMA, 1, [1 - 0.967437, 0.967437], [1 - 0.967417, 0.967417]),
        (DILEMMA, 75, [0, 1], [0, 1]),
    ],
)
def test_training_solver_gives_the_published_answers(
    payoffs: list[list[list[float]]], call: int, row: list[float], col: list[float]
) -> None:
    found = shor_at(call).solve(DenseMetaGame(payoffs))
    np.testing.assert_allclose(found.marginals[0], row, atol=1e-6)
    np.testing.assert_allclose(found.marginals[1], col, atol=1e-6)


@pytest.mark.parametrize(
    ("payoffs", "row", "col"),
    [
        ([RPS_DOMINATED], [1 / 3] * 3 + [0], [1 / 3] * 3 + [0]),
        ([THREE], [0.34, 0.66], [0, 0.555371, 0.444629]),
        (DILEMMA, [0, 1], [0, 1]),
        # the 2x2 game cycles; at 8050 rounds the last iterate is this pure profile
        ([TWO], [0, 1], [1, 0]),
    ],
)
def test_evaluation_solver_gives_the_published_answers(
    payoffs: list[list[list[float]]], row: list[float], col: list[float]
) -> None:
    found = solve_meta_game("shor", payoffs, purpose="eval")
    np.testing.assert_allclose(found.marginals[0], row, atol=1e-5)
    np.testing.assert_allclose(found.marginals[1], col, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (1, (0.2966667, 0.4934667, 0.0493467)),
        (38, (0.1733333, 0.2517333, 0.0251733)),
        (75, (0.05, 0.01, 0.001)),
        (500, (0.05, 0.01, 0.001)),
    ],
)
def test_schedules_anneal_over_75_calls(call: int, expected: tuple[float, float, float]) -> None:
    assert ShorSettings().schedule(call) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("policies", "train", "evaluation"), [(1, 1000, 8000), (101, 3000, 13000), (500, 5000, 15000)])
def test_rounds_grow_with_the_population_up_to_a_cap(policies: int, train: int, evaluation: int) -> None:
    assert ShorSettings().training_rounds(policies) == train
    assert ShorSettings().evaluation_rounds(policies) == evaluation


def test_the_training_solver_counts_its_calls_from_one() -> None:
    solver = meta_solver("shor")
    assert isinstance(solver, Shor)
    game = DenseMetaGame([TWO])
    first = solver.solve(game)
    assert solver.calls == 1
    np.testing.assert_array_equal(first.flat, shor_at(1).solve(game).flat)
    np.testing.assert_array_equal(solver.solve(game).flat, shor_at(2).solve(game).flat)


@pytest.mark.parametrize("name", ["shor", "pm"])
@pytest.mark.parametrize("purpose", ["train", "eval"])
def test_one_policy_gets_all_mass_and_equal_payoffs_give_uniform(name: str, purpose: str) -> None:
    one = solve_meta_game(name, [[[0.7]]], purpose=purpose)  # type: ignore[arg-type]
    assert [m.tolist() for m in one.marginals] == [[1.0], [1.0]]
    flat = solve_meta_game(name, [np.full((3, 4), 2.5), np.full((3, 4), -1.0)], purpose=purpose)  # type: ignore[arg-type]
    np.testing.assert_allclose(flat.flat, [1 / 3] * 3 + [1 / 4] * 4, atol=1e-12)


def test_adding_a_constant_to_payoffs_changes_nothing_but_rounding() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((2, 4, 3))
    # few rounds: rounding noise is amplified by the dynamics
    base = hybrid(DenseMetaGame([a, b]).arrays(), 20, 0.2, 0.1, 0.5, 0.02, True, True)
    moved = hybrid(DenseMetaGame([a + 8.0, b - 4.0]).arrays(), 20, 0.2, 0.1, 0.5, 0.02, True, True)
    np.testing.assert_allclose(moved, base, atol=1e-9)


def test_without_blend_the_core_is_scale_invariant() -> None:
    a = np.random.default_rng(6).standard_normal((4, 4))
    base = hybrid(DenseMetaGame([a]).arrays(), 50, 0.0, 1.0, 0.5, 0.0, True, True)
    scaled = hybrid(DenseMetaGame([1024.0 * a]).arrays(), 50, 0.0, 1.0, 0.5, 0.0, True, True)
    np.testing.assert_allclose(scaled, base, atol=1e-9)
    blended = hybrid(DenseMetaGame([a]).arrays(), 50, 0.3, 1.0, 0.5, 0.0, True, True)
    blended_scaled = hybrid(DenseMetaGame([1024.0 * a]).arrays(), 50, 0.3, 1.0, 0.5, 0.0, True, True)
    assert np.abs(blended - blended_scaled).max() > 1e-3


def test_empty_populations_give_empty_mixtures_and_mixed_ones_are_refused() -> None:
    empty = solve_meta_game("shor", [np.zeros((0, 0)), np.zeros((0, 0))])
    assert [m.size for m in empty.marginals] == [0, 0]
    with pytest.raises(InvalidValue, match="population of player 1 is empty"):
        solve_meta_game("shor", [np.zeros((2, 0)), np.zeros((2, 0))])


def test_payoffs_that_are_not_finite_are_refused_with_their_place() -> None:
    with pytest.raises(NumericalError, match=r"payoff of player 0 became nan.*joint policy \(1, 0\)"):
        solve_meta_game("pm", [[[0.0, 1.0], [np.nan, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature_start", -1.0), ("eval_temperature", 0.0), ("blend_end", 1.5), ("eval_blend", -0.1), ("rounds", 0)],
)
def test_parameters_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(InvalidValue, match=name):
        meta_solver("shor", {name: value})
