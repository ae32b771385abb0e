"""Networks of MRA: identities behind the fast forms, symmetries, simplexes, information."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from equilibria.agents.meta_representation.attention import SCALE, Pairs, attention, pool
from equilibria.agents.meta_representation.information import draw, information, one_hot, straight_through
from equilibria.agents.meta_representation.model import Model
from equilibria.agents.meta_representation.networks import RelationNet
from equilibria.games.vector.particles import ResourceOccupation, own_rows
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def model(latents: int = 6, *, embed_self: bool = True, seed: int = 0) -> Model:
    made = Model(sites=6, actions=5, latents=latents, games=3, embed_self=embed_self, seeds=SeedTree(seed))
    with torch.no_grad():  # biases too, so that none is missed
        for parameter in made.parameters():
            if parameter.dim() == 1:
                parameter.normal_(0.0, 0.5, generator=torch.Generator().manual_seed(seed))
    return made


def sample_rows(agents: int, samples: int = 5, seed: int = 1) -> torch.Tensor:
    return torch.randn((samples, agents, 22), generator=torch.Generator().manual_seed(seed))


def sample_latents(agents: int, samples: int = 5, latents: int = 6) -> torch.Tensor:
    return torch.randint(latents, (samples, agents), generator=torch.Generator().manual_seed(2))


def others(rows: torch.Tensor, i: int) -> torch.Tensor:
    """Return o_ij [M, N - 1, 22] pair by pair, as the environment shows it."""
    kept = [j for j in range(rows.shape[1]) if j != i]
    place = rows[:, kept, 2:4] - rows[:, i : i + 1, 2:4]
    return torch.cat([place, rows[:, kept, :2], rows[:, kept, 4:]], dim=-1)


def naive_relation(net: RelationNet, rows: torch.Tensor, z: torch.Tensor, i: int) -> torch.Tensor:
    """Return g_i [M, N - 1] by the published formula, head by head and pair by pair."""
    m, n = rows.shape[:2]
    chosen = one_hot(z[:, i], net.latents)
    keys = net.key_out(torch.relu(net.key_in(rows[:, i]))).view(m, net.latents, 16)
    seen = net.query_out(torch.relu(net.query_in.layer(others(rows, i)))).view(m, n - 1, net.latents, 16)
    key = torch.einsum("mhk,mh->mk", keys, chosen)
    query = torch.einsum("mjhk,mh->mjk", seen, chosen)
    return torch.softmax(torch.einsum("mk,mjk->mj", key, query) / SCALE, dim=-1)


@pytest.mark.parametrize("agents", [2, 3, 7])
@pytest.mark.parametrize("embed_self", [True, False])
def test_fast_forms_equal_the_networks_written_pair_by_pair(agents: int, embed_self: bool) -> None:
    net = model(embed_self=embed_self)
    rows, z = sample_rows(agents), sample_latents(agents)
    logits, g = net.logits(rows, z)
    for i in range(agents):
        kept = [j for j in range(agents) if j != i]
        expected = naive_relation(net.relation, rows, z, i)
        torch.testing.assert_close(g[:, i, kept], expected, atol=1e-6, rtol=1e-4)
        value = net.policy.value_out(torch.relu(net.policy.value_in.layer(others(rows, i))))
        e = torch.einsum("mj,mjd->md", expected, value)
        if net.policy.own is not None:
            e = torch.cat([e, torch.relu(net.policy.own(rows[:, i]))], dim=-1)
        plain = net.policy.head_out(torch.relu(net.policy.head_in(e)))
        torch.testing.assert_close(logits[:, i], plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("heads", [1, 3])
def test_compiled_gradients_equal_those_of_the_written_out_form(heads: int) -> None:
    generator = torch.Generator().manual_seed(4)
    m, n, width = 3, 5, 8

    def leaf(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, requires_grad=True)

    leaves = a, c, u, v, w = (
        leaf(m, n, width),
        leaf(m, n, width),
        leaf(m, n, heads, width),
        leaf(m, n, 4),
        leaf(m, n, 4),
    )
    weight = torch.randn((m, n, heads, 4), generator=generator)
    fast = pool((v, w), attention((a, c), u))
    scores = torch.relu(a.unsqueeze(1) - c.unsqueeze(2)) @ u.transpose(2, 3) / SCALE  # [M, N, N, K]
    scores = scores.transpose(2, 3).masked_fill(torch.eye(n, dtype=torch.bool).view(1, n, 1, n), -math.inf)
    slow = torch.softmax(scores, dim=-1) @ torch.relu(v.unsqueeze(1) - w.unsqueeze(2))
    torch.testing.assert_close(fast, slow, atol=1e-6, rtol=1e-5)
    found = torch.autograd.grad((fast * weight).sum(), leaves)
    expected = torch.autograd.grad((slow * weight).sum(), leaves)
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-4)


def test_pair_rows_are_what_the_world_shows() -> None:
    world = ResourceOccupation(4)
    state = world.reset(3, 2)
    rows = torch.from_numpy(own_rows(state.observation, 6))
    for i in range(4):
        seen = torch.from_numpy(state.observation[:, i, 4:-18].reshape(2, 3, 22).copy())
        torch.testing.assert_close(others(rows, i), seen, atol=1e-6, rtol=0)


@pytest.mark.parametrize("agents", [2, 5, 24])
def test_relations_are_in_the_simplex_over_the_others(agents: int) -> None:
    net, rows = model(), sample_rows(agents)
    for g in (net.relation(rows, sample_latents(agents)).unsqueeze(2), net.relation.heads(rows)):
        assert (g >= 0).all()
        torch.testing.assert_close(g.sum(dim=-1), torch.ones(g.shape[:3]), atol=1e-6, rtol=0)
        assert all(not g[:, i, :, i].any() for i in range(agents))


def test_all_heads_contain_the_chosen_one_and_one_hot_latents_agree() -> None:
    net, rows, z = model(), sample_rows(6), sample_latents(6)
    chosen = net.relation(rows, z)
    heads = net.relation.heads(rows)
    picked = heads.gather(2, z[..., None, None].expand(-1, -1, 1, 6)).squeeze(2)
    torch.testing.assert_close(chosen, picked, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(chosen, net.relation(rows, one_hot(z, 6)), atol=1e-6, rtol=1e-5)


def test_permuting_other_agents_permutes_relations_and_leaves_actions_alone() -> None:
    net, rows, z = model(), sample_rows(6), sample_latents(6)
    order = torch.tensor([0, 4, 2, 5, 1, 3])
    logits, g = net.logits(rows, z)
    moved, moved_g = net.logits(rows[:, order], z[:, order])
    torch.testing.assert_close(moved_g, g[:, order][:, :, order], atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.softmax(moved, -1), torch.softmax(logits[:, order], -1), atol=1e-6, rtol=0)
    values = net.critic(rows, g)
    torch.testing.assert_close(net.critic(rows[:, order], moved_g), values[:, order], atol=1e-5, rtol=1e-4)


def test_every_agent_attends_with_its_own_latent() -> None:
    net, rows, z = model(), sample_rows(5), sample_latents(5)
    changed = z.clone()
    changed[:, 2] = (z[:, 2] + 1) % 6
    before, after = net.relation(rows, z), net.relation(rows, changed)
    same = [0, 1, 3, 4]
    torch.testing.assert_close(before[:, same], after[:, same], atol=1e-6, rtol=0)
    assert bool(((before[:, 2] - after[:, 2]).abs() > 1e-3).any())


def test_the_encoder_depends_on_the_number_of_agents_only_and_sums_to_one() -> None:
    net = model()
    for n in (2, 6, 24, 128):
        log_p = net.latent_log_p(n)
        assert float(log_p.exp().sum()) == pytest.approx(1.0, abs=1e-6)
        assert torch.equal(log_p, net.latent_log_p(n))
    assert not torch.equal(net.latent_log_p(3), net.latent_log_p(24))


def test_task_predictions_have_one_logit_per_game() -> None:
    net, rows = model(), sample_rows(7)
    z = straight_through(net.encoder(7), (5, 7), torch.Generator().manual_seed(0))
    embedding = net.policy.embed(rows, net.relation(rows, z))
    assert embedding.shape == (5, 7, 64)
    guess = net.predictor(embedding, z)
    assert guess.shape == (5, 3)
    guess.sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in net.encoder.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in net.encoder.parameters())


def test_information_is_zero_when_all_latents_act_alike() -> None:
    log_p = torch.log_softmax(torch.randn(40, 5), dim=-1)[:, :1].expand(-1, 7)
    assert float(information(log_p).abs().max()) < 1e-6


def test_information_never_exceeds_log_k() -> None:
    log_p = torch.randn(1000, 5) * 50
    found = information(log_p)
    assert float(found.max()) <= math.log(5) + 1e-5
    assert float(found.max()) > math.log(5) - 1e-3


def test_information_of_two_opposite_latents_tends_to_log_2() -> None:
    generator, means = torch.Generator().manual_seed(0), []
    policy = torch.log(torch.tensor([[1.0, 1e-30], [1e-30, 1.0]]))  # latent, action
    for k in (2, 5, 500):
        z = draw(torch.log(torch.tensor([0.5, 0.5])), (4000, k), generator)
        action = z[:, :1]  # deterministic: latent z plays action z
        means.append(float(information(policy[z].gather(2, action[..., None].expand(-1, k, 1)).squeeze(2)).mean()))
    assert means[0] < means[1] < means[2]
    assert means[2] == pytest.approx(math.log(2), abs=0.01)


def test_straight_through_latents_are_one_hot_with_the_asked_frequencies() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
    z = straight_through(logits, (20_000,), torch.Generator().manual_seed(0))
    assert set(z.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(z.mean(0), torch.softmax(logits, 0), atol=0.015, rtol=0)
    z[:, 1].mean().backward()
    assert logits.grad is not None
    assert float(logits.grad[1]) > 0 > float(logits.grad[0])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda net: net.logits(sample_rows(1), sample_latents(1)), "at least 2 agents are needed, got 1"),
        (lambda net: net.logits(torch.zeros(5, 3, 21), sample_latents(3)), r"shape \(samples, agents, 22\)"),
        (lambda net: net.policy(sample_rows(3), torch.zeros(5, 4, 4)), "do not fit rows"),
        (lambda net: net.critic(sample_rows(1), torch.ones(5, 1, 1)), "at least 2 agents"),
    ],
)
def test_bad_shapes_are_refused_by_name(call: Callable[[Model], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        call(model())


def test_input_sizes_follow_the_number_of_resources() -> None:
    net = Model(sites=4, actions=5, latents=2, games=1, embed_self=True, seeds=SeedTree(0))
    world = ResourceOccupation(3, resources=4)
    rows = torch.from_numpy(world.rows(world.reset(0, 2)))
    assert net.logits(rows, torch.zeros((2, 3), dtype=torch.int64))[0].shape == (2, 3, 5)
    assert isinstance(net.policy.value_in, Pairs)
    assert net.policy.value_in.layer.in_features == 16
