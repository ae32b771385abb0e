"""Compiled gradient steps against autograd and torch's Adam."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from equilibria.agents.learning import loss_kernels, step_kernels
from equilibria.agents.learning.adam import FlatAdam
from equilibria.agents.learning.compiled_steps import compiles
from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import UniformPlayer
from equilibria.agents.learning.settings import MAPPOSettings
from equilibria.agents.learning.tensors import adam_state, load_adam
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.markov import chain
from equilibria.games.vector.spread import SimpleSpread
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray

SMALL: dict[str, Any] = {"worlds": 12, "steps": 10, "epochs": 2, "minibatches": 3, "hidden": 16}


class Autograd(Learner):
    """The same learner through torch's autograd and optimiser."""

    compiled = False


class Crew(VectorWorld):
    """Two roles with different actions, masks that vary, and a last agent that comes and goes."""

    name = "crew"

    def __init__(self) -> None:
        super().__init__(
            {"deck": Role(count=2, observation=(4,), actions=3), "mast": Role(count=1, observation=(4,), actions=2)},
            horizon=7, end="truncated", bounds=(-1.0, 1.0),
        )  # fmt: skip

    def active(self, state: WorldState) -> BoolArray:
        here = np.ones((state.batch, 3), np.bool_)
        here[:, 2] = state.elapsed % 2 == 0
        return here

    def action_mask(self, state: WorldState, role: str) -> BoolArray | None:
        if role == "mast":
            return None
        mask = np.ones((state.batch, 2, 3), np.bool_)
        mask[:, 0, 2] = state.elapsed % 3 > 0
        return mask

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {}

    def _begin(self, state: WorldState) -> None:
        self._show(state)

    def _advance(self, state: WorldState) -> None:
        state.reward[:] = (state.actions == 1) - 0.3 * (state.actions == 0) * state.elapsed[:, None]
        state.elapsed += 1
        state.ended[:] = state.elapsed == self.horizon
        state.elapsed[state.ended] = 0
        self._show(state)
        state.final_observation[:] = state.observation

    def _show(self, state: WorldState) -> None:
        world, agent, entry = np.ogrid[: state.batch, :3, :4]
        state.observation[:] = np.sin((1.3 * world + entry + 1) * (state.elapsed[:, None, None] + 0.7 * agent + 1))


def pair(game: Any, roles: Any = "all", opponents: Any = None, **changes: Any) -> list[Learner]:
    settings = MAPPOSettings(**{**SMALL, **changes})
    return [
        kind(game, settings, seeds=SeedTree(1), roles=roles, opponents=opponents() if opponents else None)
        for kind in (Learner, Autograd)
    ]


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "spread": (SimpleSpread(), {}),
    "one minibatch of several blocks": (SimpleSpread(), {"minibatches": 1, "worlds": 12, "hidden": 1024, "layers": 1}),
    "own critic, relu": (SimpleSpread(), {"critic": "own", "activation": "relu", "layers": 3}),
    "team value": (SimpleSpread(), {"values": "team", "value_clip": None, "huber": 0.1}),
    "no numbers": (SimpleSpread(), {"agent_ids": False, "value_norm": "per_agent", "max_grad_norm": 0.05}),
    "masks and absent agents": (Crew(), {"critic": "own", "entropy_weight": 0.1}),
    "masks, central": (Crew(), {"values": "team", "clip": 0.02}),
    "two entries, one agent": (chain(), {"input_norm": "off", "hidden": 5}),
}


@pytest.mark.parametrize("case", CASES)
def test_compiled_steps_equal_those_of_autograd(case: str) -> None:
    game, changes = CASES[case]
    ours, plain = pair(game, **changes)
    assert ours.updates.policy_step is not None
    assert ours.updates.critic_step is not None
    assert plain.updates.policy_step is None
    numbers = []
    for learner in (ours, plain):
        learner.step(3)
        numbers.append(learner.history())
    for name, want in numbers[1].items():
        np.testing.assert_allclose(numbers[0][name], want, rtol=2e-3, atol=2e-5, err_msg=name)
    for own, other in zip(_weights(ours), _weights(plain), strict=True):
        assert torch.allclose(own, other, atol=3e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("width", [1.0, 60.0])
def test_the_gradient_of_many_rows_is_that_of_the_loss_kernel(masked: bool, width: float) -> None:
    rng = np.random.default_rng(3)
    samples, agents, choices = 300, 3, 5
    index = rng.permutation(samples)[:201]
    actions = rng.integers(0, choices, (samples, agents))
    mask = rng.random((samples, agents, choices)) < 0.6
    np.put_along_axis(mask, actions[..., None], True, 2)
    mask = mask if masked else np.ones((0, 0, 0), np.bool_)
    active = rng.random((samples, agents)) < 0.7 if masked else np.ones((0, 0), np.bool_)
    logits = (width * rng.standard_normal((len(index) * agents, choices))).astype(np.float32)
    allowed = np.where(mask[index].reshape(logits.shape), logits, -np.inf) if masked else logits
    top = allowed.max(axis=1, keepdims=True)
    plain = logits - top - np.log(np.exp(allowed - top).sum(axis=1, keepdims=True))
    old = np.zeros((samples, agents), np.float32)
    old[index] = np.take_along_axis(plain, actions[index].reshape(-1, 1), 1).reshape(-1, agents)
    old += (0.2 * rng.standard_normal(old.shape)).astype(np.float32)
    gain = rng.standard_normal((samples, agents)).astype(np.float32)
    count = int(active[index].sum()) if masked else logits.shape[0]
    want, wanted = np.empty_like(logits), np.zeros(6)
    loss_kernels.clipped_policy(
        logits, mask[index].reshape(-1, choices) if masked else np.ones((0, 0), np.bool_), actions[index].ravel(),
        old[index].ravel(), gain[index].ravel(), active[index].ravel() if masked else np.ones(0, np.bool_), 0.2, 0.05,
        want, wanted,
    )  # fmt: skip
    got, sums = np.ascontiguousarray(logits.T), np.zeros(5)
    arguments = (index, 0, len(index), mask, actions, old, gain, active, 1 / count, 0.2, 0.05, sums)
    step_kernels.policy_gradient(got, *arguments)
    np.testing.assert_allclose(got.T, want, rtol=2e-5, atol=2e-6 / count)
    np.testing.assert_allclose(sums, wanted[1:], rtol=1e-5, atol=1e-5)
    got[:] = logits.T
    got[1, 0] = np.nan
    step_kernels.policy_gradient(got, *arguments)
    assert masked or np.isnan(sums[:3]).all()


def test_agents_that_do_not_lie_side_by_side_are_gathered() -> None:
    learners = pair(
        SimpleSpread(4),
        roles=np.array([0, 2]),
        opponents=lambda: {(1,): UniformPlayer(5, 1), (3,): UniformPlayer(5, 2)},
    )
    for learner in learners:
        learner.step(2)
    for own, other in zip(*(map(_weights, learners)), strict=True):
        assert torch.allclose(own, other, atol=3e-5)


def test_a_compiled_policy_acts_as_the_policy_does() -> None:
    for case in ("spread", "own critic, relu", "no numbers", "two entries, one agent"):
        game, changes = CASES[case]
        learner = pair(game, **{**changes, "hidden": 200})[0]
        learner.step(1)
        role = next(iter(game.roles.values()))
        obs = torch.randn(301, role.count, *role.observation, generator=torch.Generator().manual_seed(1))
        mine, theirs = (
            policy.act(obs, None, {}, torch.Generator().manual_seed(2))
            for policy in (learner.updates.acting(), learner.actor)
        )
        assert torch.equal(mine.actions, theirs.actions)
        assert torch.allclose(mine.log_prob, theirs.log_prob, atol=2e-6)


def test_learners_that_need_autograd_keep_it() -> None:
    class Pulled(Learner):
        def extra_loss(self, batch: Any) -> torch.Tensor:
            logits: torch.Tensor = self.actor.logits(batch)
            return logits.square().mean()

    pulled = Pulled(SimpleSpread(), MAPPOSettings(**SMALL), seeds=SeedTree(1))
    assert pulled.updates.policy_step is None
    assert pulled.updates.critic_step is not None
    for changes in ({"share": "none"}, {"recurrent": True, "chunk": 5}):
        learner = pair(SimpleSpread(), **changes)[0]
        assert learner.updates.policy_step is None
    assert pair(SimpleSpread(), advantage_norm="minibatch")[0].updates.policy_step is None
    learner = pair(SimpleSpread(), critic="own", values="team")[0]
    assert not compiles(learner.critic)
    learner.critic.head.bias.requires_grad_(False)
    assert not compiles(learner.critic)


def test_weights_replaced_from_outside_are_taken_in() -> None:
    ours, plain = pair(SimpleSpread())
    for learner in (ours, plain):
        head = learner.actor.head
        head.weight.data = torch.full_like(head.weight, 0.01)
        learner.step(1)
    for own, other in zip(_weights(ours), _weights(plain), strict=True):
        assert torch.allclose(own, other, atol=3e-5)


def test_a_loss_or_gradient_that_is_not_finite_stops_and_leaves_the_weights() -> None:
    for name, place in (("policy", "advantages"), ("value", "targets")):
        learner = pair(SimpleSpread())[0]
        learner.step(1)
        module = learner.actor if name == "policy" else learner.critic
        before = [p.detach().clone() for p in module.parameters()]
        buffer = learner._storage()
        getattr(buffer, place)[:] = float("nan")
        with pytest.raises(NumericalError, match=f"{name} loss|return"):
            learner.updates.improve(buffer, unit=1)
        assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_weight_that_is_not_a_number_stops_the_update(activation: str) -> None:
    learner = pair(SimpleSpread(), activation=activation)[0]
    learner.step(1)
    with torch.no_grad():
        learner.actor.trunk.linears[0].weight[0, 3, 4] = float("nan")
    with pytest.raises(NumericalError, match="policy loss became nan at unit 1"):
        learner.step(1)


def _weights(learner: Learner) -> list[torch.Tensor]:
    return [p.detach().clone() for m in (learner.actor, learner.critic) for p in m.parameters()]


def _module() -> torch.nn.Module:
    torch_generator = torch.Generator().manual_seed(1)
    module = torch.nn.ParameterList(
        torch.randn(1, *shape, generator=torch_generator) for shape in ((7, 3), (7,), (2, 7))
    )
    assert isinstance(module, torch.nn.Module)
    return module


@pytest.mark.parametrize("largest", [0.5, 1e9])
def test_the_flat_optimiser_is_that_of_torch(largest: float) -> None:
    ours, theirs = _module(), _module()
    flat = FlatAdam(ours, 3e-3)
    adam = torch.optim.Adam(theirs.parameters(), lr=3e-3, eps=1e-5, fused=True)
    generator = torch.Generator().manual_seed(2)
    for _ in range(40):
        wanted = []
        for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.grad = torch.randn(other.shape, generator=generator)
            assert isinstance(own, torch.nn.Parameter)
            flat.views(own)[1][:] = other.grad[0].numpy()
            wanted.append(other.grad)
        norm = float(torch.nn.utils.clip_grad_norm_(list(theirs.parameters()), largest))
        adam.step()
        assert flat.step(largest) == pytest.approx(norm, rel=1e-6)
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(own, other, atol=1e-6)
    saved = adam_state(adam)
    mine = flat.save()
    assert mine.arrays.keys() == saved.arrays.keys()
    for name, value in saved.arrays.items():
        assert torch.allclose(torch.from_numpy(mine.arrays[name]), torch.from_numpy(value), rtol=1e-4, atol=1e-7)
    load_adam(adam, mine)
    again = FlatAdam(_module(), 3e-3)
    again.load(saved)
    assert again.steps == 40
    again.load(FlatAdam(_module(), 1.0).save())
    assert again.steps == 0


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    flat = FlatAdam(_module(), 3e-3)
    before = flat.vector.copy()
    flat.gradient[3] = np.inf
    assert flat.step(1.0) == np.inf
    assert np.array_equal(flat.vector, before)
    assert flat.steps == 0
    with pytest.raises(InvalidValue, match="another module"):
        flat.views(torch.nn.Parameter(torch.zeros(1, 2)))
