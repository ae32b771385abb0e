"""Neural Bayesian-network policies: sampling, evaluation, gradients and learning."""

from __future__ import annotations

import doctest
import importlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from equilibria.agents.bayesian_network.dag import dag_matrix, subteams
from equilibria.agents.bayesian_network.deep.deviation import Deviation
from equilibria.agents.bayesian_network.deep.exact import coordination_ratio, exact_return, joint_table
from equilibria.agents.bayesian_network.deep.learner import BNMAPPO
from equilibria.agents.bayesian_network.deep.policy import BNJointPolicy
from equilibria.agents.bayesian_network.deep.settings import (
    BNMAPPOSettings,
    GraphSettings,
    LossScaleSettings,
    SparsitySettings,
)
from equilibria.agents.learning.batches import Batch
from equilibria.agents.learning.spaces import Spaces, spaces_of
from equilibria.games.vector.aloha import ladder
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.tabular import coordination_game
from equilibria.games.vector.team_matrix import TeamMatrixWorld
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue, UnknownName
from equilibria.sim.philox import uniform
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray
from equilibria.testing import check_solver

KINDS: tuple[dict[str, Any], ...] = (
    {"dag": "empty"},
    {"dag": "full"},
    {"dag": [[0, 0, 0], [1, 0, 1], [0, 0, 0]]},
    {"dag": "learned"},
    {"dag": "learned", "order": "plackett_luce"},
    {"dag": "learned", "order": "sinkhorn"},
    {"dag": "full", "parent_input": "actions"},
)
IDS = ["empty", "full", "matrix", "learned", "plackett_luce", "sinkhorn", "actions_only"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def three_agents(actions: int = 3, observation: int = 4) -> Spaces:
    return Spaces(np.arange(3), 3, observation, actions, (0, 0, 0), None, 3 * observation, (-np.inf, np.inf))


def policy_of(kind: dict[str, Any], spaces: Spaces | None = None, scale: float = 30.0) -> BNJointPolicy:
    """A policy whose heads are scaled up, so that conditionals differ clearly."""
    spaces = spaces or three_agents()
    graph = GraphSettings(**kind)
    dag = None if graph.dag == "learned" else dag_matrix(kind["dag"], spaces.agents)
    policy = BNJointPolicy(spaces, graph, dag, hidden=16, generator=generator(1))
    with torch.no_grad():
        for head in (policy.own, getattr(policy, "social", None)):
            if head is not None:
                head.weight.mul_(scale)
    return policy


def batch_of(policy: BNJointPolicy, rows: int, mask: torch.Tensor | None = None) -> tuple[Batch, torch.Tensor]:
    """Samples of the policy on random observations, and their log-probabilities when acting."""
    spaces = policy.spaces
    obs = torch.randn(rows, spaces.agents, spaces.observation, generator=generator(2))
    with torch.inference_mode():
        acted = policy.act(obs, mask, {}, generator(3))
    zeros = torch.zeros(rows, spaces.agents)
    batch = Batch(
        obs=obs,
        share=obs.flatten(1),
        mask=mask,
        actions=acted.actions.clone(),
        log_prob=zeros,
        advantages=zeros,
        targets=zeros,
        old_values=zeros,
        active=None,
        begun=torch.zeros(rows, dtype=torch.bool),
        index=torch.arange(rows),
        extras={name: value.clone() for name, value in acted.extras.items()},
    )
    return batch, acted.log_prob.clone()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_sequential_sampling_and_parallel_evaluation_agree(kind: dict[str, Any], masked: bool) -> None:
    policy = policy_of(kind)
    mask = None
    if masked:
        mask = torch.rand(200, 3, 3, generator=generator(9)) < 0.6
        mask[..., 1] = True
    batch, acted = batch_of(policy, 200, mask)
    found = policy.evaluate(batch)
    torch.testing.assert_close(found.log_prob, acted, atol=1e-5, rtol=0)
    assert float(acted.std()) > 0.1
    if mask is not None:
        assert bool(mask.gather(2, batch.actions.unsqueeze(-1)).all())


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_joint_distribution_is_the_chain_of_conditionals(kind: dict[str, Any]) -> None:
    policy = policy_of(kind)
    obs = torch.randn(5, 3, 4, generator=generator(4))
    joint = joint_table(policy, obs)
    np.testing.assert_allclose(joint.sum(axis=1), 1.0, atol=1e-12)
    cube = joint.reshape(5, 3, 3, 3)
    product = np.einsum("si,sj,sk->sijk", cube.sum((2, 3)), cube.sum((1, 3)), cube.sum((1, 2)))
    distance = float(np.abs(cube - product).max())
    assert distance < 1e-6 if kind["dag"] == "empty" else distance > 1e-3


@pytest.mark.parametrize("kind", [KINDS[1], KINDS[2]], ids=["full", "matrix"])
def test_draws_follow_the_joint_distribution(kind: dict[str, Any]) -> None:
    policy, rows = policy_of(kind), 20_000
    obs = torch.randn(1, 3, 4, generator=generator(4))
    with torch.inference_mode():
        actions = policy.act(obs.expand(rows, -1, -1), None, {}, generator(5)).actions.numpy()
    counts = np.bincount(actions @ np.array([9, 3, 1]), minlength=27)
    expected = joint_table(policy, obs)[0] * rows
    kept = expected > 5
    statistic = chisquare([*counts[kept], counts[~kept].sum()], [*expected[kept], expected[~kept].sum() + 1e-9],
                          sum_check=False)  # fmt: skip
    assert statistic.pvalue > 0.001


class PlainTrunk(torch.nn.Module):
    """Features in any precision; the core's compiled layers are float32."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(hidden, inputs, generator=generator(11)))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.tanh(torch.nn.functional.linear(x, self.weight)), None


def test_score_function_gradient_is_the_derivative_of_the_return() -> None:
    """sum_a pi(a) r(a) sum_i grad log pi_i(a_i | parents) against central differences of sum_a pi(a) r(a)."""
    policy = policy_of({"dag": "full"}, scale=3.0)
    policy.trunk = PlainTrunk(4, 16)  # type: ignore[assignment]
    policy.double()
    obs = torch.randn(1, 3, 4, generator=generator(6), dtype=torch.float64)
    moves = torch.from_numpy(np.indices((3, 3, 3)).reshape(3, -1).T.copy())
    reward = torch.randn(27, generator=generator(7), dtype=torch.float64)
    rows = obs.expand(27, -1, -1)

    def value() -> torch.Tensor:
        chances: torch.Tensor = policy.conditionals(rows, moves).log_prob(moves).sum(dim=1).exp()
        return chances @ reward

    log_prob = policy.conditionals(rows, moves).log_prob(moves).sum(dim=1)
    (log_prob.detach().exp() * reward * log_prob).sum().backward()
    step = 1e-5
    for name, parameter in policy.named_parameters():
        assert parameter.grad is not None
        flat, slope = parameter.detach().view(-1), parameter.grad.view(-1)
        for place in range(0, len(flat), max(1, len(flat) // 5)):
            before = float(flat[place])
            ends = []
            for sign in (1, -1):
                flat[place] = before + sign * step
                ends.append(float(value().detach()))
            flat[place] = before
            assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(float(slope[place]), abs=1e-6), name


def test_log_probability_ignores_what_is_no_parent() -> None:
    policy = policy_of({"dag": [[0, 0, 0], [1, 0, 1], [0, 0, 0]]})
    obs = torch.randn(1, 3, 4, generator=generator(8))
    moves = torch.tensor([[0, 1, 2], [2, 1, 2], [0, 0, 2], [0, 1, 0]])
    heads = policy.conditionals(obs.expand(4, -1, -1), moves).log_probs
    assert torch.equal(heads[0], heads[1]) and torch.equal(heads[0], heads[3])  # agents 0 and 2 are nobody's parents
    assert torch.equal(heads[0, 1], heads[2, 1])  # agent 1 has no parents
    assert not torch.allclose(heads[0, 0], heads[2, 0])  # but is the parent of both others
    assert not torch.allclose(heads[0, 2], heads[2, 2])


def test_decentralised_copy_equals_the_policy_without_edges() -> None:
    policy = policy_of({"dag": "learned", "edge_bias": -60.0})
    obs = torch.randn(50, 3, 4, generator=generator(4))
    plain = policy.decentralised()
    assert plain.sampler is None and not plain.connected
    with torch.inference_mode():
        first, second = (p.act(obs, None, {}, generator(5)) for p in (policy, plain))
        busy = policy_of({"dag": "learned", "edge_bias": 60.0}).act(obs, None, {}, generator(5))
    assert torch.equal(first.actions, second.actions)
    torch.testing.assert_close(first.log_prob, second.log_prob, atol=1e-6, rtol=0)
    assert set(first.extras) == set(busy.extras) == {"dag_edges"}


@pytest.mark.parametrize("kind", [{"dag": "line"}, {"dag": "learned", "order": "plackett_luce"}, {"dag": "empty"}])
def test_agents_without_parents_may_draw_in_greedy_play(kind: dict[str, Any]) -> None:
    """They draw by their chances; all others play the likeliest answer to what was drawn."""
    policy = policy_of({**kind, "greedy_roots": "draw"})
    obs = torch.randn(1, 3, 4, generator=generator(4)).expand(4000, -1, -1)
    with torch.inference_mode():
        sampled = policy.graphs(obs)
        roots = ~sampled.graph.bool().any(dim=-2)
        moves = policy.act(obs, None, {}, generator(5), greedy=True).actions
        heads = policy.conditionals(obs, moves, None, sampled).log_probs
    assert torch.equal(moves[~roots], heads.argmax(dim=-1)[~roots])
    for agent in torch.nonzero(roots[0]).flatten().tolist():
        shares = torch.bincount(moves[:, agent], minlength=3) / 4000
        torch.testing.assert_close(shares, heads[0, agent].exp(), atol=0.04, rtol=0)


def test_worlds_draw_the_same_noise_in_any_batch() -> None:
    policy = policy_of({"dag": "learned"})
    obs = torch.randn(33, 3, 4, generator=generator(4))
    with torch.inference_mode():
        many, few = (policy.act(obs[:n], None, {}, generator(5)) for n in (33, 5))
    assert torch.equal(many.extras["dag_edges"][:5], few.extras["dag_edges"])
    assert torch.equal(many.actions[:5], few.actions)


# settings and graphs


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sparsity": {"begin": 0.8, "end": 0.5}}, "begin must lie before end"),
        ({"dag": "full", "sparsity": {}}, "sparsity needs dag: learned"),
        ({"loss_scale": {"begin": 0.8, "end": 0.5}}, "begin must lie before end"),
        ({"entropy_schedule": {"begin": 0.8, "end": 0.5}}, "begin must lie before end"),
        ({"entropy_schedule": {"end": 0.7, "again": {"at": 0.6}}}, "again.at must not lie before end"),
        ({"loss_scale": {"end": 0.5, "again": {"at": 0.6, "begin": 0.5}}}, "at, begin and end must rise"),
        ({"recurrent": True}, "no recurrent networks"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BNMAPPOSettings(**wrong)


def test_subteams_are_complete_groups_within_the_budget() -> None:
    dag = subteams(ladder().astype(np.float64), 10)
    assert dag.sum() <= 10 and not np.tril(dag).any()
    linked = (dag | dag.T | np.eye(10, dtype=np.bool_)).astype(int)
    np.testing.assert_array_equal(linked @ linked > 0, linked > 0)  # being in one group is transitive
    np.testing.assert_array_equal(subteams(np.ones((5, 5)), 10), dag_matrix("full", 5))
    assert not subteams(np.zeros((4, 4)), 6).any()
    with pytest.raises(InvalidValue, match="square"):
        subteams(np.ones((2, 3)), 1)


def test_cycles_and_wrong_sizes_are_refused() -> None:
    with pytest.raises(InvalidValue, match="cycle"):
        BNMAPPO(CoordinationWorld(2), BNMAPPOSettings(dag=[[0, 1], [1, 0]]), seeds=SeedTree(0))
    with pytest.raises(InvalidValue, match="3 x 3"):
        BNMAPPO(CoordinationWorld(3), BNMAPPOSettings(dag=[[0, 1], [0, 0]]), seeds=SeedTree(0))


# learning

SMALL: dict[str, Any] = {"worlds": 8, "steps": 10, "epochs": 2, "minibatches": 2, "hidden": 16}


def learner(world: VectorWorld | None = None, budget: int = 40, seed: int = 1, **settings: Any) -> BNMAPPO:
    return BNMAPPO(world or CoordinationWorld(3), BNMAPPOSettings(**settings), seeds=SeedTree(seed), budget=budget)


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_ratios_are_one_before_the_first_step(kind: dict[str, Any]) -> None:
    solver = learner(**SMALL, **kind)
    solver.step(3)
    assert float(solver.history()["first_log_ratio"].max()) < 1e-5


@pytest.mark.parametrize("order", ["identity", "plackett_luce", "sinkhorn"])
def test_updates_train_the_graph_networks(order: Any) -> None:
    solver = learner(**SMALL, dag="learned", order=order)
    before = {name: p.clone() for name, p in solver.actor.sampler.named_parameters()}
    solver.step(1)
    assert all(not torch.equal(before[name], p) for name, p in solver.actor.sampler.named_parameters())


def test_solver_promises_hold() -> None:
    class Uncertified(BNMAPPO):
        """The trained certificate has tests of its own and takes minutes."""

        def certificate(self) -> Any:
            from equilibria.sim.certificate import Certificate

            return Certificate(measure="none", value=0.0, unit="none", method="none")

    def make() -> BNMAPPO:
        settings = BNMAPPOSettings(**SMALL, dag="learned", sparsity=SparsitySettings(), loss_scale=LossScaleSettings())
        return Uncertified(CoordinationWorld(3), settings, seeds=SeedTree(1), budget=4)

    check_solver(make, steps=4)


def test_table_and_graph_say_how_likely_edges_are() -> None:
    fixed = learner(**SMALL, dag="line")
    table = fixed.table("dag")
    assert list(table) == ["parent", "child", "probability"]
    rows = zip(table["parent"].tolist(), table["child"].tolist(), table["probability"].tolist(), strict=True)
    assert {(j, i): p for j, i, p in rows if p} == {(0, 1): 1.0, (1, 2): 1.0}
    assert sorted(fixed.graph().edges) == [(0, 1), (1, 2)]
    for order in ("identity", "sinkhorn"):
        learned = learner(**SMALL, dag="learned", order=order)
        chances = learned.edge_probabilities()
        assert learned.graph().edges[0, 1]["probability"] == chances[0, 1]
        assert 0 < chances.sum() < 3 and ((chances >= 0) & (chances <= 1)).all()
    with pytest.raises(UnknownName, match="dag"):
        fixed.table("policy")
    share = fixed.table("first_actions")["share"]
    assert share.reshape(-1, 3)[:, 0].sum() == pytest.approx(1.0)


class WhisperWorld(VectorWorld):
    """Agent 0 sees a fair bit and agent 1 nothing; both must name it for a reward of 1."""

    name = "whisper"

    def __init__(self) -> None:
        role = Role(count=2, observation=(1,), actions=2)
        super().__init__({"agent": role}, horizon=1, end="terminated", bounds=(0.0, 1.0))

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {"bit": np.zeros(batch, dtype=np.int64)}

    def _begin(self, state: WorldState) -> None:
        for b in range(state.batch):
            state.own["bit"][b] = uniform(state.key, state.clock, b, 0) < 0.5
        state.observation[:, 0, 0] = state.own["bit"]

    def _advance(self, state: WorldState) -> None:
        bit = state.own["bit"][:, None]
        state.reward[:] = (state.actions == bit).all(axis=1)[:, None]
        state.final_observation[:] = state.observation
        state.ended[:] = True
        self._begin(state)


@pytest.mark.parametrize(("dag", "low", "high"), [("empty", 0.45, 0.58), ("full", 0.95, 1.0), ("learned", 0.9, 1.0)])
def test_an_edge_passes_information_that_independent_agents_cannot(dag: Any, low: float, high: float) -> None:
    solver = learner(
        WhisperWorld(), budget=30, worlds=64, steps=8, epochs=4, minibatches=1, actor_lr=1e-2, critic_lr=1e-2,
        hidden=16, dag=dag, parent_input="actions",
    )  # fmt: skip
    solver.step(30)
    assert low <= float(solver.history()["mean_reward"][-5:].mean()) <= high


def test_two_agents_with_an_edge_reach_the_optimum_of_the_penalty_game() -> None:
    solver = learner(
        TeamMatrixWorld.penalty(), budget=30, worlds=64, steps=8, epochs=4, minibatches=1, actor_lr=3e-3,
        critic_lr=3e-3, hidden=16, dag="full",
    )  # fmt: skip
    solver.step(30)
    assert float(solver.history()["mean_return"][-5:].mean()) > 9.5


# exact values


def test_exact_ratio_of_uniform_and_constant_play_is_the_closed_form() -> None:
    world, game = CoordinationWorld(3), coordination_game(3)
    policy = policy_of({"dag": "full"}, spaces_of(world), scale=0.0)
    assert coordination_ratio(policy, game) == pytest.approx(0.463994, abs=1e-5)
    with torch.no_grad():
        policy.own.bias[:, 1] = 40.0
    assert coordination_ratio(policy, game) == pytest.approx(0.774313, abs=1e-5)
    with pytest.raises(InvalidValue, match="shape"):
        exact_return(game, np.ones((2, 2)))


def test_noise_free_return_matches_sampled_episodes() -> None:
    world, game = CoordinationWorld(3), coordination_game(3)
    policy = policy_of({"dag": "full"}, spaces_of(world))
    batch, steps = 2000, 60
    state = world.reset(3, batch)
    world.horizon = steps + 1
    total = np.zeros(batch)
    with torch.inference_mode():
        for t in range(steps):
            moves = policy.act(torch.from_numpy(state.observation), None, {}, generator(t)).actions
            state, rewards = world.step(state, {"agent": moves.numpy()})
            total += 0.95**t * rewards["agent"][:, 0]
    bits = torch.from_numpy(game.joint.astype(np.float32)).unsqueeze(1).expand(-1, 3, -1)
    joint = joint_table(policy, bits.contiguous())
    # the tabular game pays the present state, the sampled one the next: J = r(s_0) + gamma * sampled value
    first = np.array([np.prod([1 / 3 if b == 0 else 2 / 3 for b in s]) for s in game.joint])
    value = exact_return(game, joint)
    moves_by_state = joint @ game.transition[0]
    solved = np.linalg.solve(np.eye(8) - 0.95 * moves_by_state, game.rewards[:, 0])
    assert value == pytest.approx(float(game.start @ solved), rel=1e-12)
    sampled = (first @ (solved - game.rewards[:, 0])) / 0.95
    error = total.std() / math.sqrt(batch) + 0.95**steps * 60
    assert float(total.mean()) == pytest.approx(float(sampled), abs=4 * error)


@pytest.mark.parametrize("name", ["dag", "deep.settings"])
def test_examples_in_docstrings_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"equilibria.agents.bayesian_network.{name}"))
    assert result.attempted >= 2 and result.failed == 0


# trained certificates


def test_a_deviation_trains_one_agents_heads_and_nothing_else() -> None:
    base = policy_of({"dag": "full"})
    deviation = Deviation(base, 1)
    batch, _ = batch_of(base, 50)
    found = deviation.evaluate(batch)
    (found.log_prob.sum() + found.entropy.sum()).backward()
    for name, parameter in deviation.inner.named_parameters():
        if name.startswith(("own.", "social.")):
            assert parameter.grad is not None
            touched = parameter.grad.abs().flatten(1).sum(dim=1) > 0
            assert touched.tolist() == [False, True, False], name
        else:
            assert parameter.grad is None, name


def test_certificate_finds_what_a_listener_gains_by_listening() -> None:
    """Agent 1 ignores its parent at first; listening, in sight of agent 0's action, is worth about a half."""
    solver = learner(
        WhisperWorld(), budget=1, worlds=64, steps=8, epochs=4, minibatches=1, actor_lr=1e-2, hidden=16, dag="full",
        parent_input="actions", certificate_updates=25, certificate_episodes=400,
    )  # fmt: skip
    with torch.no_grad():  # agent 0 names its bit
        solver.actor.own.weight[0].zero_()
        probe = solver.actor.trunk(torch.tensor([[[0.0], [0.0]], [[1.0], [0.0]]]))[0][:, 0]
        solver.actor.own.weight[0, 1] = 40 * (probe[1] - probe[0]) / (probe[1] - probe[0]).square().sum()
        solver.actor.own.bias[0, 1] = -20 - 40 * float(
            (probe[0] @ (probe[1] - probe[0])) / (probe[1] - probe[0]).square().sum()
        )
    found = solver.certificate()
    assert found.kind == "lower bound"
    assert found.value == pytest.approx(0.5, abs=0.1)
    assert found.low > 0.3
    gains = found.details["gains"]
    assert isinstance(gains, dict) and len(gains) == 2
