"""Networks: compiled layers against torch, sharing, recurrence."""

from __future__ import annotations

import itertools

import pytest
import torch

from equilibria.agents.learning import fused
from equilibria.agents.learning.batches import Batch
from equilibria.agents.learning.networks import GroupLinear, Trunk
from equilibria.agents.learning.policies import ProductPolicy, sample
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.spaces import spaces_of
from equilibria.games.vector.spread import SimpleSpread


def gen(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch_of(policy: ProductPolicy, steps: int, worlds: int, *, length: int = 1) -> Batch:
    g = gen(5)
    size = steps * worlds
    agents, actions = policy.agents, policy.actions
    extras = {}
    if policy.trunk.recurrent:
        extras["hidden"] = torch.zeros(size, agents, policy.trunk.hidden)
    return Batch(
        obs=torch.randn(size, agents, policy.trunk.inputs, generator=g),
        share=torch.zeros(size, 1),
        mask=None,
        actions=torch.randint(0, actions, (size, agents), generator=g),
        log_prob=torch.zeros(size, agents),
        advantages=torch.randn(size, agents, generator=g),
        targets=torch.zeros(size, agents),
        old_values=torch.zeros(size, agents),
        active=None,
        begun=torch.zeros(size, dtype=torch.bool),
        index=torch.arange(size),
        length=length,
        extras=extras,
    )


@pytest.mark.parametrize(("rows", "activation"), list(itertools.product([1, 7, 128, 1024, 1300], ["tanh", "relu"])))
def test_compiled_layers_equal_those_of_torch_with_their_gradients(rows: int, activation: str) -> None:
    shapes = ((rows, 18), (64, 18), (64,), (64,), (64,))
    drawn = [torch.randn(shape, generator=gen(i)) for i, shape in enumerate(shapes)]
    drawn[1] /= 4
    ours, theirs = ([x.clone().requires_grad_() for x in drawn] for _ in range(2))
    plain = torch.nn.functional.linear(theirs[0], theirs[1], theirs[2])
    plain = torch.tanh(plain) if activation == "tanh" else torch.relu(plain)
    want = torch.nn.functional.layer_norm(plain, (64,), theirs[3], theirs[4])
    x, matrix, bias, weight, shift = ours
    got = fused.layer(x.t(), matrix, bias, weight, shift, activation == "tanh")
    assert torch.allclose(got.t(), want, atol=5e-6)
    with torch.no_grad():
        assert torch.equal(fused.layer(x.t(), matrix, bias, weight, shift, activation == "tanh"), got)
    weights = torch.randn(rows, 64, generator=gen(9))
    (want * weights).sum().backward()
    (got * weights.t()).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad is not None and other.grad is not None
        assert torch.allclose(mine.grad, other.grad, rtol=1e-4, atol=2e-5 * float(other.grad.abs().max()))


@pytest.mark.parametrize(("rows", "layers"), [(1, 1), (300, 2), (1024, 2), (1700, 3)])
def test_a_compiled_perceptron_equals_torch_with_its_gradients(rows: int, layers: int) -> None:
    trunk = Trunk(11, hidden=32, layers=layers, ids=2, generator=gen(1))
    head = GroupLinear(32, 5, gain=1.0, generator=gen(2))
    x = torch.randn(rows, 2, 11, generator=gen(3), requires_grad=True)
    weights = torch.randn(rows, 2, 5, generator=gen(4))
    parameters = [x, *trunk.parameters(), *head.parameters()]
    ours, _ = trunk.headed(head, x)
    (ours * weights).sum().backward()
    mine = [p.grad.clone() for p in parameters if p.grad is not None]
    with torch.no_grad():
        assert torch.equal(trunk.headed(head, x)[0], ours)
    for p in parameters:
        p.grad = None
    assert trunk.input_norm is not None
    seen = torch.cat((trunk.input_norm(x), torch.eye(2).expand(rows, 2, 2)), dim=-1)
    for linear, norm in zip(trunk.linears, trunk.norms, strict=True):
        seen = norm(torch.tanh(linear(seen)))
    theirs = head(seen)
    (theirs * weights).sum().backward()
    assert torch.allclose(ours, theirs, atol=2e-5)
    assert len(mine) == len(parameters)
    for a, b in zip(mine, parameters, strict=True):
        assert b.grad is not None
        assert torch.allclose(a, b.grad, rtol=1e-3, atol=1e-4 * float(b.grad.abs().max()) + 1e-6)


def test_networks_in_double_precision_agree_with_single() -> None:
    trunk = Trunk(11, ids=2, generator=gen(1))
    head = GroupLinear(64, 5, gain=1.0, generator=gen(2))
    x = torch.randn(30, 2, 11, generator=gen(3))
    single = trunk.headed(head, x)[0].detach()
    double = trunk.double().headed(head.double(), x.double())[0].detach()
    assert double.dtype == torch.float64
    assert torch.allclose(single.double(), double, atol=1e-5)


def test_not_a_number_passes_through_compiled_layers() -> None:
    x = torch.zeros(3, 200)
    x[1, 150] = float("nan")
    out = fused.layer(x, torch.ones(8, 3), torch.zeros(8), torch.ones(8), torch.zeros(8), True)
    assert torch.isnan(out[:, 150]).all()
    assert not torch.isnan(out[:, :150]).any()


def test_separate_weights_that_are_equal_give_what_shared_weights_give() -> None:
    world = SimpleSpread()
    spaces = spaces_of(world)
    shared = ProductPolicy(spaces, PPOSettings(agent_ids=False), gen(1))
    separate = ProductPolicy(spaces, PPOSettings(share="none"), gen(2))
    with torch.no_grad():
        for own, spread in zip(shared.parameters(), separate.parameters(), strict=True):
            spread.copy_(own.expand_as(spread))
    batch = batch_of(shared, 4, 10)
    one, many = shared.evaluate(batch), separate.evaluate(batch)
    assert torch.allclose(one.log_prob, many.log_prob, atol=1e-6)
    assert torch.allclose(one.entropy, many.entropy, atol=1e-6)


def test_separate_weights_get_gradients_of_their_own_agent_only() -> None:
    policy = ProductPolicy(spaces_of(SimpleSpread()), PPOSettings(share="none"), gen(1))
    policy.evaluate(batch_of(policy, 2, 5)).log_prob[:, 1].sum().backward()
    for parameter in policy.parameters():
        assert parameter.grad is not None
        assert not parameter.grad[[0, 2]].any()


@pytest.mark.parametrize("share", ["all", "none"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_one_agent_taken_out_of_a_policy_plays_as_it_did(share: str, recurrent: bool) -> None:
    settings = PPOSettings.model_validate({"share": share, "recurrent": recurrent})
    policy = ProductPolicy(spaces_of(SimpleSpread()), settings, gen(3))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=gen(4)) * 0.3)
    batch = batch_of(policy, 1, 12)
    alone = policy.single(1)
    part = batch_of(policy, 1, 12)
    part.obs, part.actions = batch.obs[:, 1:2], batch.actions[:, 1:2]
    part.extras = {k: v[:, 1:2] for k, v in batch.extras.items()}
    assert torch.allclose(alone.evaluate(part).log_prob[:, 0], policy.evaluate(batch).log_prob[:, 1], atol=1e-5)


def test_agents_that_share_weights_differ_by_their_numbers() -> None:
    policy = ProductPolicy(spaces_of(SimpleSpread()), PPOSettings(), gen(1))
    batch = batch_of(policy, 1, 6)
    batch.obs = batch.obs[:, :1].expand(-1, 3, -1).contiguous()
    logits, _ = policy.trunk.headed(policy.head, batch.obs)
    assert not torch.allclose(logits[:, 0], logits[:, 1])


def test_chunks_as_long_as_the_collection_are_full_back_propagation() -> None:
    settings = PPOSettings(recurrent=True, steps=8, chunk=8)
    policy = ProductPolicy(spaces_of(SimpleSpread()), settings, gen(1))
    batch = batch_of(policy, 8, 4, length=8)
    batch.begun[4 * 3 + 1] = True  # world 1 begins anew at step 3
    policy.evaluate(batch).log_prob.sum().backward()
    chunked = [p.grad.clone() for p in policy.parameters() if p.grad is not None]
    policy.zero_grad()

    hidden = torch.zeros(4, 3, 64)
    total = torch.zeros(())
    for step in range(8):
        rows = slice(4 * step, 4 * step + 4)
        hidden = hidden * (~batch.begun[rows]).view(-1, 1, 1)
        features, after = policy.trunk(batch.obs[rows], hidden)
        assert after is not None
        hidden = after
        log_probs = torch.log_softmax(policy.head(features), dim=-1)
        total = total + log_probs.gather(-1, batch.actions[rows].unsqueeze(-1)).sum()
    total.backward()
    for mine, parameter in zip(chunked, policy.parameters(), strict=True):
        assert parameter.grad is not None
        assert torch.allclose(mine, parameter.grad, rtol=1e-3, atol=1e-4 * float(mine.abs().max() + 1e-3))


def test_an_episode_forgets_what_was_before_it() -> None:
    policy = ProductPolicy(spaces_of(SimpleSpread()), PPOSettings(recurrent=True), gen(1))
    batch = batch_of(policy, 4, 1, length=4)
    batch.begun[2] = True
    before = policy.evaluate(batch).log_prob
    batch.obs[:2, ..., 0] += 1.0  # one entry: the normalisation of inputs removes what all have in common
    after = policy.evaluate(batch).log_prob
    assert torch.equal(before[2:], after[2:])
    assert not torch.equal(before[:2], after[:2])


def test_drawn_actions_have_the_probabilities_of_their_logits_and_their_log_probabilities() -> None:
    logits = torch.log(torch.tensor([0.1, 0.2, 0.7])).expand(200_000, 1, 3)
    actions, log_prob = sample(logits, None, gen(1))
    shares = torch.bincount(actions.flatten(), minlength=3) / 200_000
    assert torch.allclose(shares, torch.tensor([0.1, 0.2, 0.7]), atol=5e-3)
    want = torch.log_softmax(logits, -1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    assert torch.allclose(log_prob, want, atol=3e-7)


def test_an_unavailable_action_is_never_drawn_in_a_million() -> None:
    logits = torch.tensor([50.0, 0.0, 0.0]).expand(1_000_000, 1, 3)
    mask = torch.tensor([False, True, True]).expand(1_000_000, 1, 3).contiguous()
    actions, log_prob = sample(logits, mask, gen(1))
    assert not (actions == 0).any()
    assert torch.allclose(log_prob, torch.full_like(log_prob, -0.6931472))
    greedy, _ = sample(logits[:5], mask[:5], gen(1), greedy=True)
    assert greedy.flatten().tolist() == [1] * 5


def test_the_draws_of_a_world_do_not_depend_on_the_others() -> None:
    logits = torch.randn(40, 3, 5, generator=gen(2))
    many, _ = sample(logits, None, gen(7))
    few, _ = sample(logits[:4], None, gen(7))
    assert torch.equal(many[:4], few)


def test_group_weights_are_orthogonal_with_their_gain() -> None:
    head = GroupLinear(32, 8, gain=0.5, groups=(0, 1), generator=gen(1))
    for weight in head.weight:
        assert torch.allclose(weight @ weight.t(), 0.25 * torch.eye(8), atol=1e-5)
    assert not head.bias.any()


def test_making_networks_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    Trunk(5, groups=(0, 1), recurrent=True, generator=gen(1))
    assert torch.equal(before, torch.get_rng_state())
