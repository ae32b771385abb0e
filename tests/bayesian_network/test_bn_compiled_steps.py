"""Compiled acting and gradient steps against the policy's own and torch's optimiser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from equilibria.agents.bayesian_network.deep.compiled import CompiledActing, CompiledJointStep
from equilibria.agents.bayesian_network.deep.learner import BNMAPPO
from equilibria.agents.bayesian_network.deep.settings import BNMAPPOSettings
from equilibria.games.vector.aloha import Aloha
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray

SMALL: dict[str, Any] = {"worlds": 12, "steps": 10, "epochs": 2, "minibatches": 3, "hidden": 16}
CROSSED = [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]  # 1 -> 0 -> 3, agent 2 alone


class Autograd(BNMAPPO):
    """The same learner through torch's autograd and optimiser."""

    compiled = False


class Watch(VectorWorld):
    """Four agents with masks that vary; the last one comes and goes."""

    name = "watch"

    def __init__(self) -> None:
        roles = {"mate": Role(count=4, observation=(5,), actions=3)}
        super().__init__(roles, horizon=7, end="truncated", bounds=(-1.0, 1.0))

    def active(self, state: WorldState) -> BoolArray:
        here = np.ones((state.batch, 4), np.bool_)
        here[:, 3] = state.elapsed % 2 == 0
        return here

    def action_mask(self, state: WorldState, role: str) -> BoolArray | None:
        mask = np.ones((state.batch, 4, 3), np.bool_)
        mask[:, 0, 2] = state.elapsed % 3 > 0
        return mask

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {}

    def _begin(self, state: WorldState) -> None:
        self._show(state)

    def _advance(self, state: WorldState) -> None:
        same = state.actions == state.actions[:, :1]
        state.reward[:] = same.sum(axis=1, keepdims=True) - 0.3 * (state.actions == 0) * state.elapsed[:, None]
        state.elapsed += 1
        state.ended[:] = state.elapsed == self.horizon
        state.elapsed[state.ended] = 0
        self._show(state)
        state.final_observation[:] = state.observation

    def _show(self, state: WorldState) -> None:
        world, agent, entry = np.ogrid[: state.batch, :4, :5]
        state.observation[:] = np.sin((1.3 * world + entry + 1) * (state.elapsed[:, None, None] + 0.7 * agent + 1))


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "all edges": (CoordinationWorld(3), {"dag": "full"}),
    "one observation entry": (Aloha(), {"dag": "full"}),
    "an order other than the numbers'": (Watch(), {"dag": CROSSED, "entropy_weight": 0.1}),
    "masks, absent agents, all edges": (Watch(), {"dag": "full", "input_norm": "on", "clip": 0.02}),
    "actions only, tanh": (Watch(), {"dag": "line", "parent_input": "actions", "activation": "tanh"}),
    "no edges, own values": (Watch(), {"dag": "empty", "values": "agent", "layers": 3}),
    "several blocks": (Watch(), {"dag": "full", "worlds": 40, "minibatches": 1, "hidden": 256, "layers": 1}),
    "learned edges": (CoordinationWorld(3), {"dag": "learned", "edge_bias": 1.0}),
    "learned edges, masks, absent agents": (
        Watch(),
        {"dag": "learned", "context": "first", "sparsity": {"begin": 0.1, "end": 0.9}, "parent_input": "actions"},
    ),
    "learned order": (Watch(), {"dag": "learned", "order": "plackett_luce", "graph_gain": 4.0}),
    "learned assignment": (Watch(), {"dag": "learned", "order": "sinkhorn", "minibatches": 1, "hidden": 32}),
    "entropy that falls": (
        CoordinationWorld(3),
        {"dag": "full", "entropy_schedule": {"begin": 0, "end": 1}, "entropy_weight": 0.2},
    ),
}
NOT_SAMPLED = ("all edges", "entropy that falls", "learned order", "learned assignment")
"""Nothing new to sample, or an order per world, which the policy itself acts on."""


def pair(case: str) -> list[BNMAPPO]:
    game, changes = CASES[case]
    settings = BNMAPPOSettings(**{**SMALL, **changes})
    return [kind(game, settings, seeds=SeedTree(1), budget=4) for kind in (BNMAPPO, Autograd)]


def weights(learner: BNMAPPO) -> list[torch.Tensor]:
    return [p.detach().clone() for m in (learner.actor, learner.critic) for p in m.parameters()]


@pytest.mark.parametrize("case", CASES)
def test_compiled_joint_steps_equal_those_of_autograd(case: str) -> None:
    ours, plain = pair(case)
    assert isinstance(ours.updates.policy_step, CompiledJointStep)
    assert plain.updates.policy_step is None
    numbers = []
    for learner in (ours, plain):
        learner.step(3)
        numbers.append(learner.history())
    for name, want in numbers[1].items():
        np.testing.assert_allclose(numbers[0][name], want, rtol=2e-3, atol=2e-5, err_msg=name)
    for own, other in zip(weights(ours), weights(plain), strict=True):
        assert torch.allclose(own, other, atol=3e-5)


@pytest.mark.parametrize("greedy", [False, True])
@pytest.mark.parametrize("case", [c for c in CASES if c not in NOT_SAMPLED])
def test_compiled_sampling_draws_what_the_policy_draws(case: str, greedy: bool) -> None:
    learner = pair(case)[0]
    learner.step(1)
    policy, spaces = learner.actor, learner.spaces
    torch_generator = torch.Generator().manual_seed(1)
    obs = torch.randn(3500, spaces.agents, spaces.observation, generator=torch_generator)  # more than one block
    mask = torch.rand(3500, spaces.agents, spaces.actions, generator=torch_generator) < 0.7
    mask[..., 0] = True
    for available in (None, mask):
        mine, theirs = (
            p.act(obs, available, {}, torch.Generator().manual_seed(2), greedy=greedy)
            for p in (learner.updates.acting(), policy)
        )
        agree = (mine.actions == theirs.actions).all(dim=1)
        assert agree.float().mean() > 0.999  # near ties may fall either way
        assert torch.allclose(mine.log_prob[agree], theirs.log_prob[agree], atol=2e-6)


def test_an_agent_without_available_action_is_named() -> None:
    acting = pair("no edges, own values")[0].updates.acting()
    assert isinstance(acting, CompiledActing)
    mask = torch.ones(2, 4, 3, dtype=torch.bool)
    mask[1, 2] = False
    with pytest.raises(InvalidValue, match="no available action"):
        acting.act(torch.zeros(2, 4, 5), mask, {}, torch.Generator())


@pytest.mark.parametrize("case", ["an order other than the numbers'", "learned edges", "learned assignment"])
def test_a_resumed_run_goes_on_bit_for_bit_and_in_torchs_format(case: str) -> None:
    whole, plain = pair(case)
    first, again = pair(case)[0], pair(case)[0]
    whole.step(4)
    first.step(2)
    state = first.save()
    again.load(state)
    again.step(2)
    for own, other in zip(weights(whole), weights(again), strict=True):
        assert torch.equal(own, other)
    plain.load(state)  # moments are saved by parameter, whoever computed them
    plain.step(2)
    for own, other in zip(weights(whole), weights(plain), strict=True):
        assert torch.allclose(own, other, atol=3e-5)


def test_policies_that_need_autograd_keep_it() -> None:
    game = CoordinationWorld(3)
    kinds: tuple[dict[str, Any], ...] = (
        {"dag": "full", "advantage_norm": "minibatch"},
        {"dag": "full", "update": "mdpo"},
    )
    for changes in kinds:
        learner = BNMAPPO(game, BNMAPPOSettings(**SMALL, **changes), seeds=SeedTree(1))
        assert learner.updates.policy_step is None
        assert learner.updates.critic_step is not None
    for hidden, dag in ((2, "full"), (4, "learned")):  # parents' slots have 18 and 19 entries on average
        narrow: dict[str, Any] = {**SMALL, "hidden": hidden, "dag": dag}
        assert BNMAPPO(Aloha(), BNMAPPOSettings(**narrow), seeds=SeedTree(1)).updates.policy_step is None
    actor = BNMAPPO(game, BNMAPPOSettings(**SMALL, dag="full"), seeds=SeedTree(1)).actor
    actor.own.bias.requires_grad_(False)
    assert actor.compiled_step(BNMAPPOSettings()) is None


def test_a_policy_loss_that_is_not_finite_stops_and_leaves_the_weights() -> None:
    learner = pair("all edges")[0]
    learner.step(1)
    before = weights(learner)
    learner._storage().advantages[:] = float("nan")
    with pytest.raises(NumericalError, match="policy loss became nan at unit 1"):
        learner.updates.improve(learner._storage(), unit=1)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(learner), strict=True))
