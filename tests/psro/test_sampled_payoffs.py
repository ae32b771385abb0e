"""Sampled meta-games: seeds by entry, intervals, worker processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from equilibria.agents.solvers.population.intervals import METHODS, half_width, interval
from equilibria.agents.solvers.population.payoffs import SampledPayoffs, bootstrap_exploitability
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.agents.solvers.population.psro import PSRO
from equilibria.agents.solvers.population.settings import PSROSettings
from equilibria.games.extensive import ExtensiveGame, openspiel, random_policy
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


def population(game: ExtensiveGame, count: int) -> PlanMetaGame:
    rng = np.random.default_rng(3)
    meta = PlanMetaGame(game)
    off = game.arrays.seq_off.astype(int)
    for p in range(game.players):
        for _ in range(count):
            meta.add(p, random_policy(game, rng).plan()[off[p] : off[p + 1]])
    return meta


def sampled(meta: PlanMetaGame, **params: Any) -> SampledPayoffs:
    found = SampledPayoffs(meta, PSROSettings(payoffs="sampled", **params), SeedTree(5).child("payoffs"))
    found.update()
    return found


@pytest.mark.parametrize("name", ["kuhn_poker", "kuhn_poker(players=3)", "sheriff"])
def test_estimates_lie_within_five_standard_errors_of_the_exact_payoffs(name: str) -> None:
    meta = population(openspiel(name), 2)
    found = sampled(meta, episodes=2000)
    exact = np.stack(meta.payoffs())
    assert (found.count == 2000).all()
    assert (np.abs(found.mean - exact) <= 5 * found.standard_error).all()
    assert found.standard_error.max() > 0


def test_two_player_zero_sum_estimates_stay_zero_sum() -> None:
    found = sampled(population(openspiel("leduc_poker"), 3), episodes=64)
    np.testing.assert_array_equal(found.mean[0], -found.mean[1])
    assert found.meta_game().constant_sum == 0.0


def test_estimates_do_not_depend_on_the_order_in_which_entries_are_filled() -> None:
    game = openspiel("kuhn_poker")
    whole = population(game, 4)
    at_once = sampled(whole, episodes=30)
    grown = PlanMetaGame(game)
    stepwise = SampledPayoffs(grown, PSROSettings(payoffs="sampled", episodes=30), SeedTree(5).child("payoffs"))
    for j in range(4):
        for p in (1, 0):
            grown.add(p, whole.plans(p)[j])
            if (grown.sizes > 0).all():
                stepwise.update()
    np.testing.assert_array_equal(stepwise.mean, at_once.mean)


def test_adaptive_sampling_stops_at_the_wanted_half_width() -> None:
    meta = population(openspiel("kuhn_poker"), 3)
    found = sampled(meta, episodes=50_000, half_width=0.05)
    half = norm.ppf(0.975) * found.standard_error
    assert (half <= 0.05).all()
    assert (found.count % 64 == 0).all()
    assert found.count.max() < 50_000


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["kuhn_poker", "kuhn_poker(players=3)"])
def test_results_are_identical_for_one_two_and_four_workers(name: str) -> None:
    found: list[FloatArray] = []
    for workers in (1, 2, 4):
        solver = PSRO(openspiel(name), meta_solver="rm+", payoffs="sampled", episodes=20, workers=workers)
        solver.step(3)
        assert solver.sampled is not None
        found.append(np.concatenate([solver.sampled.mean.ravel(), solver.plan()]))
        solver.sampled.close()
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_sampled_psro_comes_near_the_exact_equilibrium_of_kuhn() -> None:
    solver = PSRO(openspiel("kuhn_poker"), meta_solver="nash", payoffs="sampled", episodes=4000, seeds=SeedTree(1))
    solver.step(10)
    # restricted payoffs are off by about 2 / sqrt(4000) = 0.03 each
    assert solver.distance().exploitability < 0.05


def test_intervals_have_the_textbook_widths() -> None:
    m2, n = np.array([9.0]), np.array([10])  # variance 1
    assert half_width(m2, n, 4.0, 0.95, "normal")[0] == pytest.approx(1.959963985 / np.sqrt(10))
    assert half_width(m2, n, 4.0, 0.95, "hoeffding")[0] == pytest.approx(4 * np.sqrt(np.log(40) / 20))
    log = np.log(80)
    assert half_width(m2, n, 4.0, 0.95, "empirical_bernstein")[0] == pytest.approx(
        np.sqrt(2 * log / 10) + 7 * 4 * log / 27
    )


@pytest.mark.parametrize("method", METHODS)
def test_intervals_cover_at_least_as_often_as_promised(method: str) -> None:
    rng = np.random.default_rng(0)
    draws = rng.choice([-1.0, 1.0], size=(4000, 200), p=[0.3, 0.7])
    mean, m2 = draws.mean(axis=1), draws.var(axis=1) * 200
    found = interval(mean, m2, np.full(4000, 200), span=2.0, confidence=0.9, method=method)  # type: ignore[arg-type]
    covered = float(np.mean((found.low <= 0.4) & (found.high >= 0.4)))
    # binomial noise of 4000 trials is 0.005; the normal interval is asymptotic
    assert covered > 0.88


def test_the_bernstein_interval_beats_hoeffding_at_small_variance() -> None:
    m2, n = np.array([0.1]), np.array([10_000])
    assert half_width(m2, n, 2.0, 0.95, "empirical_bernstein") < half_width(m2, n, 2.0, 0.95, "hoeffding")


def test_bootstrap_interval_of_the_restricted_game_is_ordered_and_seeded() -> None:
    solver = PSRO(openspiel("kuhn_poker"), meta_solver="nash", payoffs="sampled", episodes=200)
    solver.step(4)
    assert solver.sampled is not None
    found = [
        bootstrap_exploitability(solver.sampled, solver.meta_strategy(), seeds=SeedTree(2).child("bootstrap"))
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert 0 <= found[0][0] < found[0][1]


def test_bad_interval_arguments_are_named() -> None:
    with pytest.raises(InvalidValue, match="interval method"):
        half_width(np.ones(1), np.array([5]), 1.0, 0.9, "bayes")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="at least 2 samples, got 1"):
        half_width(np.ones(1), np.array([1]), 1.0, 0.9, "normal")
    with pytest.raises(InvalidValue, match="confidence"):
        half_width(np.ones(1), np.array([5]), 1.0, 1.0, "normal")
