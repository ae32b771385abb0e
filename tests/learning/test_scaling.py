"""Outer steps: the recipe for more worlds, plateaus and their cause, averaged reference policies."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.losses import decoupled_loss, policy_loss
from equilibria.agents.learning.scaling import diagnose, on_plateau
from equilibria.agents.learning.settings import MAPPOSettings, PPOSettings
from equilibria.games.vector.markov import contextual_bandit
from equilibria.games.vector.spread import SimpleSpread
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


def test_more_worlds_mean_more_minibatches_of_the_same_size_and_rate() -> None:
    base = PPOSettings(worlds=32, minibatches=2, base_worlds=32)
    large = base.model_copy(update={"worlds": 128})
    assert (base.parts, large.parts) == (2, 8)
    assert base.worlds / base.parts == large.worlds / large.parts
    assert large.rate_factor == 1.0
    other = large.model_copy(update={"scaling": "sqrt_rate"})
    assert (other.parts, other.rate_factor) == (2, 2.0)
    assert PPOSettings(worlds=512, minibatches=3).parts == 3
    learner = Learner(
        contextual_bandit(np.random.default_rng(1)), PPOSettings(worlds=64, steps=2, base_worlds=16, minibatches=1),
        seeds=SeedTree(1),
    )  # fmt: skip
    assert [len(index) for index, _ in learner.updates.minibatches()] == [32] * 4


def test_a_plateau_is_where_the_return_stopped_growing() -> None:
    steps = np.linspace(0, 1, 100)
    assert not on_plateau(steps)
    assert on_plateau(np.minimum(steps, 0.6))
    assert on_plateau(np.where(steps > 0.5, np.nan, np.minimum(steps, 0.1)))
    with pytest.raises(InvalidValue, match="at least 20 updates"):
        on_plateau(np.ones(19))


class NoisyDescent:
    """The model of an outer loop: x <- x - rate (x + noise), return -x^2 / 2."""

    def __init__(self, settings: PPOSettings, x: FloatArray, noise: float) -> None:
        self.settings, self.x, self.noise = settings, x, noise
        self._rng, self._returns = np.random.default_rng(3), [0.0]

    def step(self, n: int) -> None:
        for _ in range(n):
            self.x = self.x - self.settings.actor_lr * (self.x + self.noise * self._rng.standard_normal(self.x.shape))
            self._returns.append(-0.5 * float((self.x**2).mean()))

    def history(self) -> dict[str, FloatArray]:
        found, self._returns = np.array(self._returns[1:]), [0.0]
        return {"mean_return": found}

    def fork(self, settings: PPOSettings) -> NoisyDescent:
        return NoisyDescent(settings, self.x.copy(), self.noise)


@pytest.mark.parametrize(("noise", "words"), [(1.0, "noise plateau"), (0.0, "another cause")])
def test_the_learning_rate_test_tells_noise_from_other_causes(noise: float, words: str) -> None:
    run: Any = NoisyDescent(PPOSettings(actor_lr=0.9), np.full(64, 60.0), noise)
    run.step(300)
    x = run.x.copy()
    found = diagnose(run, run.history()["mean_return"])
    assert found.plateau
    assert words in found.verdict
    assert np.array_equal(x, run.x)
    if noise:  # stationary losses rate / (2 (2 - rate)) for both steps
        assert found.gain == pytest.approx(0.9 / 2.2 - 0.18 / 3.64, abs=0.1)


def test_a_fork_goes_on_without_moving_its_origin() -> None:
    world = contextual_bandit(np.random.default_rng(2), 4, 3)
    learner = Learner(world, PPOSettings(worlds=8, steps=2, minibatches=1, hidden=8), seeds=SeedTree(1))
    learner.step(2)
    before = learner.save()
    twin = learner.fork(learner.settings)
    twin.step(2)
    assert all(np.array_equal(value, learner.save().arrays[name]) for name, value in before.arrays.items())
    learner.step(2)
    assert all(np.array_equal(value, learner.save().arrays[name]) for name, value in twin.save().arrays.items())


def test_a_growing_run_is_not_tested() -> None:
    learner = Learner(contextual_bandit(np.random.default_rng(1)), PPOSettings(worlds=4), seeds=SeedTree(1))
    assert diagnose(learner, np.arange(50.0)).verdict.startswith("no plateau")


def test_with_the_acting_policy_as_reference_the_decoupled_loss_is_that_of_ppo() -> None:
    g = torch.Generator().manual_seed(1)
    new, old, gain = (torch.randn(200, generator=g) * 0.4 for _ in range(3))
    plain = policy_loss(new, old, gain, torch.zeros(200), entropy_weight=0.0).loss
    assert torch.allclose(decoupled_loss(new, old, old, gain), plain, atol=1e-6)
    # reference twice as likely as when acting, present three times: r = 1.5 is clipped to 1.2, times 2
    present, middle, acting = (torch.log(torch.tensor([x])) for x in (3.0, 2.0, 1.0))
    assert float(decoupled_loss(present, middle, acting, torch.ones(1))) == pytest.approx(-2.4)
    assert float(decoupled_loss(present, middle, acting, -torch.ones(1))) == pytest.approx(3.0)


def test_the_reference_policy_is_the_average_of_past_ones() -> None:
    world = contextual_bandit(np.random.default_rng(1))
    settings = PPOSettings(worlds=8, steps=1, epochs=1, minibatches=1, reference_decay=0.5)
    learner = Learner(world, settings, seeds=SeedTree(1))
    assert learner.updates.reference is not None
    first = learner.actor.head.weight.detach().clone()
    learner.step(1)
    second = learner.actor.head.weight.detach().clone()
    learner.step(1)
    third = learner.actor.head.weight.detach()
    assert torch.allclose(learner.updates.reference.head.weight, 0.25 * first + 0.25 * second + 0.5 * third, atol=1e-6)


@pytest.mark.slow
def test_twice_the_worlds_cost_twice_the_time_at_equal_minibatches_and_less_at_equal_numbers_of_them() -> None:
    def learner(worlds: int, parts: int) -> Learner:
        settings = MAPPOSettings(worlds=worlds, steps=25, minibatches=parts)
        return Learner(SimpleSpread(), settings, seeds=SeedTree(1))

    learners = {(b, k): learner(b, k) for b, k in ((128, 4), (256, 8), (128, 16), (256, 16))}
    times: dict[tuple[int, int], list[float]] = {case: [] for case in learners}
    for _ in range(25):
        for case, found in learners.items():
            start = time.process_time()
            found.step()
            times[case].append(time.process_time() - start)
    cost = {case: float(np.median(t[3:])) for case, t in times.items()}
    print({case: round(1e3 * seconds, 2) for case, seconds in cost.items()})
    assert cost[256, 8] / cost[128, 4] == pytest.approx(2.0, rel=0.15)
    assert cost[256, 16] / cost[128, 16] < 2.0


@pytest.mark.slow
def test_more_worlds_by_the_recipe_raise_the_return_and_larger_minibatches_do_not_beat_it_at_128() -> None:
    def final(worlds: int, scaling: str) -> FloatArray:
        settings = MAPPOSettings.model_validate(
            {"worlds": worlds, "steps": 25, "minibatches": 1, "base_worlds": 32, "scaling": scaling}
        )
        found = []
        for seed in range(3):
            learner = Learner(SimpleSpread(), settings, seeds=SeedTree(seed))
            learner.step(300)
            found.append(float(learner.evaluate(1024, SeedTree(1000 + seed)).mean()))
        print(worlds, scaling, np.round(found, 3), flush=True)
        return np.array(found)

    small, middle, large = (final(worlds, "minibatches") for worlds in (32, 128, 512))
    assert small.mean() <= middle.mean() <= large.mean()
    other = final(128, "sqrt_rate")  # at 512 worlds it does beat the recipe: docs/results.md
    error = np.sqrt((middle.var(ddof=1) + other.var(ddof=1)) / 3)
    assert other.mean() - middle.mean() <= error
