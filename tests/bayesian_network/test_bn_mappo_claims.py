"""Experiments: edges pay in the coordination game and in Aloha.  Numbers and intervals stand in docs/results.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.bayesian_network.deep.exact import coordination_ratio
from equilibria.agents.bayesian_network.deep.learner import BNMAPPO
from equilibria.agents.bayesian_network.deep.settings import BNMAPPOSettings
from equilibria.games.vector.aloha import Aloha
from equilibria.games.vector.base import VectorWorld
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.tabular import coordination_game
from equilibria.sim.scenario import load_plan
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


def trained(world: VectorWorld, scenario: str, seed: int, **changes: Any) -> BNMAPPO:
    """Train with the settings and the budget of a shipped scenario."""
    plan = load_plan(scenario)
    settings = BNMAPPOSettings.model_validate({**plan.resolved["agents"][0]["params"], **changes})
    solver = BNMAPPO(world, settings, seeds=SeedTree(seed), budget=plan.budget)
    solver.step(plan.budget)
    return solver


def ratios(dag: str) -> FloatArray:
    game = coordination_game(3)
    return np.array(
        [
            coordination_ratio(trained(CoordinationWorld(3), "bn_mappo_coordination", seed, dag=dag).actor, game)
            for seed in range(1, 6)
        ]
    )


@pytest.mark.slow
def test_edges_leave_the_trap_of_the_coordination_game() -> None:
    """About six minutes.  All ones is worth .774."""
    full, learned, empty = ratios("full"), ratios("learned"), ratios("empty")
    assert full.mean() >= 0.97
    assert learned.mean() >= 0.90
    assert full.min() > empty.mean() + 0.05
    assert (empty < 0.95).sum() >= 2  # without edges some runs end in or near the trap


def returns(dag: str, **changes: Any) -> FloatArray:
    """Returns of five seeds' policies, 2,000 episodes each: row 0 as trained, row 1 with the likeliest actions."""
    found = []
    for seed in range(1, 6):
        solver = trained(Aloha(), "bn_mappo_aloha", seed, dag=dag, **changes)
        found.append([solver.evaluate(2000, SeedTree(99), greedy=g)[:, 0].mean() for g in (False, True)])
    return np.array(found).T


@pytest.mark.slow
def test_edges_take_turns_on_the_aloha_channel() -> None:
    """About four minutes.  One static set of senders is worth 6.2, central greedy play 9.7."""
    sampled, greedy = returns("full")
    assert sampled.min() >= 8.0
    assert np.median(greedy) >= 8.5
    for changes in ({}, {"loss_scale": None}):
        assert returns("empty", **changes).max() <= 6.4
