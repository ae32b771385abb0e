"""Learners on processes whose optimum dynamic programming gives, and closed forms of outer step and noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.policies import ProductPolicy
from equilibria.agents.learning.settings import MDPOSettings, PPOSettings
from equilibria.games.vector.markov import MarkovWorld, RecallWorld, chain, contextual_bandit, random_process
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


def share_of_optimum(learner: Learner, world: MarkovWorld) -> float:
    states = torch.eye(len(world.start)).unsqueeze(1)
    assert isinstance(learner.actor, ProductPolicy)
    with torch.no_grad():
        logits, _ = learner.actor.trunk.headed(learner.actor.head, states)
    probabilities = torch.softmax(logits.double(), -1)[:, 0].numpy()
    low = world.uniform_value()
    return (world.value(probabilities) - low) / (world.optimum() - low)


def trained(world: MarkovWorld, settings: PPOSettings, seed: int, samples: int = 200_000) -> float:
    updates = samples // (settings.worlds * settings.steps)
    learner = Learner(world, settings, seeds=SeedTree(seed), budget=updates)
    learner.step(updates)
    return share_of_optimum(learner, world)


WORLDS: list[tuple[str, Callable[[int], MarkovWorld], float]] = [
    ("chain", lambda seed: chain(), 0.99),
    ("dense", lambda seed: random_process(np.random.default_rng(seed)), 0.97),
    ("bandit", lambda seed: contextual_bandit(np.random.default_rng(seed)), 0.99),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "make", "promised"), WORLDS, ids=lambda x: x if isinstance(x, str) else "")
def test_ppo_reaches_the_optimum_of_a_known_process(
    name: str, make: Callable[[int], MarkovWorld], promised: float
) -> None:
    world = make(0)
    assert trained(world, PPOSettings(discount=world.discount), 0) >= promised


@pytest.mark.slow
@pytest.mark.parametrize("settings", [PPOSettings, MDPOSettings])
@pytest.mark.parametrize(("name", "make", "promised"), WORLDS, ids=lambda x: x if isinstance(x, str) else "")
def test_five_of_five_seeds_reach_the_optimum_in_200_000_samples(
    name: str, make: Callable[[int], MarkovWorld], promised: float, settings: type[PPOSettings]
) -> None:
    found = [trained(make(seed), settings(discount=make(seed).discount), seed) for seed in range(5)]
    print(name, settings.__name__, np.round(found, 4))
    assert min(found) >= promised


@pytest.mark.heavy
def test_with_a_gru_a_bit_is_recalled_and_without_one_it_is_not() -> None:
    found = {}
    for recurrent in (True, False):
        settings = PPOSettings(worlds=128, steps=12, chunk=12, recurrent=recurrent, hidden=32, actor_lr=2e-3)
        learner = Learner(RecallWorld(5), settings, seeds=SeedTree(1))
        learner.step(50 if recurrent else 10)
        found[recurrent] = float(learner.evaluate(1000, SeedTree(2), greedy=recurrent).mean())
    assert found[True] >= 0.95
    assert found[False] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(("time_limit", "low", "high"), [("bootstrap", 9.95, 10.05), ("terminal", 0.0, 7.0)])
def test_a_state_that_pays_for_ever_is_worth_ten_unless_the_clock_ends_it(
    time_limit: str, low: float, high: float
) -> None:
    world = MarkovWorld([[[1.0]]], [[1.0]], discount=0.9, horizon=10)
    settings = PPOSettings.model_validate(
        {"worlds": 16, "steps": 20, "discount": 0.9, "time_limit": time_limit, "critic_lr": 1e-2,
         "value_clip": None, "value_norm_decay": 0.9, "epochs": 4, "minibatches": 1, "hidden": 16}
    )  # fmt: skip
    learner = Learner(world, settings, seeds=SeedTree(1))
    learner.step(60)
    assert low < float(learner._storage().targets.mean()) < high


def test_exact_values_of_processes_are_those_of_paper_and_pencil() -> None:
    world = chain(3, discount=0.5)
    assert world.optimum() == pytest.approx(0.5)  # two steps to the end, then 1/(1 - 1/2) from there: 0.25 * 2
    right = np.tile([0.0, 1.0], (3, 1))
    assert world.value(right) == pytest.approx(world.optimum())
    bandit = contextual_bandit(np.random.default_rng(1), 3, 2)
    assert bandit.optimum() == pytest.approx(bandit.rewards.max(axis=1).mean())
    assert bandit.uniform_value() == pytest.approx(bandit.rewards.mean())
    with pytest.raises(InvalidValue, match="distribution"):
        MarkovWorld([[[0.5]]], [[1.0]])


def test_worlds_of_a_process_move_by_its_probabilities() -> None:
    world = random_process(np.random.default_rng(3), 3, 2, horizon=10_000)
    state = world.reset(1, 2000)
    counts = np.zeros((3, 3))
    rng = np.random.default_rng(5)
    for _ in range(100):
        before = state.observation[:, 0].argmax(axis=1)
        actions = rng.integers(0, 2, (2000, 1))
        world.step(state, {"agent": actions})
        moved = actions[:, 0] == 1
        np.add.at(counts, (before[moved], state.observation[moved, 0].argmax(axis=1)), 1)
    assert counts / counts.sum(axis=1, keepdims=True) == pytest.approx(world.transition[:, 1], abs=0.01)


def bandit_plateau(rate: float, samples: int, *, seeds: int, steps: int = 400) -> FloatArray:
    """Expected reward [steps] of softmax policies on ten arms that follow noisy gradients, mean over seeds."""
    rng = np.random.default_rng(7)
    means = np.linspace(0, 1, 10)
    logits = np.zeros((seeds, 10))
    found = np.zeros(steps)
    for step in range(steps):
        policy = np.exp(logits - logits.max(axis=1, keepdims=True))
        policy /= policy.sum(axis=1, keepdims=True)
        arms = (rng.random((seeds, samples, 1)) > policy.cumsum(axis=1)[:, None]).sum(axis=2).clip(max=9)
        pay = means[arms] + 3 * rng.standard_normal(arms.shape)
        edge = pay - pay.mean(axis=1, keepdims=True)
        pull = np.zeros_like(policy)
        np.add.at(pull, (np.arange(seeds)[:, None], arms), edge / samples)
        logits += rate * (pull - edge.mean(axis=1, keepdims=True) * policy)
        policy = np.exp(logits - logits.max(axis=1, keepdims=True))
        found[step] = (policy / policy.sum(axis=1, keepdims=True) @ means).mean()
    return found


def test_a_noisy_gradient_step_settles_where_step_and_samples_say() -> None:
    rng = np.random.default_rng(1)
    for rate, samples, want in ((0.5, 4, 0.0416667), (0.5, 64, 0.0026042), (1.5, 4, 0.375)):
        x = np.zeros(20_000)
        for _ in range(400):
            x -= rate * (x + rng.standard_normal(20_000) / np.sqrt(samples))
        assert 0.5 * (x**2).mean() == pytest.approx(want, rel=0.03)
        assert rate / (2 * samples * (2 - rate)) == pytest.approx(want, abs=5e-8)


@pytest.mark.heavy
def test_the_plateau_of_large_steps_rises_with_the_samples_and_small_steps_pass_it() -> None:
    few, many = bandit_plateau(3.0, 8, seeds=2000), bandit_plateau(3.0, 64, seeds=300)
    small, waste = bandit_plateau(0.3, 8, seeds=1000), bandit_plateau(0.3, 512, seeds=10)
    assert few[[99, 199, 399]] == pytest.approx([0.715, 0.739, 0.749], abs=0.02)
    assert many[[99, 199, 399]] == pytest.approx([0.938, 0.946, 0.949], abs=0.02)
    assert small[[99, 199, 399]] == pytest.approx([0.753, 0.857, 0.912], abs=0.02)
    assert waste[[99, 199, 399]] == pytest.approx([0.820, 0.959, 0.988], abs=0.02)
    assert waste[49] == pytest.approx(0.657, abs=0.02)  # as many samples as 3,200 steps of 8
