"""The scaled-down experiment: latents, a shared single policy, no information; populations never trained on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from equilibria.agents.meta_representation.settings import Attend, MRASettings
from equilibria.agents.meta_representation.solver import MRA
from equilibria.games.vector.families import family
from equilibria.games.vector.particles import ResourceOccupation, TreasureCollection
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

UPDATES, SEEDS = 50, range(200, 205)
TRAINED, UNSEEN = (3, 6, 9), (12, 15, 24)
RANDOM = {3: 1.37, 6: 2.45, 9: 3.49}
"""Mean team reward per step of uniformly drawn actions, 4000 episodes each."""

pytestmark = pytest.mark.slow


def trained(seed: int, attend: Attend = "others", **options: Any) -> MRA:
    """Train on resources, by default with the published attention, over other agents alone."""
    made = MRA(
        family(ResourceOccupation, TRAINED, UNSEEN),
        MRASettings(evaluation_worlds=400, attend=attend, **options),
        seeds=SeedTree(seed),
    )
    made.step(UPDATES)
    return made


@pytest.fixture(scope="module")
def teams() -> list[MRA]:
    return [trained(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def singles() -> list[MRA]:
    return [trained(seed, latents=1) for seed in SEEDS]


@pytest.fixture(scope="module")
def histories(teams: list[MRA]) -> list[FloatArray]:
    return [m.history()["information"] for m in teams]


def returns(made: list[MRA], n: int, *, adapted: bool = False) -> FloatArray:
    test = SeedTree(1000).child("test", n)
    return np.array([m.evaluate(n, adapted=adapted, seeds=test).mean() for m in made])


def interval(differences: FloatArray) -> tuple[float, float]:
    """Return the 95 % t interval of a mean."""
    half = float(stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences))
    return float(differences.mean()) - half, float(differences.mean()) + half


def adapted(teams: list[MRA], **rates: float) -> list[MRA]:
    made = []
    for team in teams:
        made.append(MRA(team.game, team.settings.model_copy(update=rates), seeds=team.seeds))
        made[-1].load(team.save())
    return made


@pytest.mark.parametrize("n", TRAINED)
def test_trained_teams_beat_random_play_by_forty_percent(teams: list[MRA], n: int) -> None:
    assert (returns(teams, n) > 1.4 * RANDOM[n]).all()


def test_six_agents_earn_more_than_promised(teams: list[MRA]) -> None:
    assert (returns(teams, 6) > 3.7).all()


def test_information_rises_above_a_tenth_of_a_nat_and_stays_below_log_k(histories: list[FloatArray]) -> None:
    found = np.array(histories)
    assert (found[:, 0] < 0.02).all()
    assert (found[:, -5:].mean(axis=1) > 0.1).all()
    assert found.max() <= math.log(5)


@pytest.mark.parametrize("n", UNSEEN)
def test_latents_and_a_single_policy_generalise_equally_well(teams: list[MRA], singles: list[MRA], n: int) -> None:
    """The promised advantage is not there once both are trained to the same level; see docs/results.md."""
    low, high = interval(returns(teams, n) - returns(singles, n))
    assert -0.35 < low < 0.0 < high < 0.35


def test_adapting_all_networks_improves_24_unseen_agents(teams: list[MRA]) -> None:
    tuned = adapted(teams, adaptation_relation_rate=0.003, adaptation_policy_rate=0.003)
    low, _ = interval(returns(tuned, 24, adapted=True) - returns(teams, 24))
    assert low > 0.0


@pytest.mark.parametrize("n", [12, 24])
def test_adapting_the_latents_never_costs_more_than_two_percent(teams: list[MRA], n: int) -> None:
    assert (returns(teams, n, adapted=True) > 0.98 * returns(teams, n)).all()


def test_without_the_ascent_information_stays_below_that_with_it(histories: list[FloatArray]) -> None:
    found = trained(SEEDS[0], information_steps=0)
    returns([found], 24)
    assert found.history()["information"][-5:].mean() < 0.5 * histories[0][-5:].mean()


def test_attending_to_sites_earns_far_more_than_attending_to_others_alone(teams: list[MRA]) -> None:
    """One run (seed 300); the published form earns 5.3, 6.1 and 6.9 in the mean of five."""
    ours = [trained(300, attend="entities")]
    for n, least in ((6, 6.3), (12, 8.0), (24, 9.2)):
        assert (returns(ours, n) > least).all()
        assert returns(ours, n).mean() > returns(teams, n).max() + 0.8


def collector(seed: int, **options: Any) -> MRA:
    """Train on treasures."""
    settings = MRASettings(worlds=48, evaluation_worlds=400, **options)
    made = MRA(family(TreasureCollection, TRAINED, UNSEEN), settings, seeds=SeedTree(seed))
    made.step(36)
    return made


@pytest.fixture(scope="module")
def latent_collectors() -> list[MRA]:
    return [collector(seed) for seed in range(400, 405)]


@pytest.fixture(scope="module")
def single_collectors() -> list[MRA]:
    return [collector(seed, latents=1) for seed in range(400, 405)]


@pytest.mark.parametrize(("steps", "least", "most"), [(0, 0.0, 0.05), (2, 0.1, math.log(5))])
def test_only_the_ascent_separates_latents_where_relations_learn_from_it_alone(
    steps: int, least: float, most: float
) -> None:
    found = collector(400, information_steps=steps, relation_return=False).history()["information"]
    assert least <= found[-5:].mean() < most


@pytest.mark.parametrize("n", UNSEEN)
def test_latents_generalise_better_than_a_single_policy_on_treasures(
    latent_collectors: list[MRA], single_collectors: list[MRA], n: int
) -> None:
    low, _ = interval(returns(latent_collectors, n) - returns(single_collectors, n))
    assert low > 0.0


def test_adapting_the_latents_alone_improves_24_unseen_collectors(latent_collectors: list[MRA]) -> None:
    low, _ = interval(returns(latent_collectors, 24, adapted=True) - returns(latent_collectors, 24))
    assert low > 0.0


def test_adapting_all_networks_improves_24_unseen_collectors(latent_collectors: list[MRA]) -> None:
    tuned = adapted(latent_collectors, adaptation_relation_rate=0.003, adaptation_policy_rate=0.003)
    low, _ = interval(returns(tuned, 24, adapted=True) - returns(latent_collectors, 24))
    assert low > 0.05
