"""Trained best responses and what they certify."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import UniformPlayer
from equilibria.agents.learning.response import bootstrap_interval, trained_best_response
from equilibria.agents.learning.settings import PPOSettings
from equilibria.games.vector.team_matrix import TeamMatrixWorld
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree

SETTINGS = PPOSettings(worlds=128, steps=4, hidden=16, certificate_updates=6, certificate_episodes=1000)


def test_a_response_to_uniform_play_gains_what_the_payoffs_say() -> None:
    world = TeamMatrixWorld.climbing()
    players = {"player_0": UniformPlayer(3, 1), "player_1": UniformPlayer(3, 2)}
    found = trained_best_response(
        world, players, ["player_0"], settings=SETTINGS, updates=25, episodes=4000, seeds=SeedTree(1)
    )
    want = 5 / 3 - world.payoff.mean()  # the safe row against a random cell
    assert found.columns == (0,)
    assert found.low < want
    assert found.gain == pytest.approx(want, abs=1.0)
    assert found.base == pytest.approx(world.payoff.mean(), abs=0.8)
    assert found.samples == 25 * 128 * 4


def test_at_an_equilibrium_nothing_is_gained_and_away_from_it_something_is() -> None:
    world = TeamMatrixWorld([[4.0, 0.0], [0.0, 1.0]])
    learner = Learner(world, SETTINGS, seeds=SeedTree(2))
    fresh = learner.certificate()
    learner.step(30)
    settled = learner.certificate()
    assert fresh.kind == settled.kind == "lower bound"
    assert fresh.value > 0.3  # against uniform play the first action earns 2, uniform play 1.25
    assert settled.value < 0.15
    assert fresh.low <= fresh.value <= fresh.high
    assert "at least" in fresh.sentence()


def test_the_interval_covers_the_mean_and_shrinks_with_the_episodes() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(1, 2, 50), rng.normal(1, 2, 5000)
    (a, b), (c, d) = bootstrap_interval(few, rng), bootstrap_interval(many, rng)
    assert a < few.mean() < b
    assert d - c == pytest.approx(2 * 1.96 * 2 / np.sqrt(5000), rel=0.15)
    assert b - a > 5 * (d - c)


def test_budgets_must_be_positive() -> None:
    with pytest.raises(InvalidValue, match="at least 1"):
        trained_best_response(
            TeamMatrixWorld.climbing(), {"player_1": UniformPlayer(3, 1)}, "player_0", settings=SETTINGS, updates=0,
            seeds=SeedTree(1),
        )  # fmt: skip
