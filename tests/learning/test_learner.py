"""Learners: exact bookkeeping, equivalences, absent agents, determinism, resumption, named stops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import UniformPlayer
from equilibria.agents.learning.rollout import evaluate_returns
from equilibria.agents.learning.settings import IPPOSettings, MAPPOSettings, MDPOSettings, PPOSettings
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.markov import chain
from equilibria.games.vector.spread import SimpleSpread
from equilibria.games.vector.team_matrix import TeamMatrixWorld
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue, NumericalError, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.testing.solver import check_solver
from equilibria.sim.types import AnyArray, BoolArray

SMALL: dict[str, Any] = {
    "worlds": 12, "steps": 10, "epochs": 2, "minibatches": 3, "hidden": 16, "chunk": 5,
    "certificate_updates": 1, "certificate_episodes": 16,
}  # fmt: skip


def make(game: Any = None, settings: type[PPOSettings] = MAPPOSettings, seed: int = 1, **changes: Any) -> Learner:
    return Learner(
        SimpleSpread() if game is None else game, settings(**{**SMALL, **changes}), seeds=SeedTree(seed), budget=20
    )


class Ward(VectorWorld):
    """Two agents; the second is absent in odd steps and whatever it shows or earns then must not matter."""

    name = "ward"

    def __init__(self, junk: float) -> None:
        super().__init__(
            {"agent": Role(count=2, observation=(3,), actions=3)},
            horizon=7, end="truncated", bounds=(-1.0, 1.0),
        )  # fmt: skip
        self.junk = junk

    def active(self, state: WorldState) -> BoolArray:
        here = np.ones((state.batch, 2), np.bool_)
        here[:, 1] = state.elapsed % 2 == 0
        return here

    def action_mask(self, state: WorldState, role: str) -> BoolArray:
        mask = np.ones((state.batch, 2, 3), np.bool_)
        mask[~self.active(state)] = False
        mask[:, 0, 2] = False
        return mask

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {}

    def _begin(self, state: WorldState) -> None:
        self._show(state)

    def _advance(self, state: WorldState) -> None:
        absent = ~self.active(state)
        state.reward[:] = np.cos(state.elapsed)[:, None] * (state.actions == 1)
        state.reward[absent] = self.junk
        state.elapsed += 1
        state.ended[:] = state.elapsed == self.horizon
        state.elapsed[state.ended] = 0
        self._show(state)
        state.final_observation[:] = state.observation

    def _show(self, state: WorldState) -> None:
        state.observation[..., 0] = np.sin(state.elapsed)[:, None]
        state.observation[..., 1] = 1.0
        state.observation[..., 2] = state.elapsed[:, None] / 7
        state.observation[~self.active(state)] = self.junk


def weights(learner: Learner) -> list[torch.Tensor]:
    return [p.detach().clone() for m in (learner.actor, learner.critic) for p in m.parameters()]


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


KINDS = [
    (MAPPOSettings, {}),
    (MAPPOSettings, {"recurrent": True, "share": "none"}),
    (MAPPOSettings, {"values": "team", "minibatches": 1}),
    (IPPOSettings, {"recurrent": True}),
    (IPPOSettings, {"share": "none", "value_norm": "per_agent", "advantage_norm": "per_agent"}),
    (PPOSettings, {"lr_decay": "linear", "advantage_norm": "minibatch", "time_limit": "terminal"}),
    (MDPOSettings, {}),
    (MDPOSettings, {"recurrent": True, "minibatches": 2}),
]


@pytest.mark.parametrize(("settings", "changes"), KINDS, ids=str)
def test_learners_keep_the_solver_contract(settings: type[PPOSettings], changes: dict[str, Any]) -> None:
    check_solver(lambda: make(settings=settings, **changes), steps=3)


def test_five_updates_twice_give_identical_weights_and_another_seed_others() -> None:
    one, two, other = make(), make(), make(seed=2)
    for learner in (one, two, other):
        learner.step(5)
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(other))


def test_the_number_of_threads_changes_nothing_and_is_left_alone() -> None:
    before = torch.get_num_threads()
    one, two = make(), make()
    one.step(2)
    torch.set_num_threads(2)
    try:
        two.step(2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert same(weights(one), weights(two))


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_first_ratio_of_an_update_is_one(recurrent: bool) -> None:
    learner = make(recurrent=recurrent)
    learner.step(3)
    assert np.abs(learner.history()["first_log_ratio"]).max() < (1e-5 if recurrent else 1e-6)


def test_for_one_agent_mappo_ippo_and_ppo_are_bit_identical() -> None:
    runs = [make(chain(), settings) for settings in (MAPPOSettings, IPPOSettings, PPOSettings)]
    for run in runs:
        run.step(3)
    first = runs[0].history()
    for run in runs[1:]:
        found = run.history()
        assert all(np.array_equal(first[name], found[name], equal_nan=True) for name in first)
        assert same(weights(runs[0]), weights(run))


@pytest.mark.parametrize("critic", ["central", "own"])
def test_what_absent_agents_show_and_earn_changes_nothing(critic: str) -> None:
    runs = [make(Ward(junk), critic=critic) for junk in (0.0, 1e6, float("nan"))]
    for run in runs:
        run.step(2)
    assert same(weights(runs[0]), weights(runs[1]))
    assert same(weights(runs[0]), weights(runs[2]))


def test_the_buffer_holds_what_the_worlds_paid_and_their_last_observations() -> None:
    learner = make(CoordinationWorld(3, horizon=4), worlds=5, steps=9)
    learner.step(1)
    buffer = learner._storage()
    assert buffer.truncated[[3, 7]].all()
    assert buffer.truncated.sum() == 10
    assert not buffer.terminated.any()
    assert buffer.begun[0].all()
    assert buffer.begun[[4, 8]].all()
    assert np.abs(buffer.final_values[[3, 7]]).sum() > 0
    assert not buffer.final_values[[0, 1, 2]].any()


def test_a_reused_buffer_carries_nothing_over() -> None:
    learner = make(CoordinationWorld(3, horizon=10), worlds=4, steps=10)
    learner.step(40)  # places without truncation were scaled again and again before
    assert np.abs(learner._storage().final_values).max() < 1e3


def test_a_policy_of_agents_with_different_actions_stays_within_them() -> None:
    world = TeamMatrixWorld(np.arange(6.0).reshape(2, 3))
    learner = make(world, worlds=64)
    learner.step(2)
    actions = learner._storage().actions
    assert int(actions[..., 0].max()) == 1
    assert int(actions[..., 1].max()) == 2


def test_a_role_needs_a_player_and_opponents_take_part() -> None:
    world = TeamMatrixWorld.climbing()
    alone = Learner(world, PPOSettings(**SMALL), seeds=SeedTree(1), roles=["player_0"])
    with pytest.raises(Unsupported, match="nobody plays player_1"):
        alone.step()

    def against() -> Learner:
        return Learner(
            TeamMatrixWorld.climbing(), PPOSettings(**SMALL), seeds=SeedTree(1), roles=["player_0"],
            opponents={"player_1": UniformPlayer(3, 5)},
        )  # fmt: skip

    check_solver(against, steps=2)


def test_against_a_uniform_partner_the_safe_row_is_learned() -> None:
    learner = Learner(
        TeamMatrixWorld.climbing(), PPOSettings(worlds=128, steps=4), seeds=SeedTree(3), roles=["player_0"],
        opponents={"player_1": UniformPlayer(3, 5)},
    )  # fmt: skip
    learner.step(30)  # rows pay -19/3, -17/3 and 5/3 on average
    assert learner.latest["mean_return"] == pytest.approx(5 / 3, abs=0.6)
    with pytest.raises(Unsupported, match="before the first update"):
        learner.meet({})


def test_the_draws_of_a_world_do_not_depend_on_how_many_there_are() -> None:
    found = []
    for worlds in (1, 5, 33):
        learner = make(worlds=worlds, minibatches=1)
        rollout, buffer = learner._worlds(), learner._storage()
        rollout.collect(learner.actor, learner.critic, learner._generator, buffer)
        found.append((buffer.obs[:, 0].clone(), buffer.actions[:, 0].clone()))
    assert all(torch.equal(found[0][0], obs) and torch.equal(found[0][1], actions) for obs, actions in found[1:])


class Broken(SimpleSpread):
    """Shows not-a-number in world 3 from the second update on."""

    def _advance(self, state: WorldState) -> None:
        super()._advance(state)
        if state.clock == 14:
            self.spoil(state)

    def spoil(self, state: WorldState) -> None:
        state.observation[3, 1, 0] = np.nan


class Unpayable(Broken):
    def spoil(self, state: WorldState) -> None:
        state.reward[3, 1] = np.inf


@pytest.mark.parametrize(
    ("game", "says"),
    [
        (Broken, "observation became nan at unit 1 .step 4, world 3, agent 1 of update 1."),
        (Unpayable, "reward became inf at unit 1 .step 3, world 3, agent 1 of update 1."),
    ],
)
def test_what_is_not_finite_stops_with_tensor_update_step_world_and_agent(game: type[Broken], says: str) -> None:
    learner = make(game())
    learner.step(1)
    good = learner.save()
    with pytest.raises(NumericalError, match=says):
        learner.step(1)
    again = make(SimpleSpread())
    again.load(good)  # what was saved before stays good
    again.step(1)


def test_a_loss_that_is_not_finite_stops_with_its_name_and_update() -> None:
    learner = make()
    learner.step(1)
    with torch.no_grad():
        learner.critic.head.weight[0, 0, 0] = float("inf")
    with pytest.raises(NumericalError, match=r"value became .* at unit 1 .step 0, world 0, agent 0 of update 1"):
        learner.step(1)


def test_a_state_of_another_network_is_refused_with_the_first_tensor_that_differs() -> None:
    with pytest.raises(InvalidValue, match=r"head.weight.*shape \(1, 5, 16\).*\(1, 5, 8\)"):
        make(hidden=8).load(make().save())
    with pytest.raises(InvalidValue, match=r"no tensor|has a tensor"):
        make(layers=1).load(make().save())
    with pytest.raises(InvalidValue, match="12 worlds"):
        make(worlds=4).load(make().save())


def test_minibatches_cover_every_sample_once_and_the_last_may_be_smaller() -> None:
    learner = make(minibatches=7)
    sizes, seen = [], []
    for index, _ in learner.updates.minibatches():
        sizes.append(len(index))
        seen += index.tolist()
    assert sorted(seen) == list(range(120))
    assert max(sizes) == 18
    assert min(sizes) == 12
    chunked = make(minibatches=5, recurrent=True)
    rows = [index.view(5, -1) for index, _ in chunked.updates.minibatches()]
    assert all((part.diff(dim=0) == 12).all() for part in rows)
    assert sorted(torch.cat([r.flatten() for r in rows]).tolist()) == list(range(120))


def test_a_kl_limit_ends_the_passes_of_an_update() -> None:
    learner = make(epochs=50, actor_lr=0.01, target_kl=0.005)
    learner.step(2)
    assert learner.history()["epochs"].max() < 50


def test_mirror_descent_takes_smaller_steps_towards_the_end() -> None:
    learner = make(settings=MDPOSettings)
    assert learner.step_size() == 1.0
    learner.step(10)
    assert learner.step_size() == pytest.approx(0.5)
    assert Learner(chain(), MDPOSettings(**SMALL), seeds=SeedTree(1)).step_size() == 1.0


def test_rates_fall_linearly_when_asked() -> None:
    learner = make(lr_decay="linear")
    learner.step(6)  # the sixth update uses 1 - 5/20
    assert learner.updates.rates == pytest.approx((7e-4 * 0.75, 7e-4 * 0.75))


def test_evaluation_counts_complete_episodes_only_and_changes_nothing() -> None:
    learner = make()
    learner.step(1)
    before = weights(learner), learner.save()
    returns = learner.evaluate(40, SeedTree(3))
    assert returns.shape == (40, 3)
    assert np.array_equal(returns, learner.evaluate(40, SeedTree(3)))
    assert same(before[0], weights(learner))
    assert all(np.array_equal(v, learner.save().arrays[k]) for k, v in before[1].arrays.items())
    uniform = evaluate_returns(chain(2, horizon=5), {"agent": UniformPlayer(2, 1)}, episodes=3000, key=2, worlds=100)
    assert uniform.mean() == pytest.approx(0.25 * 4, abs=0.07)  # right in state 1 with probability 1/4 from step 2 on


def test_chunks_must_fit_into_the_collection() -> None:
    with pytest.raises(ValueError, match="must divide"):
        PPOSettings(recurrent=True, steps=10, chunk=4)
