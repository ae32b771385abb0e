"""Contextual preference games and network policies trained on sampled comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.preference.contextual import ContextualGame, Training, train
from equilibria.agents.solvers.preference.network import Perceptron
from equilibria.games.matrix.preference import PreferenceGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def test_contextual_preferences_are_preference_games() -> None:
    game = ContextualGame.random(SeedTree(0))
    contexts = np.random.default_rng(0).standard_normal((5, 8))
    policy = np.full((5, 10), 0.1)
    for p, gap in zip(game.preference(contexts), game.gaps(contexts, policy), strict=True):
        assert PreferenceGame.symmetrised(p).gap(policy[0]) == pytest.approx(gap)
        np.testing.assert_allclose(p + p.T, 1, atol=1e-12)


def test_cycle_has_four_items_ahead_four_behind_and_one_opposite() -> None:
    cycle = ContextualGame.random(SeedTree(0)).cycle
    np.testing.assert_array_equal(cycle, -cycle.T)
    assert cycle[0].tolist() == [0, 1, 1, 1, 1, 0, -1, -1, -1, -1]


def test_network_gradient_matches_finite_differences() -> None:
    rng = np.random.default_rng(1)
    x, direction = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    network = Perceptron((3, 4, 4, 2), rng, rate=1e-6)
    before = float((network(x) * direction).sum())
    old = [w.copy() for w in network.weights]
    network.descend_(x, direction)
    # Adam's first step is rate * sign(gradient): the loss must fall by rate * sum |gradient|
    total = 0.0
    for layer, start in enumerate(old):
        moved = network.weights[layer] - start
        np.testing.assert_allclose(np.abs(moved), 1e-6, rtol=1e-2)
        for place in ((0, 0), (1, 1)):
            changed = [w.copy() for w in old]
            changed[layer][place] += 1e-6
            network.weights, kept = changed, network.weights
            biases, network.biases = network.biases, [np.zeros_like(b) for b in network.biases]
            slope = float((network(x) * direction).sum()) - before
            network.weights, network.biases = kept, biases
            assert np.sign(slope) == -np.sign(moved[place])
            total += abs(slope)
    assert before - float((network(x) * direction).sum()) > total


@pytest.mark.parametrize("method", ["inpo", "sppo", "spo", "bradley_terry"])
def test_short_training_improves_on_uniform(method: str) -> None:
    seeds = SeedTree(2)
    game = ContextualGame.random(seeds)
    contexts = seeds.child("held out").generator().standard_normal((64, 8))
    policy = train(game, method, contexts, Training(steps=60, contexts=64), seeds)  # type: ignore[arg-type]
    np.testing.assert_allclose(policy.sum(axis=1), 1, atol=1e-9)
    assert game.gaps(contexts, policy).mean() < game.gaps(contexts, np.full((64, 10), 0.1)).mean()


@pytest.mark.slow
def test_playing_the_game_beats_a_reward_model() -> None:
    seeds = SeedTree(0)
    game = ContextualGame.random(seeds)
    contexts = seeds.child("held out").generator().standard_normal((512, 8))
    gap = {}
    for method in ("inpo", "sppo", "bradley_terry"):
        policy = train(game, method, contexts, Training(), seeds.child(method))
        gap[method] = float(game.gaps(contexts, policy).mean())
    # measured 0.080, 0.103 and 0.215; the reward model's argmax 0.105
    assert gap["inpo"] <= 0.5 * gap["bradley_terry"]
    assert gap["sppo"] <= 0.5 * gap["bradley_terry"]


@pytest.mark.slow
def test_where_the_cycle_is_as_strong_as_the_scores_the_lead_is_smaller() -> None:
    seeds = SeedTree(0)
    game = ContextualGame.random(seeds, spread=8**-0.5)
    contexts = seeds.child("held out").generator().standard_normal((512, 8))
    gap = {}
    for method in ("inpo", "sppo", "bradley_terry"):
        policy = train(game, method, contexts, Training(), seeds.child(method))
        gap[method] = float(game.gaps(contexts, policy).mean())
    # measured 0.26, 0.24 and 0.36
    assert gap["inpo"] < 0.8 * gap["bradley_terry"]
    assert gap["sppo"] < 0.75 * gap["bradley_terry"]


def test_wrong_training_is_refused() -> None:
    with pytest.raises(InvalidValue, match="tau <= eta"):
        Training(tau=2.0)
    with pytest.raises(InvalidValue, match="samples"):
        Training(samples=1)
    with pytest.raises(InvalidValue, match="items >= 3"):
        ContextualGame.random(SeedTree(0), items=2)
    with pytest.raises(InvalidValue, match="spread"):
        ContextualGame.random(SeedTree(0), spread=-1.0)
    with pytest.raises(InvalidValue, match="method"):
        train(ContextualGame.random(SeedTree(0)), "dpo", np.zeros((1, 8)), Training(), SeedTree(0))  # type: ignore[arg-type]
