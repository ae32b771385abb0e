"""Differentiable graph sampling: always acyclic, known frequencies, straight-through gradients."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import chisquare

from equilibria.agents.bayesian_network.deep.assignment import assign
from equilibria.agents.bayesian_network.deep.noise import draw
from equilibria.agents.bayesian_network.deep.sampler import DagSampler, Order
from equilibria.sim.errors import InvalidValue

ORDERS: tuple[Order, ...] = ("identity", "plackett_luce", "sinkhorn")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampler(order: Order, agents: int = 4, context: int = 3, **options: Any) -> DagSampler:
    return DagSampler(context, agents, order=order, generator=generator(3), **options)


def without_context(made: DagSampler, edge: float = 0.0) -> DagSampler:
    """Give all agents the same score and every pair the same edge logit, whatever the context."""
    with torch.no_grad():
        for network in (made.edges, made.order):
            if network is not None:
                for parameter in network.parameters():
                    parameter.zero_()
        bias_of(made.edges).fill_(edge)
    return made


def bias_of(network: torch.nn.Sequential) -> torch.Tensor:
    last = network[2]
    assert isinstance(last, torch.nn.Linear)
    return last.bias


@pytest.mark.parametrize("order", ORDERS)
def test_ten_thousand_graphs_are_acyclic(order: Order) -> None:
    made, rows = sampler(order), 10_000
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(4.0)  # far from uniform
        context = torch.randn(rows, 3, generator=generator(1))
        sampled = made(context, made.noise(rows, generator(2)))
    graphs = sampled.graph.numpy()
    assert set(np.unique(graphs)) == {0.0, 1.0}
    assert not graphs.diagonal(axis1=1, axis2=2).any()
    different = np.unique(graphs, axis=0)
    assert len(different) > 1
    assert all(networkx.is_directed_acyclic_graph(networkx.DiGraph(edges_of(g))) for g in different)
    if sampled.order is not None:  # parents stand before their children
        place = np.argsort(sampled.order.numpy(), axis=1)
        b, j, i = np.nonzero(graphs)
        assert (place[b, j] < place[b, i]).all()
    else:
        assert not np.tril(graphs).any()


def edges_of(graph: Any) -> list[tuple[int, int]]:
    return [(int(j), int(i)) for j, i in np.argwhere(np.asarray(graph))]


@pytest.mark.parametrize("order", ["plackett_luce", "sinkhorn"])
def test_equal_scores_make_all_orders_equally_likely(order: Order) -> None:
    made, rows = without_context(sampler(order, agents=3)), 6000
    with torch.no_grad():
        drawn = made(torch.zeros(rows, 3), made.noise(rows, generator(5))).order
    assert drawn is not None
    codes = drawn.numpy() @ np.array([9, 3, 1])
    counts = [int((codes == np.dot(p, [9, 3, 1])).sum()) for p in permutations(range(3))]
    assert sum(counts) == rows
    assert chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chance", [0.2, 0.7])
def test_expected_density_is_the_edge_probability(order: Order, chance: float) -> None:
    made, rows = without_context(sampler(order), math.log(chance / (1 - chance))), 20_000
    with torch.no_grad():
        sampled = made(torch.zeros(rows, 3), made.noise(rows, generator(6)))
    assert float(sampled.density()) == pytest.approx(chance, abs=0.01)
    pair = 1.0 if order == "identity" else 0.5
    assert float(sampled.graph[:, 0, 3].mean()) == pytest.approx(pair * chance, abs=0.02)


@pytest.mark.parametrize("order", ORDERS)
def test_samples_are_exact_and_gradients_reach_both_networks(order: Order) -> None:
    made = sampler(order)
    context = torch.randn(64, 3, generator=generator(1))
    weight = torch.randn(64, 4, 4, generator=generator(2))
    sampled = made(context, made.noise(64, generator(4)))
    assert set(sampled.graph.detach().unique().tolist()) == {0.0, 1.0}
    (sampled.graph * weight).sum().backward()
    for network in (made.edges, made.order):
        if network is not None:
            assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in network.parameters())


def test_edge_gradient_is_that_of_the_relaxed_switch() -> None:
    made = without_context(sampler("identity", agents=2), 0.3)
    noise = made.noise(50, generator(1))
    made(torch.zeros(50, 3), noise).graph[:, 0, 1].sum().backward()
    soft = torch.sigmoid(0.3 + noise["dag_edges"][:, 0, 1])
    slope = bias_of(made.edges).grad
    assert slope is not None and slope[1] == pytest.approx(float((soft * (1 - soft)).sum()), rel=1e-5)


def test_without_noise_the_most_likely_graph_comes_out() -> None:
    made = without_context(sampler("plackett_luce", agents=3), 1.0)
    assert made.order is not None
    with torch.no_grad():
        bias_of(made.order).copy_(torch.tensor([0.0, 2.0, 1.0]))
        sampled = made(torch.zeros(1, 3))
    assert sampled.order is not None and sampled.order.tolist() == [[1, 2, 0]]
    assert edges_of(sampled.graph[0]) == [(1, 0), (1, 2), (2, 0)]


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_assignment_is_optimal(size: int) -> None:
    scores = np.random.default_rng(size).normal(size=(50, size, size))
    found = np.empty((50, size), np.int64)
    assign(scores, found)
    for score, order in zip(scores, found, strict=True):
        assert sorted(order) == list(range(size))
        rows, columns = linear_sum_assignment(score, maximize=True)
        assert score[np.arange(size), order].sum() == pytest.approx(score[rows, columns].sum(), abs=1e-12)


def test_noise_has_its_law_and_does_not_depend_on_the_batch() -> None:
    many = draw((20_000, 2), generator(7))
    assert float(many.mean()) == pytest.approx(0.5772, abs=0.02)
    assert float(many.var()) == pytest.approx(math.pi**2 / 6, abs=0.05)
    logistic = draw((20_000, 2), generator(7), logistic=True)
    assert float(logistic.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(logistic.var()) == pytest.approx(math.pi**2 / 3, abs=0.1)
    assert torch.equal(draw((3, 2), generator(7)), many[:3])


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(InvalidValue, match="at least 2 agents"):
        sampler("identity", agents=1)
