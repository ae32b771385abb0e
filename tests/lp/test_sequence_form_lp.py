"""The sequence-form linear program against known values and other solvers."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.games.extensive.lp import sequence_form_lp
from equilibria.games.extensive.matrix import matrix_game
from equilibria.games.extensive.random_games import random_game
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.values import expected_values, nash_conv
from equilibria.sim.errors import Unsupported
from equilibria.sim.seeds import SeedTree


@pytest.mark.parametrize(("name", "value"), [("kuhn_poker", -1 / 18), ("leduc_poker", -0.0856064241)])
def test_poker_values_are_the_known_ones(name: str, value: float) -> None:
    solution = sequence_form_lp(openspiel(name))
    assert solution.value == pytest.approx(value, abs=1e-10)
    assert 0.0 <= solution.nash_conv + 1e-12 < 1e-9


def test_matching_pennies_with_a_bias_has_its_textbook_solution() -> None:
    # row mixes (2/5, 3/5), column (2/5, 3/5), value 1/5 of [[2, -1], [-1, 1]]
    solution = sequence_form_lp(matrix_game([[2.0, -1.0], [-1.0, 1.0]]))
    assert solution.value == pytest.approx(0.2)
    np.testing.assert_allclose(solution.policy.probs[[1, 2, 4, 5]], [0.4, 0.6, 0.4, 0.6], atol=1e-12)


def test_constant_sum_games_are_solved_as_they_are() -> None:
    payoffs = np.array([[2.0, -1.0], [-1.0, 1.0]])
    solution = sequence_form_lp(matrix_game([payoffs, 5.0 - payoffs]))
    assert solution.value == pytest.approx(0.2)
    assert solution.nash_conv < 1e-9


@pytest.mark.parametrize("seed", range(30))
def test_random_games_are_solved_to_rounding(seed: int) -> None:
    game = random_game(SeedTree(seed), depth=5, actions=(1, 4))
    solution = sequence_form_lp(game)
    assert solution.nash_conv < 1e-8
    assert nash_conv(game, solution.policy) == pytest.approx(solution.nash_conv)
    assert expected_values(game, solution.policy)[0] == pytest.approx(solution.value, abs=1e-9)


@pytest.mark.parametrize("name", ["kuhn_poker(players=3)", "tiny_hanabi"])
def test_other_games_are_refused(name: str) -> None:
    with pytest.raises(Unsupported, match="two-player zero-sum game"):
        sequence_form_lp(openspiel(name))
