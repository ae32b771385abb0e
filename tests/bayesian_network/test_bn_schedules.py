"""Schedules of BN-MAPPO: losses, entropy, and the density of learned graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from equilibria.agents.bayesian_network.deep.learner import BNMAPPO
from equilibria.agents.bayesian_network.deep.sampler import DagSampler
from equilibria.agents.bayesian_network.deep.settings import (
    AgainSettings,
    BNMAPPOSettings,
    EntropySettings,
    LossScaleSettings,
    SparsitySettings,
)
from equilibria.games.vector.aloha import Aloha
from equilibria.games.vector.base import VectorWorld
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.sim.seeds import SeedTree

SMALL: dict[str, Any] = {"worlds": 8, "steps": 10, "epochs": 2, "minibatches": 2, "hidden": 16}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def learner(world: VectorWorld | None = None, budget: int = 40, seed: int = 1, **settings: Any) -> BNMAPPO:
    return BNMAPPO(world or CoordinationWorld(3), BNMAPPOSettings(**settings), seeds=SeedTree(seed), budget=budget)


def test_sparsity_schedule_falls_from_one_to_zero() -> None:
    plan = SparsitySettings(begin=0.4, end=0.7, alpha=0.1, alpha_end=1.0, ramp=0.1)
    assert [plan.target(p) for p in (0, 0.4, 0.55, 0.7, 1)] == [1, 1, 0.5, 0, 0]
    assert [plan.weight(p) for p in (0, 0.7, 0.75, 0.8, 1)] == pytest.approx([0.1, 0.1, 0.55, 1.0, 1.0])


def test_losses_grow_to_those_of_the_game() -> None:
    plan = LossScaleSettings(first=0.01, begin=0.2, end=0.6)
    assert plan.at(0.1) == plan.at(0.2) == 0.01
    assert plan.at(0.4) == pytest.approx(0.1)
    assert plan.at(0.6) == plan.at(1.0) == 1.0


def test_loss_scale_changes_what_is_learned_from_only() -> None:
    solver = learner(Aloha(), budget=10, **SMALL, dag="full", loss_scale=LossScaleSettings(first=1e-6))
    solver.step(2)  # 20 steps of every world: an episode has ended
    numbers = solver.history()
    assert numbers["mean_reward"].min() > -0.01
    assert numbers["mean_return"][1] < -100


def test_the_cap_of_the_density_target_leaves_its_fall() -> None:
    plan = SparsitySettings(begin=0.4, end=0.7, most=0.9)
    assert [plan.target(p) for p in (0, 0.4, 0.42, 0.55, 0.7, 1)] == [0.9, 0.9, 0.9, 0.5, 0, 0]


@pytest.mark.parametrize("order", ["identity", "plackett_luce", "sinkhorn"])
def test_gain_leaves_the_first_graphs_and_speeds_their_change(order: Any) -> None:
    plain, fast = (DagSampler(3, 4, order=order, gain=g, generator=generator(3)) for g in (1.0, 8.0))
    context = torch.randn(200, 3, generator=generator(1))
    noise = plain.noise(200, generator(2))
    assert torch.equal(plain(context, noise).graph, fast(context, noise).graph)  # 8 is a power of two: exact
    moved = []
    for made in (plain, fast):
        start = made(context).on.detach()
        adam = torch.optim.Adam(made.parameters(), lr=1e-3)
        made(context, noise).density().backward()
        adam.step()
        moved.append(float((made(context).on - start).abs().mean().detach()))
    assert moved[1] > 3 * moved[0]


def test_entropy_weight_falls_late() -> None:
    plan = EntropySettings(begin=0.5, end=0.75, last=0.002)
    assert [plan.weight(0.01, p) for p in (0, 0.5, 0.625, 0.75, 1)] == pytest.approx([0.01, 0.01, 0.006, 0.002, 0.002])


def test_schedules_start_over() -> None:
    """The first value is back at ``at``, and the last one at the second end; before, nothing differs."""
    plan = EntropySettings(begin=0.1, end=0.3, last=0.01, again=AgainSettings(at=0.4, begin=0.6, end=0.8))
    shares = (0, 0.2, 0.3, 0.399, 0.4, 0.6, 0.7, 0.8, 1)
    wanted = [0.21, 0.11, 0.01, 0.01, 0.21, 0.21, 0.11, 0.01, 0.01]
    assert [plan.weight(0.21, p) for p in shares] == pytest.approx(wanted)
    losses = LossScaleSettings(first=0.01, begin=0, end=0.2, again=AgainSettings(at=0.5, begin=0.5, end=1))
    assert [losses.at(p) for p in (0.1, 0.2, 0.49, 0.5, 0.75, 1)] == pytest.approx([0.1, 1, 1, 0.01, 0.1, 1])


def test_a_learner_follows_schedules_that_start_over() -> None:
    again = {"at": 0.5, "begin": 0.5, "end": 1}
    solver = learner(
        Aloha(),
        budget=4,
        **SMALL,
        dag="full",
        entropy_weight=0.3,
        entropy_schedule={"begin": 0, "end": 0.5, "again": again},
        loss_scale={"first": 1e-6, "begin": 0, "end": 0.25, "again": again},
    )
    relief, rewards = [], []
    for _ in range(4):
        solver.step(1)
        relief.append(solver.actor.entropy_relief)
        rewards.append(float(solver.history()["mean_reward"][0]))
    assert relief == pytest.approx([0, 0.15, 0, 0.15])
    assert min(rewards[0], rewards[2]) > -0.01 > rewards[1]  # losses hardly count in the first and third update


def test_a_schedule_that_ends_at_once_learns_as_without_a_bonus() -> None:
    """Both minimise the same loss: the bonus is taken off by the policy, or was never there."""
    ended = learner(**SMALL, dag="full", entropy_weight=0.3, entropy_schedule={"begin": 0, "end": 1e-9})
    never = learner(**SMALL, dag="full", entropy_weight=0.0)
    kept = learner(**SMALL, dag="full", entropy_weight=0.3)
    ended._iteration = 1  # past the end of the schedule
    for solver in (ended, never, kept):
        solver.step(1)
    found, wanted, other = (
        torch.cat([p.detach().flatten() for p in solver.actor.parameters()]) for solver in (ended, never, kept)
    )
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    assert float((other - wanted).abs().max()) > 1e-4


def test_density_stays_close_to_a_falling_target() -> None:
    """With a cap and fast graph networks the mean of the last updates of every quarter is within 0.1."""
    plan = SparsitySettings(begin=0.4, end=0.7, alpha=1.0, alpha_end=5.0, most=0.95)
    solver = learner(
        budget=100, worlds=16, steps=5, epochs=4, minibatches=1, actor_lr=3e-3, hidden=16, dag="learned",
        edge_bias=2, graph_gain=8, sparsity=plan, parent_input="actions",
    )  # fmt: skip
    solver.step(100)
    found = solver.history()
    gap = found["dag_density"] - found["dag_density_target"]
    for end in (25, 50, 75, 100):
        assert abs(float(np.mean(gap[end - 8 : end]))) < 0.1
    assert found["dag_density"][-1] < 0.01
    assert not solver.actor.graphs(torch.rand(200, 3, 3, generator=generator(1))).graph.any()


def test_training_repeats_and_does_not_depend_on_evaluation() -> None:
    def parameters(evaluations: int) -> list[torch.Tensor]:
        solver = learner(**SMALL, dag="learned", order="plackett_luce")
        for _ in range(10):
            solver.step(1)
            if evaluations:
                solver.evaluate(evaluations, SeedTree(evaluations))
        return list(solver.actor.parameters()) + list(solver.critic.parameters())

    wanted = parameters(0)
    for evaluations in (0, 40):
        assert all(torch.equal(a, b) for a, b in zip(parameters(evaluations), wanted, strict=True))
