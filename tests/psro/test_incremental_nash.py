"""The growing zero-sum program against cold solves."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.population.incremental import IncrementalNash
from equilibria.games.analysis.matrix_nash import zero_sum_nash
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


def grown(matrix: FloatArray, sizes: list[tuple[int, int]]) -> IncrementalNash:
    program = IncrementalNash()
    for m, k in sizes:
        program.solve(matrix[:m, :k])
    return program


@pytest.mark.parametrize("seed", range(3))
def test_values_equal_cold_solves_while_the_matrix_grows(seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((40, 45))
    program = IncrementalNash()
    for m in range(1, 41):
        row, column, value = program.solve(matrix[:m, : m + 5])
        assert value == pytest.approx(zero_sum_nash(matrix[:m, : m + 5]).value, abs=1e-10)
        gap = (matrix[:m, : m + 5] @ column).max() - (row @ matrix[:m, : m + 5]).min()
        assert gap < 1e-9
    assert program.cold == 0


def test_replaying_the_history_is_bit_identical() -> None:
    matrix = np.round(np.random.default_rng(7).standard_normal((30, 30)), 1)  # ties: many equilibria
    sizes = [(i, i) for i in range(1, 25)]
    program = grown(matrix, sizes)
    again = IncrementalNash()
    again.replay(matrix, np.array(program.history))
    for a, b in zip(program.solve(matrix), again.solve(matrix), strict=True):
        np.testing.assert_array_equal(a, b)


def test_asking_twice_gives_the_same_answer_without_a_solve() -> None:
    matrix = np.random.default_rng(1).standard_normal((6, 6))
    program = IncrementalNash()
    first = program.solve(matrix)
    assert program.solve(matrix) is first
    assert program.history == [(6, 6)]


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e6])
def test_payoff_scale_does_not_matter(scale: float) -> None:
    matrix = np.random.default_rng(2).standard_normal((12, 12))
    base, scaled = IncrementalNash().solve(matrix), IncrementalNash().solve(scale * matrix)
    np.testing.assert_allclose(scaled[0], base[0], atol=1e-9)
    assert scaled[2] == pytest.approx(scale * base[2], rel=1e-9)


def test_a_jump_of_the_payoff_scale_is_absorbed() -> None:
    matrix = np.random.default_rng(3).standard_normal((8, 8))
    matrix[5:, :] *= 1e6
    program = grown(matrix, [(4, 8), (5, 8)])
    _, _, value = program.solve(matrix)
    assert value == pytest.approx(zero_sum_nash(matrix).value, rel=1e-9)


def test_a_shrinking_matrix_is_refused() -> None:
    program = grown(np.eye(3), [(3, 3)])
    with pytest.raises(InvalidValue, match="must only grow"):
        program.solve(np.eye(2))
