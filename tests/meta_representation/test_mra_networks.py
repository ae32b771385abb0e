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
from equilibria.agents.meta_representation.selectors import Relations, Selector, SiteSelector, sites_of
from equilibria.agents.meta_representation.settings import Attend
from equilibria.games.vector.particles import ResourceOccupation, own_rows
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree


def model(latents: int = 6, *, embed_self: bool = True, attend: Attend = "entities", seed: int = 0) -> Model:
    made = Model(
        sites=6, actions=5, latents=latents, games=3, embed_self=embed_self, attend=attend, seeds=SeedTree(seed)
    )
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


def naive_pattern(net: Selector, rows: torch.Tensor, z: torch.Tensor, i: int, seen: torch.Tensor) -> torch.Tensor:
    """Return weights [M, X] over what is attended to by the published formula, from hidden units of it [M, X, 32]."""
    m, x = seen.shape[:2]
    chosen = one_hot(z[:, i], net.latents)
    keys = net.key_out(torch.relu(net.key_in(rows[:, i]))).view(m, net.latents, 16)
    key = torch.einsum("mhk,mh->mk", keys, chosen)
    query = torch.einsum("mjhk,mh->mjk", net.query_out(seen).view(m, x, net.latents, 16), chosen)
    return torch.softmax(torch.einsum("mk,mjk->mj", key, query) / SCALE, dim=-1)


def naive_relations(
    net: RelationNet, rows: torch.Tensor, z: torch.Tensor, i: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return g_i [M, N - 1] and, if sites are attended to, w_i [M, L], head by head and pair by pair."""
    seen = torch.relu(net.others.query_in.layer(others(rows, i)))
    g = naive_pattern(net.others, rows, z, i, seen)
    if net.sites is None:
        return g, None
    sites = rows[:, i, 4:].reshape(len(rows), 6, 3)
    return g, naive_pattern(net.sites, rows, z, i, torch.relu(net.sites.query_in(sites)))


@pytest.mark.parametrize("agents", [2, 3, 7])
@pytest.mark.parametrize("embed_self", [True, False])
@pytest.mark.parametrize("attend", ["others", "entities"])
def test_fast_forms_equal_the_networks_written_pair_by_pair(agents: int, embed_self: bool, attend: Attend) -> None:
    net = model(embed_self=embed_self, attend=attend)
    rows, z = sample_rows(agents), sample_latents(agents)
    logits, found = net.logits(rows, z)
    for i in range(agents):
        kept = [j for j in range(agents) if j != i]
        g, w = naive_relations(net.relation, rows, z, i)
        torch.testing.assert_close(found.others[:, i, kept], g, atol=1e-6, rtol=1e-4)
        value = net.policy.value_out(torch.relu(net.policy.value_in.layer(others(rows, i))))
        e = torch.einsum("mj,mjd->md", g, value)
        if net.policy.own is not None:
            e = torch.cat([e, torch.relu(net.policy.own(rows[:, i]))], dim=-1)
        if w is None:
            assert found.sites is None
        else:
            assert found.sites is not None
            assert net.policy.sites is not None
            torch.testing.assert_close(found.sites[:, i], w, atol=1e-6, rtol=1e-4)
            look = torch.relu(net.policy.sites.layer(rows[:, i, 4:].reshape(len(rows), 6, 3)))
            e = torch.cat([e, torch.einsum("ml,mld->md", w, look)], dim=-1)
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
def test_relations_are_in_the_simplex_over_the_others_and_over_the_sites(agents: int) -> None:
    net, rows = model(), sample_rows(agents)
    for found in (net.relation(rows, sample_latents(agents)).stacked(), net.relation.heads(rows)):
        assert found.sites is not None
        for weights in (found.others, found.sites):
            assert (weights >= 0).all()
            torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:3]), atol=1e-6, rtol=0)
        assert all(not found.others[:, i, :, i].any() for i in range(agents))


def test_all_heads_contain_the_chosen_one_and_one_hot_latents_agree() -> None:
    net, rows, z = model(), sample_rows(6), sample_latents(6)
    index = z[..., None, None].expand(-1, -1, 1, 6)
    for selector in (net.relation.others, net.relation.sites):
        assert selector is not None
        chosen = selector(rows, z)
        torch.testing.assert_close(chosen, selector.heads(rows).gather(2, index).squeeze(2), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(chosen, selector(rows, one_hot(z, 6)), atol=1e-6, rtol=1e-5)


def test_permuting_other_agents_permutes_relations_and_leaves_actions_alone() -> None:
    net, rows, z = model(), sample_rows(6), sample_latents(6)
    order = torch.tensor([0, 4, 2, 5, 1, 3])
    logits, g = net.logits(rows, z)
    moved, moved_g = net.logits(rows[:, order], z[:, order])
    assert g.sites is not None
    assert moved_g.sites is not None
    torch.testing.assert_close(moved_g.others, g.others[:, order][:, :, order], atol=1e-6, rtol=0)
    torch.testing.assert_close(moved_g.sites, g.sites[:, order], atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.softmax(moved, -1), torch.softmax(logits[:, order], -1), atol=1e-6, rtol=0)
    values = net.critic(rows, g)
    torch.testing.assert_close(net.critic(rows[:, order], moved_g), values[:, order], atol=1e-5, rtol=1e-4)


def test_permuting_sites_permutes_attention_to_them() -> None:
    """For a given key, that is: the key and the own embedding see the sites in order of size."""
    net, rows = model().relation.sites, sample_rows(4)
    assert isinstance(net, SiteSelector)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved = torch.cat([rows[..., :4], sites_of(rows)[..., order, :].flatten(-2)], dim=-1)
    u = torch.randn((5, 4, 6, 32), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(net._weights(moved, u), net._weights(rows, u)[..., order], atol=1e-6, rtol=0)
    value = model().policy.sites
    assert value is not None
    weights = net._weights(rows, u)
    torch.testing.assert_close(value(moved, weights[..., order]), value(rows, weights), atol=1e-6, rtol=1e-5)


def test_gradients_through_attended_sites_equal_finite_differences() -> None:
    net = model(latents=3).double()
    rows, z = sample_rows(3, 2).double(), sample_latents(3, 2, latents=3)
    sites, values = net.relation.sites, net.policy.sites
    assert sites is not None
    assert values is not None
    leaves = [sites.key_out.weight, sites.query_in.weight, sites.query_out.weight, values.layer.weight]
    shape = torch.randn((2, 3, 32), generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def value() -> torch.Tensor:
        attended: torch.Tensor = values(rows, sites(rows, z).unsqueeze(2)).squeeze(2)
        return (attended * shape).sum()

    slopes = torch.autograd.grad(value(), leaves)
    step = 1e-6
    for leaf, slope in zip(leaves, slopes, strict=True):
        flat = leaf.detach().view(-1)
        for at in range(0, len(flat), len(flat) // 5):
            here = float(flat[at])
            with torch.no_grad():
                flat[at] = here + step
                above = float(value())
                flat[at] = here - step
                below = float(value())
                flat[at] = here
            assert (above - below) / (2 * step) == pytest.approx(float(slope.view(-1)[at]), rel=1e-5, abs=1e-7)


def test_published_relations_have_no_sites_and_ours_add_to_them() -> None:
    published, ours = model(attend="others"), model()
    rows, z = sample_rows(4), sample_latents(4)
    assert published.relation(rows, z).sites is None
    assert not any("sites" in name for name, _ in published.named_parameters())
    assert {name for name, _ in ours.named_parameters()} > {name for name, _ in published.named_parameters()}


def test_every_agent_attends_with_its_own_latent() -> None:
    net, rows, z = model(), sample_rows(5), sample_latents(5)
    changed = z.clone()
    changed[:, 2] = (z[:, 2] + 1) % 6
    same = [0, 1, 3, 4]
    for selector in (net.relation.others, net.relation.sites):
        assert selector is not None
        before, after = selector(rows, z), selector(rows, changed)
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
        (lambda net: net.policy(sample_rows(3), Relations(torch.zeros(5, 4, 4))), "do not fit rows"),
        (lambda net: net.policy(sample_rows(3), Relations(torch.zeros(5, 3, 3))), "relations to sites None do not"),
        (
            lambda net: net.policy(sample_rows(3), Relations(torch.zeros(5, 3, 3), torch.zeros(5, 3, 4))),
            r"relations to sites \(5, 3, 1, 4\) do not",
        ),
        (lambda net: net.critic(sample_rows(1), Relations(torch.ones(5, 1, 1))), "at least 2 agents"),
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
