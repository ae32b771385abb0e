"""Dynamics, ratings, decompositions and match results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from equilibria.games.analysis import (
    agent_task_averaging,
    bradley_terry,
    decompose,
    multi_replicator,
    nash_averaging,
    q_learning,
    read_results,
    replicator,
    results_from_frame,
)
from equilibria.sim.errors import InvalidValue

RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=float)
DILEMMA = np.array([[3, 0], [5, 1]], dtype=float)


def test_product_of_shares_is_conserved_in_rock_paper_scissors() -> None:
    path = replicator(RPS, [0.5, 0.3, 0.2], times=np.linspace(0, 50, 26)).x
    np.testing.assert_allclose(path.prod(axis=1), 0.03, rtol=1e-6)


def test_replicator_of_a_dominated_strategy_follows_the_logistic_law() -> None:
    # payoff difference 1 at any mixture: the odds grow exactly like e^t
    path = replicator([[1, 1], [0, 0]], [0.1, 0.9], times=[0.0, 1.0, 2.0]).x
    np.testing.assert_allclose(path[:, 0] / path[:, 1], np.exp([0, 1, 2]) / 9, rtol=1e-8)


def test_absent_strategies_stay_absent() -> None:
    path = multi_replicator([DILEMMA, DILEMMA.T], [[1.0, 0.0], [0.5, 0.5]], times=[0.0, 5.0])
    assert path.strategies[0][-1].tolist() == [1.0, 0.0]
    assert path.strategies[1][-1][1] > 0.99


def test_q_learning_rests_at_the_logit_equilibrium() -> None:
    temperature = 0.5
    end = q_learning([DILEMMA, DILEMMA.T], [[0.9, 0.1], [0.5, 0.5]], times=[0.0, 100.0], temperature=temperature)
    x, y = end.strategies[0][-1], end.strategies[1][-1]
    target = np.exp(DILEMMA @ y / temperature)
    np.testing.assert_allclose(x, target / target.sum(), atol=1e-6)


def test_three_player_replicator_follows_the_payoff_tensor() -> None:
    u = np.random.default_rng(0).normal(size=(3, 2, 3, 2))
    start = [[0.5, 0.5], [0.2, 0.3, 0.5], [0.4, 0.6]]
    h = 1e-5
    path = multi_replicator(list(u), start, times=[0.0, h]).strategies
    values = np.einsum("ijk,i,k->j", u[1], start[0], start[2])
    x = np.array(start[1])
    np.testing.assert_allclose((path[1][-1] - x) / h, x * (values - x @ values), atol=1e-4)


def test_two_agents_differ_by_the_log_odds_of_their_results() -> None:
    ratings = bradley_terry([[0, 10], [1, 0]])
    np.testing.assert_allclose(ratings.rating, [1200, 800])
    # variance of the log odds of 11 games is 1/10 + 1/1; each rating carries half of the difference
    np.testing.assert_allclose(ratings.standard_error, 400 / np.log(10) * np.sqrt(1.1) / 2)


def test_ratings_are_recovered_from_expected_results() -> None:
    truth = np.array([1250.0, 1100.0, 900.0, 750.0])
    p = 1 / (1 + 10 ** ((truth[None] - truth[:, None]) / 400))
    games = np.array([[0, 5, 1, 2], [5, 0, 7, 1], [1, 7, 0, 3], [2, 1, 3, 0]]) * 10.0
    ratings = bradley_terry(games * p)
    np.testing.assert_allclose(ratings.rating, truth, atol=1e-6)
    np.testing.assert_allclose(ratings.win_probability(), p, atol=1e-9)
    assert ratings.games.tolist() == (games.sum(axis=1)).tolist()


def test_standard_error_has_the_stated_coverage() -> None:
    rng = np.random.default_rng(1)
    truth = np.array([1150.0, 1000.0, 850.0])
    p = 1 / (1 + 10 ** ((truth[None] - truth[:, None]) / 400))
    inside = 0
    for _ in range(400):
        wins = np.triu(rng.binomial(100, p), 1).astype(float)
        wins = wins + np.tril((100 - wins.T), -1)
        ratings = bradley_terry(wins)
        inside += int(abs(ratings.rating[0] - 1150) <= 1.96 * ratings.standard_error[0])
    assert 0.92 <= inside / 400 <= 0.98  # 95 % with a binomial error of 1.1 points


def test_draws_count_half_and_a_prior_bounds_unbeaten_agents() -> None:
    with_draws = bradley_terry(np.zeros((2, 2)), draws=[[0, 4], [4, 0]])
    np.testing.assert_allclose(with_draws.rating, 1000)
    with pytest.raises(InvalidValue, match=r"agents \[0\] never lost"):
        bradley_terry([[0, 3], [0, 0]])
    assert np.isfinite(bradley_terry([[0, 3], [0, 0]], prior=1.0).rating).all()


def test_nash_averaging_ignores_clones_and_rewards_the_undominated() -> None:
    cloned = RPS[np.ix_([0, 0, 1, 2], [0, 0, 1, 2])]
    result = nash_averaging(cloned)
    np.testing.assert_allclose(result.agents, [1 / 6, 1 / 6, 1 / 3, 1 / 3], atol=1e-9)
    np.testing.assert_allclose(result.agent_skill, 0, atol=1e-9)


def test_constant_task_is_dropped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    result = agent_task_averaging([[1.0, 5.0, 0.0], [0.0, 5.0, 1.0]], names=["a", "flat", "b"])
    assert result.kept.tolist() == [True, False, True]
    assert "flat" in caplog.text
    np.testing.assert_allclose(result.agents, 0.5, atol=1e-9)


def test_transitive_and_cyclic_games_are_told_apart() -> None:
    rating = np.array([1.0, 0.5, -0.5, -1.0])
    pure = decompose(np.subtract.outer(rating, rating))
    assert pure.transitivity == pytest.approx(1.0)
    np.testing.assert_allclose(pure.potential, rating)
    assert decompose(RPS).transitivity == pytest.approx(0.0)


def test_parts_are_orthogonal_and_sum_to_the_data() -> None:
    rng = np.random.default_rng(2)
    s = rng.normal(size=(8, 8))
    s = s - s.T
    w = rng.integers(0, 3, (8, 8)).astype(float)
    w = np.triu(w, 1) + np.triu(w, 1).T
    parts = decompose(s, weights=w)
    seen = np.where(w > 0, s, 0.0)
    np.testing.assert_allclose(parts.transitive + parts.curl + parts.harmonic, seen, atol=1e-9)
    for left, right in (("transitive", "curl"), ("transitive", "harmonic"), ("curl", "harmonic")):
        assert (w * getattr(parts, left) * getattr(parts, right)).sum() == pytest.approx(0.0, abs=1e-7)


def test_a_four_cycle_without_chords_is_harmonic() -> None:
    s, w = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(4):
        j = (i + 1) % 4
        s[i, j], s[j, i], w[i, j], w[j, i] = 1, -1, 1, 1
    np.testing.assert_allclose(decompose(s, weights=w).harmonic, s, atol=1e-12)


def test_results_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "matches.csv"
    path.write_text("a,b,score,games\nx,y,1,1\ny,x,0.5,1\nx,z,0.75,4\nz,y,1,2\ny,z,1,1\n")
    results = read_results(path)
    assert results.names == ("x", "y", "z")
    np.testing.assert_allclose(results.mean[0], [0.5, 0.75, 0.75])
    np.testing.assert_allclose(results.games, [[0, 2, 4], [2, 0, 3], [4, 3, 0]])
    # x against y: scores 1 and 1/2, sample deviation sqrt(1/8), standard error 1/4
    assert results.standard_error[0, 1] == pytest.approx(0.25)
    assert bradley_terry(results.wins()).rating.argmax() == 0
    np.testing.assert_allclose(results.antisymmetric(), -results.antisymmetric().T)


def test_every_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "holes.csv"
    path.write_text("a,b,score\nx,y,1\nx,,0\nx,y,\nx,x,1\nx,y,2\nx,y,abc\n")
    with pytest.raises(InvalidValue) as caught:
        read_results(path)
    message = str(caught.value)
    for line, text in ((3, "name is empty"), (4, "score is empty"), (5, "plays itself"), (6, r"[0, 1]"), (7, "score")):
        assert f"line {line}: " in message and text in message
    assert "line 2" not in message


def test_missing_columns_and_empty_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="missing: score"):
        results_from_frame(pl.DataFrame({"a": ["x"], "b": ["y"]}))
    with pytest.raises(InvalidValue, match="empty"):
        results_from_frame(pl.DataFrame({"a": [], "b": [], "score": []}))
    with pytest.raises(InvalidValue, match="cannot be read"):
        read_results(tmp_path / "absent.csv")


def test_pairs_without_games_are_listed() -> None:
    frame = pl.DataFrame({"a": ["x", "y"], "b": ["y", "z"], "score": [1.0, 0.0]})
    assert results_from_frame(frame).missing() == [("x", "z")]


def test_bad_starts_are_refused() -> None:
    with pytest.raises(InvalidValue, match="sum"):
        replicator(RPS, [0.5, 0.5, 0.5], times=[0.0, 1.0])
    with pytest.raises(InvalidValue, match="increasing"):
        replicator(RPS, [1.0, 0.0, 0.0], times=[1.0, 0.0])
    with pytest.raises(InvalidValue, match="temperature"):
        q_learning([RPS, -RPS], [[1, 0, 0], [1, 0, 0]], times=[0.0], temperature=-1.0)
    with pytest.raises(InvalidValue, match="antisymmetric"):
        decompose([[0, 1], [1, 0]])
