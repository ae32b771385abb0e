"""Iterated games: published match scores, exact expectations, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.tournament.solver import Tournament
from equilibria.games.matrix.iterated import PRISONERS_DILEMMA, IteratedGame, prisoners_dilemma, tournament
from equilibria.games.matrix.strategies import STRATEGIES, Automaton, memory_one, named
from equilibria.sim.errors import InvalidValue, UnknownName
from equilibria.sim.seeds import SeedTree


def _game(*names: str, noise: float = 0.0, turns: int = 200) -> IteratedGame:
    return IteratedGame(tuple(named(n) for n in names), np.array(PRISONERS_DILEMMA), turns, noise)


@pytest.mark.parametrize(
    ("first", "second", "scores"),
    [
        ("tit_for_tat", "tit_for_tat", (600, 600)),
        ("tit_for_tat", "defector", (199, 204)),
        ("alternator", "tit_for_tat", (503, 498)),
        ("win_stay_lose_shift", "defector", (100, 600)),
        ("grudger", "alternator", (597, 107)),
    ],
)
def test_two_hundred_turns_give_the_scores_of_the_axelrod_library(
    first: str, second: str, scores: tuple[int, int]
) -> None:
    # values: axelrod 4.14.0
    names = (first,) if first == second else (first, second)
    mean = tournament(_game(*names)).mean
    assert (mean[0, -1], mean[-1, 0]) == scores


def test_sampled_scores_agree_with_exact_expectations() -> None:
    game = _game(*STRATEGIES, noise=0.05)
    result = tournament(game, repetitions=400)
    z = (result.mean - game.expected()) / result.standard_error
    assert np.abs(z).max() < 5 and 0.8 < z.std() < 1.2


def test_noise_free_automata_are_exact() -> None:
    game = _game("tit_for_tat", "defector", "alternator", "grudger", "tit_for_two_tats", "two_tits_for_tat")
    result = tournament(game, repetitions=3)
    np.testing.assert_array_equal(result.mean, game.expected())
    assert result.standard_error.max() == 0


def test_extortioner_gains_twice_the_surplus_of_any_opponent() -> None:
    # Press and Dyson (2012): s_X - P = chi (s_Y - P) in the long run, whoever the opponent is
    turns = 20_000
    for opponent in ([0.7, 0.2, 0.9, 0.4], [0.99, 0.5, 0.1, 0.6]):
        game = IteratedGame((named("zd_extort_2"), memory_one("y", opponent)), np.array(PRISONERS_DILEMMA), turns)
        score = game.expected() / turns
        assert score[0, 1] - 1 == pytest.approx(2 * (score[1, 0] - 1), abs=2e-3)


def test_expectation_follows_the_stationary_chain_of_two_memory_one_strategies() -> None:
    p, q = np.array([0.7, 0.2, 0.9, 0.4]), np.array([0.6, 0.5, 0.3, 0.1])
    swapped = q[[0, 2, 1, 3]]
    chain = np.stack([np.outer([a, 1 - a], [b, 1 - b]).ravel() for a, b in zip(p, swapped, strict=True)])
    values, vectors = np.linalg.eig(chain.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    game = IteratedGame((memory_one("p", p), memory_one("q", q)), np.array(PRISONERS_DILEMMA), 5000)
    assert game.expected()[0, 1] / 5000 == pytest.approx(stationary @ [3, 0, 5, 1], abs=1e-2)


def test_scores_do_not_depend_on_how_repetitions_are_split() -> None:
    game = _game("random", "joss", "tit_for_tat", noise=0.1)
    whole, split = Tournament(game, seeds=SeedTree(3)), Tournament(game, seeds=SeedTree(3))
    whole.step(7)
    split.step(4)
    resumed = Tournament(game, seeds=SeedTree(3))
    resumed.load(split.save())
    resumed.step(3)
    for name, array in whole.save().arrays.items():
        np.testing.assert_array_equal(array, resumed.save().arrays[name])
    assert not np.array_equal(whole.result().mean, tournament(game, repetitions=7, seeds=SeedTree(4)).mean)


def test_adding_a_strategy_at_the_end_keeps_fixed_scores() -> None:
    small, large = tournament(_game("grudger", "alternator")), tournament(_game("grudger", "alternator", "defector"))
    np.testing.assert_array_equal(large.mean[:2, :2], small.mean)


def test_reciprocators_outlive_defectors_under_replicator_dynamics() -> None:
    solver = Tournament(_game("cooperator", "defector", "tit_for_tat"))
    solver.step(1)
    shares = solver.policy()
    assert shares[1] < 1e-6 and shares[2] > 0.3
    certificate = solver.certificate()
    assert certificate.value < 1e-6 and certificate.kind == "exact"


def test_wrong_input_is_refused() -> None:
    with pytest.raises(UnknownName, match="tit_for_tat"):
        named("tit_for_tatt")
    with pytest.raises(InvalidValue, match="4 probabilities"):
        memory_one("x", [1, 0, 1])
    with pytest.raises(InvalidValue, match=r"\[0, 1\]"):
        memory_one("x", [1, 0, 1, 1.5])
    with pytest.raises(InvalidValue, match="more than one tit_for_tat"):
        _game("tit_for_tat", "tit_for_tat")
    with pytest.raises(InvalidValue, match="noise"):
        _game("tit_for_tat", noise=0.7)
    with pytest.raises(InvalidValue, match="turns"):
        _game("tit_for_tat", turns=0)
    with pytest.raises(InvalidValue, match="next states"):
        Automaton("x", np.ones(1), np.ones((1, 2, 2), dtype=np.int64))
    with pytest.raises(InvalidValue, match="2 x 2"):
        IteratedGame((named("defector"),), np.ones((3, 3)))


def test_prisoners_dilemma_is_recognised() -> None:
    assert prisoners_dilemma(PRISONERS_DILEMMA)
    assert not prisoners_dilemma([[3, 1], [2, 0]])
