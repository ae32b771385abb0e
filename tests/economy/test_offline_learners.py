"""The offline learners: a linear-quadratic problem with a known optimum, support, conservatism, models and penalties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.autobidding.learners.actor_critic import BoundedTD3, RegularisedTD3
from equilibria.agents.bidding.autobidding.learners.batch_constrained import REACH, BatchConstrained
from equilibria.agents.bidding.autobidding.learners.cloning import Cloning
from equilibria.agents.bidding.autobidding.learners.conservative import Conservative
from equilibria.agents.bidding.autobidding.learners.data import Learner, value
from equilibria.agents.bidding.autobidding.learners.dynamics import DynamicsEnsemble
from equilibria.agents.bidding.autobidding.learners.implicit import ImplicitQ
from equilibria.agents.bidding.autobidding.learners.model_based import Combo, Mopo
from equilibria.agents.bidding.autobidding.offline import LEARNERS
from equilibria.agents.bidding.autobidding.offline_log import HIGHEST, LOWEST, OfflineLog
from equilibria.agents.bidding.autobidding.settings import OfflineSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import NumericalError
from equilibria.sim.seeds import SeedTree

STEPS = 2


def two_steps(days: int = 3000, spread: float = 0.8) -> OfflineLog:
    """Log of x' = x + a, rewards -0.1 a^2 - [last step] (x' - 1)^2, x = 0 or more at the start, a ~ N(0, spread^2).

    The state is (steps left, x).  In the last step the best action is (1 - x) / 1.1; before it half of the way that is
    left is best, (1 - x) / 2.1, since the price of a distance d made in two steps is least for equal ones.
    """
    rng = np.random.default_rng(3)
    states, actions = np.zeros((days, STEPS, 2), np.float32), rng.normal(0.0, spread, (days, STEPS)).astype(np.float32)
    rewards = np.zeros((days, STEPS), np.float32)
    x = rng.uniform(-0.5, 0.5, days).astype(np.float32)
    for t in range(STEPS):
        states[:, t] = np.stack([np.full(days, STEPS - t), x], axis=1)
        x = x + actions[:, t]
        rewards[:, t] = -0.1 * actions[:, t] ** 2 - (t == STEPS - 1) * (x - 1.0) ** 2
    return OfflineLog(states, actions, rewards, np.ones((days, STEPS), np.bool_))


def best(x: float, left: int) -> float:
    return (1.0 - x) / (1.1 if left == 1 else 2.1)


def test_the_stated_optimum_is_the_optimum() -> None:
    grid = np.linspace(-2, 2, 401)
    for x in (-0.5, 0.0, 0.4):
        a, b = np.meshgrid(grid, grid, indexing="ij")
        total = -0.1 * (a**2 + b**2) - (x + a + b - 1.0) ** 2
        i, j = np.unravel_index(total.argmax(), total.shape)
        assert grid[i] == pytest.approx(best(x, 2), abs=0.011)
        assert grid[j] == pytest.approx(best(x + float(grid[i]), 1), abs=0.011)


def learn(kind: type[Learner], log: OfflineLog, **settings: Any) -> Any:
    small = {"batch": 128, "hidden": 32, "rate": 3e-3, "updates": 500, "model_updates": 200, "members": 3, "horizon": 1}
    return kind(log, OfflineSettings(**{**small, **settings}), seeds=SeedTree(1))


def error(policy: Any) -> float:
    """Mean distance from the optimal action over states of both steps."""
    pairs = [(left, x) for left in (1, 2) for x in (-0.4, -0.2, 0.0, 0.2, 0.4)]
    return float(np.mean([abs(policy.act(np.array(p, np.float32)) - best(p[1], p[0])) for p in pairs]))


@pytest.mark.parametrize(
    ("kind", "within", "settings"),
    [
        (RegularisedTD3, 0.2, {"ambition": 20.0}),
        (BatchConstrained, 0.4, {}),  # proposes the middle of the logged actions only: latent numbers within 0.5
        (Conservative, 0.2, {"caution": 0.05}),
        (Mopo, 0.3, {"model_updates": 400}),
        (Combo, 0.3, {"caution": 0.05}),
        (ImplicitQ, 0.35, {"expectile": 0.9, "temperature": 10.0}),
    ],
)
@pytest.mark.heavy
def test_from_random_actions_the_optimal_policy_is_learned(kind: Any, within: float, settings: dict[str, Any]) -> None:
    log = two_steps()
    assert error(learn(Cloning, log)) > 0.5  # the log's mean action is far from the optimum
    assert error(learn(kind, log, **settings)) < within


def bandit() -> OfflineLog:
    """One step, actions near -0.5 and 0.5 only, reward rising in the action: beyond the data more looks better."""
    rng = np.random.default_rng(5)
    actions = (rng.choice([-0.5, 0.5], (4000, 1)) + rng.normal(0.0, 0.05, (4000, 1))).astype(np.float32)
    states = rng.normal(size=(4000, 1, 2)).astype(np.float32)
    return OfflineLog(states, actions, actions.copy(), np.ones((4000, 1), np.bool_))


@pytest.mark.heavy
def test_bcq_takes_the_best_logged_action_and_never_leaves_the_support() -> None:
    policy = learn(BatchConstrained, bandit(), updates=300)
    states = np.random.default_rng(6).normal(size=(100, 2)).astype(np.float32)
    chosen = np.array([policy.act(s) for s in states])
    near = np.minimum(np.abs(chosen - 0.5), np.abs(chosen + 0.5))
    assert near.max() < REACH + 0.25  # the proposals' own spread: five deviations of the log's
    assert (chosen > 0).mean() > 0.95
    assert chosen.max() < 0.5 + REACH + 0.25
    greedy = learn(BoundedTD3, bandit(), updates=150)
    assert np.mean([greedy.act(s) for s in states[:50]]) > 1.0  # without the constraint it runs off the data


def test_conservative_values_of_unseen_actions_lie_below_those_of_td3() -> None:
    free, careful = learn(BoundedTD3, bandit(), updates=400), learn(Conservative, bandit(), updates=400, caution=1.0)
    states = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        gaps = {}
        for action in (-0.5, 0.5, 1.5, 2.0, -3.0):
            at = torch.full((200,), action)
            gaps[action] = float((careful.q(states, at) - free.q(states, at)).mean())
        # seen actions keep their order, unseen ones on the high side are worth less than in TD3 and than seen ones
        assert gaps[1.5] < min(gaps[0.5], gaps[-0.5]) - 0.5
        assert gaps[2.0] < min(gaps[0.5], gaps[-0.5]) - 0.5
        seen, unseen = (float(careful.q(states, torch.full((200,), a)).mean()) for a in (0.5, 2.0))
        assert seen > unseen


def test_the_models_predict_the_log_and_their_penalty_rises_off_it() -> None:
    log = two_steps(days=2000, spread=0.4)
    learner = learn(Cloning, log, updates=0, model_updates=600)
    models = DynamicsEnsemble(learner)
    d = learner.data
    mean, deviation, odds = (x.detach() for x in models.predict(d.state, d.action))
    on = d.on > 0
    moved = (d.after - d.state)[on]
    errors = (mean.mean(0)[on, :-1] - moved) ** 2
    assert float(errors.mean()) < 0.03 * float((moved**2).mean())
    assert float(((mean.mean(0)[:, -1] - d.pay) ** 2).mean()) < 0.05 * float(d.pay.var())
    assert float(((odds.mean(0) > 0) == on).float().mean()) > 0.99
    inside = models.penalty(d.state[:500], d.action[:500])
    assert inside.shape == (500,)
    farther = [float(models.penalty(d.state[:500], torch.full((500,), a)).median()) for a in (0.0, 1.9, -3.9)]
    assert farther[1] > 1.5 * farther[0]
    assert farther[2] > 3.0 * farther[0]
    assert float(deviation.min()) > 0.0


def test_rollouts_stay_within_the_data_and_mopo_pays_for_doubt() -> None:
    log = two_steps(days=500)
    learner = learn(Mopo, log, updates=1, model_updates=50, doubt=0.0, horizon=3)
    made, penalty = learner.models.step(learner.data.state[:100], learner.data.action[:100])
    free = learner.judged(made, penalty)
    np.testing.assert_array_equal(free.pay.numpy(), made.pay.numpy())
    careful = learn(Mopo, log, updates=1, model_updates=50, doubt=2.0).judged(made, penalty)
    excess = np.maximum(penalty.numpy() - learner.usual, 0.0)
    assert 0.2 < (excess > 0).mean() < 0.8  # logged pairs lie around their median
    np.testing.assert_allclose(careful.pay.numpy(), made.pay.numpy() - 2.0 * excess, rtol=1e-5, atol=1e-6)
    rolled = learner._roll()
    assert 2000 <= len(rolled) <= 6000
    low, high = learner.data.state.min(0).values - 1e-6, learner.data.state.max(0).values + 1e-6
    assert bool(((rolled.state >= low) & (rolled.state <= high)).all())
    assert LOWEST <= float(rolled.action.min())
    assert float(rolled.action.max()) <= HIGHEST


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_every_learner_follows_from_its_seeds_stays_in_range_and_names_bad_data(name: str) -> None:
    log = two_steps(days=60)
    tiny: dict[str, Any] = {"method": name, "updates": 3, "model_updates": 3, "batch": 16, "hidden": 8}
    one, two = learn(LEARNERS[name], log, **tiny), learn(LEARNERS[name], log, **tiny)
    for state in log.states[:5, 0]:
        assert one.act(state) == two.act(state)
        assert LOWEST <= one.act(1e6 * state) <= HIGHEST
    log.rewards[0, 0] = np.nan
    if name != "bc":  # cloning asks for no reward
        with pytest.raises(NumericalError, match=f"offline learner {name}"):
            learn(LEARNERS[name], log, **tiny)
    log.actions[0, 0] = np.nan
    with pytest.raises(NumericalError, match=f"offline learner {name}"):
        learn(LEARNERS[name], log, **{**tiny, "batch": 5000})


def delayed(days: int = 600, steps: int = 14) -> OfflineLog:
    """Days whose only reward, in the last step, is the action of the first one; the state is (time, that action)."""
    rng = np.random.default_rng(8)
    actions = rng.normal(0.0, 0.5, (days, steps)).astype(np.float32)
    states = np.zeros((days, steps, 2), np.float32)
    states[:, :, 0] = np.arange(steps) / steps
    states[:, 1:, 1] = actions[:, :1]
    rewards = np.zeros((days, steps), np.float32)
    rewards[:, -1] = actions[:, 0]
    return OfflineLog(states, actions, rewards, np.ones((days, steps), np.bool_))


@pytest.mark.parametrize(("rate", "least", "most"), [(0.05, 0.5, 2.5), (0.005, -0.1, 0.1)])
def test_values_reach_back_over_a_day_unless_targets_are_slow(rate: float, least: float, most: float) -> None:
    """Between actions -1 and 1 of the first step lie 2; slow targets (an earlier default) bring none of it so soon."""
    learner = learn(ImplicitQ, delayed(), batch=64, hidden=16, updates=500, target_rate=rate)
    state = torch.from_numpy(learner.units.states(np.zeros((1, 2), np.float32)))
    with torch.no_grad():
        low, high = (float(value(learner._critics[0], state, torch.full((1,), a))) for a in (-1.0, 1.0))
    assert least < (high - low) * learner.units.reward < most
    assert OfflineSettings().target_rate == 0.05
