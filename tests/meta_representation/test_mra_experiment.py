"""The scaled-down experiment: latents, a shared single policy, no information; populations never trained on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equilibria.agents.meta_representation.settings import MRASettings
from equilibria.agents.meta_representation.solver import MRA
from equilibria.games.vector.families import family
from equilibria.games.vector.particles import ResourceOccupation
from equilibria.sim.seeds import SeedTree

UPDATES, SEEDS = 40, (0, 1, 2)
RANDOM = {3: 1.37, 6: 2.45, 9: 3.49}
"""Mean team reward per step of uniformly drawn actions, 4000 episodes each."""


def trained(seed: int, **options: float) -> MRA:
    settings = MRASettings(evaluation_worlds=400, **options)  # type: ignore[arg-type]
    made = MRA(family(ResourceOccupation, [3, 6, 9], [12, 24]), settings, seeds=SeedTree(seed))
    made.step(UPDATES)
    return made


@pytest.fixture(scope="module")
def teams() -> list[MRA]:
    return [trained(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def singles() -> list[MRA]:
    return [trained(seed, latents=1) for seed in SEEDS]


def returns(made: list[MRA], n: int, *, adapted: bool = False) -> np.ndarray:
    return np.array([m.evaluate(n, adapted=adapted, seeds=SeedTree(1000).child("test", n)).mean() for m in made])


@pytest.mark.slow
def test_trained_teams_beat_random_play(teams: list[MRA]) -> None:
    assert (returns(teams, 3) > 1.4 * RANDOM[3]).all()
    assert (returns(teams, 6) > 3.7).all()
    assert (returns(teams, 9) > 1.25 * RANDOM[9]).all()


@pytest.mark.slow
def test_information_rises_and_stays_below_log_k(teams: list[MRA]) -> None:
    found = np.array([m.history()["information"] for m in teams])
    assert (found[:, 0] < 0.02).all()
    assert (found[:, -5:].mean(axis=1) > 0.04).all()
    assert found.max() <= math.log(5)


@pytest.mark.slow
def test_without_the_ascent_information_stays_low() -> None:
    found = trained(0, information_steps=0).history()["information"]
    assert found.max() < 0.05


@pytest.mark.slow
def test_latents_generalise_better_to_24_agents_than_a_single_policy(teams: list[MRA], singles: list[MRA]) -> None:
    gaps = returns(teams, 24) - returns(singles, 24)
    assert gaps.mean() > 0.0
    assert (returns(teams, 12) - returns(singles, 12)).mean() > -0.1


@pytest.mark.slow
def test_adapting_networks_improves_24_agents(teams: list[MRA]) -> None:
    rates = {"adaptation_relation_rate": 0.01, "adaptation_policy_rate": 0.01}
    gains = []
    for made in teams:
        tuned = MRA(made.game, made.settings.model_copy(update=rates), seeds=made.seeds)
        tuned.load(made.save())
        gains.append(float((returns([tuned], 24, adapted=True) - returns([tuned], 24))[0]))
    assert min(gains) >= 0.0
    assert np.mean(gains) > 0.3


@pytest.mark.slow
def test_adaptation_never_lowers_the_return_by_more_than_two_percent(teams: list[MRA]) -> None:
    for n in (12, 24):
        assert (returns(teams, n, adapted=True) > 0.98 * returns(teams, n)).all()
