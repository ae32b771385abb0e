"""SEQUOIA: the integer program against enumeration, learning, resumption, refusals."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from equilibria.agents.decisions.sequoia import Sequoia
from equilibria.agents.decisions.settings import SequoiaSettings
from equilibria.games.decisions.restless import RestlessGame
from equilibria.games.decisions.restless_instances import build
from equilibria.games.decisions.settings import RestlessSettings
from equilibria.sim.errors import Unsupported
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine


def game(seed: int = 0, **settings: Any) -> RestlessGame:
    return build(RestlessSettings(**settings), seeds=SeedTree(seed))


def share(g: RestlessGame, learner: Sequoia) -> float:
    return g.evaluate(learner.table()) / float(g.first_states() @ g.solve()[0][0])


@pytest.mark.parametrize("coupling", ["capacity", "schedule", "path", "interventions"])
def test_the_integer_program_finds_the_least_cost_of_all_feasible_sets(coupling: str) -> None:
    g = game(coupling=coupling)
    by_program = Sequoia(g, SequoiaSettings(decide="milp", pretrain=20), seeds=SeedTree(1))
    listed = Sequoia(g, SequoiaSettings(pretrain=20), seeds=SeedTree(1))
    rng = np.random.default_rng(1)
    for _ in range(6):
        state = rng.integers(0, 4, 5)
        costs = listed._costs(state[None], listed._nets[0])[0]
        chosen = by_program.best(state)
        assert g.feasible(chosen)
        row = int(np.flatnonzero((listed._members == chosen).all(axis=1))[0])
        assert costs[row] == pytest.approx(costs.min(), abs=1e-5)


def test_one_by_one_lowers_the_cost_and_stays_feasible() -> None:
    g = game(1, arms=4, coupling="path")
    learner = Sequoia(g, SequoiaSettings(decide="iterative", pretrain=20), seeds=SeedTree(1))
    for state in g.joint_states()[::17]:
        chosen = learner.best(state)
        assert g.feasible(chosen)
        costs = learner._set_costs(state, np.stack([chosen, np.zeros(4, np.bool_)]))
        assert costs[0] <= costs[1]
        assert costs[0] >= learner._costs(state[None], learner._nets[0]).min() - 1e-6
    assert learner.table().shape == (g.horizon, 4**4)


@pytest.mark.heavy
def test_learning_goes_beyond_myopic_pretraining() -> None:
    g = game(2, arms=4, horizon=10)
    learner = Sequoia(g, SequoiaSettings(buffer=2000), seeds=SeedTree(2))
    before = share(g, learner)
    learner.step(40)
    assert 0.5 < share(g, learner) <= 1.0 + 1e-9
    assert share(g, learner) >= before - 0.05
    assert learner.certificate().value >= 0.0


@pytest.mark.slow
def test_five_instances_reach_85_percent_of_the_programme_on_average() -> None:
    shares = []
    for seed in range(5):
        g = game(seed)
        learner = Sequoia(g, SequoiaSettings(), seeds=SeedTree(seed))
        learner.step(100)
        shares.append(share(g, learner))
    assert np.mean(shares) >= 0.85


def test_the_engine_keeps_its_contract() -> None:
    scenario = {
        "version": 1,
        "name": "sequoia",
        "game": {"use": "corestless", "params": {"arms": 3, "workers": 1, "horizon": 4}},
        "agents": [{"use": "sequoia", "params": {"buffer": 100, "pretrain": 5, "batch": 8}}],
        "metrics": [{"use": "reward_per_step", "every": 2}],
        "run": {"budget": 7, "seed": 1},
    }
    check_engine(plan_from_bytes(json.dumps(scenario).encode(), "sequoia.yaml").build)


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(Unsupported, match="at most 8 arms"):
        Sequoia(game(arms=9), SequoiaSettings(), seeds=SeedTree(1))
