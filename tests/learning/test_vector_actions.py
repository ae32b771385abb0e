"""Actions of several parts: continuous ones by normal policies, multi-discrete ones by independent softmax policies."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from pettingzoo import ParallelEnv
from scipy.stats import multivariate_normal

from equilibria.agents.learning import Learner
from equilibria.agents.learning.batches import Batch
from equilibria.agents.learning.settings import MDPOSettings, PPOSettings
from equilibria.agents.learning.spaces import spaces_of
from equilibria.agents.learning.vector_kernels import draw_normals
from equilibria.agents.learning.vector_policies import GaussianPolicy, MultiDiscretePolicy, product_policy
from equilibria.games.adapters.pettingzoo import parallel_env
from equilibria.games.foreign import ForeignWorld, pettingzoo_world
from equilibria.games.vector import LinearQuadratic
from equilibria.sim.errors import IllegalAction, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.testing import check_game
from equilibria.testing import check_env

SMALL: dict[str, Any] = {"worlds": 8, "steps": 8, "certificate_updates": 1, "certificate_episodes": 8}


class Toy(ParallelEnv):  # type: ignore[misc]
    """Two agents, one step: paid by what they do; the spaces are the arguments."""

    metadata: ClassVar[dict[str, Any]] = {"name": "toy_v0"}

    def __init__(self, first: Any, second: Any) -> None:
        self.possible_agents = ["left", "right"]
        self.kinds = {"left": first, "right": second}
        self.seen = Box(0, 1, (2,), np.float32)

    def observation_space(self, agent: str) -> Any:
        return self.seen

    def action_space(self, agent: str) -> Any:
        return self.kinds[agent]

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        return {a: np.ones(2, np.float32) for a in self.agents}, {a: {} for a in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        self.last = actions
        for agent, action in actions.items():
            assert self.kinds[agent].contains(action), (agent, action)
        names, self.agents = self.agents, []
        paid = {a: float(np.sum(np.asarray(actions[a], np.float64) == 1)) for a in names}
        over, cut = dict.fromkeys(names, True), dict.fromkeys(names, False)
        return {a: np.ones(2, np.float32) for a in names}, paid, over, cut, {a: {} for a in names}


def toy(first: Any, second: Any) -> ForeignWorld:
    return ForeignWorld(lambda: Toy(first, second), name="toy")


def gen(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch_of(policy: Any, obs: torch.Tensor, seed: int = 3) -> Batch:
    """Act once and return what an update would see."""
    with torch.no_grad():
        action = policy.act(obs, None, policy.begin(len(obs), gen(0)), gen(seed))
    zeros = torch.zeros(obs.shape[:2])
    return Batch(
        obs, obs.flatten(1), None, action.actions, action.log_prob, zeros, zeros, zeros, None,
        torch.zeros(len(obs), dtype=torch.bool), torch.arange(len(obs)), extras=action.extras,
    )  # fmt: skip


def test_log_densities_are_those_of_scipy_and_entropies_the_closed_form() -> None:
    policy = GaussianPolicy(spaces_of(toy(Box(-1, 1, (3,)), Box(-1, 1, (3,)))), PPOSettings(), gen(1))
    with torch.no_grad():
        policy.log_std.add_(torch.tensor([[0.3, -0.7, 0.1]]))
        policy.head.bias.add_(0.4)
    batch = batch_of(policy, torch.rand(5, 2, 2, generator=gen(2)))
    with torch.no_grad():
        found = policy.evaluate(batch)
    assert found.log_probs is not None
    mean, log_std = found.log_probs.double().numpy()[..., :3], np.array([0.3, -0.7, 0.1])
    drawn = batch.extras["drawn"].double().numpy()
    for m in range(5):
        for n in range(2):
            law = multivariate_normal(mean[m, n], np.diag(np.exp(2 * log_std)))
            assert float(found.log_prob[m, n]) == pytest.approx(float(law.logpdf(drawn[m, n])), abs=1e-5)
            assert float(found.entropy[m, n]) == pytest.approx(float(law.entropy()), abs=1e-5)
    assert torch.allclose(found.log_prob, batch.log_prob, atol=1e-5)  # what was stored when acting


def test_agents_with_fewer_parts_leave_the_last_ones_out() -> None:
    spaces = spaces_of(toy(Box(-1, 1, (3,)), Box(-1, 1, (1,))))
    policy = GaussianPolicy(spaces, PPOSettings(), gen(1))
    batch = batch_of(policy, torch.rand(4, 2, 2, generator=gen(2)))
    found = policy.evaluate(batch)
    one = 0.5 * math.log(2 * math.pi * math.e)
    assert found.entropy[0].tolist() == pytest.approx([3 * one, one], abs=1e-5)
    before = found.log_prob.clone()
    batch.extras["drawn"][:, 1, 1:] = 1e3
    after = policy.evaluate(batch).log_prob
    assert torch.equal(before, after)


def test_gradients_are_those_of_finite_differences() -> None:
    policy = GaussianPolicy(spaces_of(toy(Box(-1, 1, (2,)), Box(-1, 1, (2,)))), PPOSettings(hidden=8), gen(1))
    batch = batch_of(policy, torch.rand(64, 2, 2, generator=gen(2)))

    def loss() -> torch.Tensor:
        found = policy.evaluate(batch)
        return (found.log_prob.double() * weight).sum() + found.entropy.double().sum()

    weight = torch.randn(64, 2, generator=gen(5)).double()
    loss().backward()
    for parameter, index in ((policy.log_std, (0, 1)), (policy.head.bias, (0, 0)), (policy.head.weight, (0, 1, 3))):
        assert parameter.grad is not None
        slope, step, ends = float(parameter.grad[index]), 1e-2, []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[index] += sign * step
                ends.append(float(loss().detach()))
                parameter[index] -= sign * step
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=2e-2, abs=2e-2)


def test_divergences_are_closed_forms_and_zero_for_equals() -> None:
    policy = GaussianPolicy(spaces_of(LinearQuadratic()), PPOSettings(), gen(1))
    same = torch.tensor([[[0.5, math.log(2.0)]]])
    other = torch.tensor([[[-0.5, 0.0]]])
    assert float(policy.divergence(same, same)) == 0.0
    assert float(policy.divergence(same, other)) == pytest.approx(0.5 * (4.0 + 1.0 - 1.0) - math.log(2.0), abs=1e-6)


def test_normal_numbers_do_not_depend_on_the_batch_and_are_standard() -> None:
    few, many = np.empty((3, 2, 3), np.float32), np.empty((40_000, 2, 3), np.float32)
    for out in (few, many):
        draw_normals(np.uint64(9), out)
    assert np.array_equal(few, many[:3])
    flat = many.reshape(-1, 6).astype(np.float64)
    assert np.abs(flat.mean(axis=0)).max() < 0.02
    assert np.abs(np.cov(flat.T) - np.eye(6)).max() < 0.03
    assert abs(float((np.abs(flat) < 1.959964).mean()) - 0.95) < 0.003


def test_numbers_fill_closed_bounds_and_are_clipped_when_they_are_sent() -> None:
    spaces = spaces_of(toy(Box(0, 1, (1,)), Box(np.array([-np.inf], np.float32), np.array([2], np.float32))))
    policy = GaussianPolicy(spaces, PPOSettings(), gen(1))
    drawn = torch.tensor([[[0.0], [0.0]], [[0.5], [-7.0]], [[3.0], [5.0]]])
    assert policy.sent(drawn)[..., 0].tolist() == [[0.5, 0.0], [0.75, -7.0], [1.0, 2.0]]


def test_multi_discrete_log_probabilities_are_sums_over_parts() -> None:
    policy = MultiDiscretePolicy(spaces_of(toy(MultiDiscrete([3, 2]), MultiDiscrete([4, 1]))), PPOSettings(), gen(1))
    with torch.no_grad():
        policy.head.bias.add_(torch.randn(8, generator=gen(4)))
    batch = batch_of(policy, torch.rand(200, 2, 2, generator=gen(2)))
    assert batch.actions[:, 0].amax(dim=0).tolist() == [2, 1] and batch.actions[:, 1].amax(dim=0).tolist() == [3, 0]
    found = policy.evaluate(batch)
    with torch.no_grad():
        logits = policy._evaluating(batch).view(200, 2, 2, 4)
    left = [torch.log_softmax(logits[:, 0, j, :k], -1) for j, k in ((0, 3), (1, 2))]
    chosen = [p.gather(1, batch.actions[:, 0, j : j + 1])[:, 0] for j, p in enumerate(left)]
    assert torch.allclose(found.log_prob[:, 0], chosen[0] + chosen[1], atol=1e-6)
    entropy = sum(-(p.exp() * p).sum(-1) for p in left)
    assert torch.allclose(found.entropy[:, 0], torch.as_tensor(entropy), atol=1e-6)
    assert torch.allclose(found.log_prob, batch.log_prob, atol=1e-5)


@pytest.mark.parametrize(
    "kinds",
    [
        (Box(-1, 1, (2,)), Box(0, 3, (2, 2))),
        (MultiDiscrete([3, 2]), MultiBinary(3)),
        (Box(-1, 1, (2,)), Box(-1, 1, (2,))),
    ],
    ids=["box", "multi", "equal"],
)
@pytest.mark.parametrize("settings", [PPOSettings, MDPOSettings])
def test_every_kind_is_learned_saved_and_certified(kinds: tuple[Any, Any], settings: type[PPOSettings]) -> None:
    """The environment asserts that every action lies in its space; agents may differ in the number of parts."""
    world = toy(*kinds)
    through = Learner(world, settings(**SMALL), seeds=SeedTree(1), budget=4)
    through.step(2)
    assert through.latest["first_log_ratio"] < 1e-5
    again = Learner(world, settings(**SMALL), seeds=SeedTree(1), budget=4)
    again.load(through.save())
    for learner in (through, again):
        learner.step(1)
    assert again.latest == through.latest
    assert again.certificate().to_json() == through.certificate().to_json()


def test_one_role_learns_against_a_frozen_one_with_more_parts() -> None:
    world = toy(Box(-1, 1, (1,)), Box(-1, 1, (4,)))
    other = Learner(world, PPOSettings(**SMALL), seeds=SeedTree(1), roles=["right"], opponents={})
    learner = Learner(
        world, PPOSettings(**SMALL), seeds=SeedTree(2), roles=["left"], opponents={"right": other.player()}
    )
    learner.step(1)
    assert learner.evaluate(4, SeedTree(3)).shape == (4, 2)


def test_recurrent_and_separate_networks_play_continuous_actions() -> None:
    world = toy(Box(-1, 1, (2,)), Box(-1, 1, (2,)))
    for extra in ({"recurrent": True, "chunk": 4}, {"share": "none"}):
        learner = Learner(world, PPOSettings(**SMALL, **extra), seeds=SeedTree(1))
        learner.step(2)
        assert learner.latest["first_log_ratio"] < 1e-5
    policy = learner.actor
    assert policy.log_std.shape == (2, 2)
    obs = torch.rand(3, 2, 2, generator=gen(1))
    both = policy.act(obs, None, {}, gen(1), greedy=True).actions
    alone = policy.single(1).act(obs[:, 1:], None, {}, gen(1), greedy=True).actions
    assert torch.allclose(both[:, 1:], alone, atol=1e-6)


@pytest.mark.heavy
def test_multi_discrete_parts_are_learned() -> None:
    """Paid for every part that equals 1: the optimum is 2 for three by two options, 3 for three bits."""
    settings = PPOSettings(worlds=16, steps=8, actor_lr=5e-3)
    learner = Learner(toy(MultiDiscrete([3, 2]), MultiBinary(3)), settings, seeds=SeedTree(4))
    learner.step(30)
    assert learner.evaluate(64, SeedTree(5), greedy=True).mean(axis=0).tolist() == [2.0, 3.0]


def share_of_optimum(learner: Learner, world: LinearQuadratic) -> float:
    """Return (J - J of doing nothing) / (J* - J of doing nothing) of the mean action, in the same worlds."""
    worlds, steps = 512, 60
    found = []
    for rule in ("learned", "best", "nothing"):
        state, total = LinearQuadratic(horizon=10_000).reset(77, worlds), np.zeros(worlds)
        for t in range(steps):
            obs = torch.from_numpy(state.observation.copy())
            with torch.inference_mode():
                action = learner.actor.act(obs, None, {}, gen(0), greedy=True).actions.double().numpy()
            if rule != "learned":
                action = -(world.best_gain() if rule == "best" else 0.0) * obs.double().numpy()
            world.step(state, {"agent": action})
            total += world.discount**t * state.reward[:, 0]
        found.append(float(total.mean()))
    return (found[0] - found[2]) / (found[1] - found[2])


def regulated(settings: PPOSettings, seed: int, samples: int = 200_000) -> float:
    world = LinearQuadratic()
    updates = samples // (settings.worlds * settings.steps)
    learner = Learner(world, settings, seeds=SeedTree(seed), budget=updates)
    learner.step(updates)
    return share_of_optimum(learner, world)


def test_the_linear_world_has_the_values_of_its_riccati_equation() -> None:
    """Simulated returns of the best and of a noisy rule against closed forms; 4,000 worlds, within four s.e."""
    world = LinearQuadratic(horizon=1000)
    for gain, deviation in ((world.best_gain(), 0.0), (0.5, 0.7)):
        state, total, rng = world.reset(3, 4000), np.zeros(4000), np.random.default_rng(1)
        for t in range(100):
            u = -gain * state.own["place"][:, None, None] + deviation * rng.standard_normal((4000, 1, 1))
            world.step(state, {"agent": u})
            total += world.discount**t * state.reward[:, 0]
        error = total.std() / math.sqrt(4000)
        assert abs(total.mean() - world.value(gain, deviation)) < 4 * error
    nearby = [world.value(world.best_gain() + d) for d in (-1e-3, 1e-3)]
    assert max(nearby) < world.optimum()


@pytest.mark.heavy
def test_ppo_regulates_a_linear_state() -> None:
    assert regulated(PPOSettings(discount=0.9, entropy_weight=0.0), 0) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("settings", [PPOSettings, MDPOSettings])
def test_five_of_five_seeds_regulate_a_linear_state_in_200_000_samples(settings: type[PPOSettings]) -> None:
    found = [regulated(settings(discount=0.9, entropy_weight=0.0), seed) for seed in range(11, 16)]
    print(settings.__name__, np.round(found, 4))
    assert min(found) >= 0.97


def test_continuous_worlds_satisfy_the_contracts_and_pettingzoo() -> None:
    check_game(lambda: LinearQuadratic(horizon=7))
    check_env(lambda: parallel_env(LinearQuadratic(horizon=7)))


def test_mpe_with_continuous_actions_is_a_game() -> None:
    world = pettingzoo_world("mpe2.simple_spread_v3", max_cycles=8, continuous_actions=True)
    spec = world.roles["agent"]
    assert (spec.count, spec.actions, spec.action_shape) == (3, 0, (5,))
    assert (spec.low, spec.high) == ((0.0,) * 5, (1.0,) * 5)
    learner = Learner(world, PPOSettings(**SMALL), seeds=SeedTree(1))
    learner.step(1)
    assert math.isfinite(learner.latest["mean_return"])


def test_bad_input_has_names() -> None:
    world = LinearQuadratic()
    state = world.reset(0, 2)
    for wrong, said in (
        (np.zeros((2, 1), np.float64), "shape"),
        (np.zeros((2, 1, 1), np.int64), "floating-point"),
        (np.array([[[0.0]], [[np.nan]]]), "part 0 of the action of agent 0 in world 1 must be finite"),
    ):
        with pytest.raises(IllegalAction, match=said):
            world.step(state, {"agent": wrong})
    multi = toy(MultiDiscrete([3, 2]), MultiDiscrete([3, 2]))
    begun = multi.reset(0, 1)
    with pytest.raises(IllegalAction, match=r"part 1 .* must lie in 0\.\.1, got 2"):
        multi.step(begun, {"left": np.array([[[0, 2]]]), "right": np.array([[[0, 0]]])})
    with pytest.raises(Exception, match="same kind of actions"):
        toy(Discrete(2), Box(-1, 1, (2,)))
    with pytest.raises(Unsupported, match="must be Discrete"):
        toy(Discrete(2, start=1), Discrete(2))
    with pytest.raises(Unsupported, match="parts"):
        Learner(world, PPOSettings(**SMALL), seeds=SeedTree(0)).table("first_actions")
    with pytest.raises(Unsupported, match="normal policies need"):
        GaussianPolicy(spaces_of(multi), PPOSettings(), gen(0))
    assert isinstance(product_policy(spaces_of(multi), PPOSettings(), gen(0)), MultiDiscretePolicy)
