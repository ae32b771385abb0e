"""The table of first actions counts joint actions in fresh worlds and leaves the learner as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.settings import PPOSettings
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.sim.errors import UnknownName
from equilibria.sim.seeds import SeedTree

SMALL: dict[str, Any] = {"worlds": 8, "steps": 10, "epochs": 1, "minibatches": 1, "hidden": 16}


def learner(seed: int = 1) -> Learner:
    return Learner(CoordinationWorld(agents=3), PPOSettings(**SMALL), seeds=SeedTree(seed))


def test_shares_are_those_of_independent_agents_and_the_most_frequent_come_first() -> None:
    made = learner()
    rows = made.table("first_actions")
    share = rows["share"].reshape(-1, 3)[:, 0]
    assert (np.diff(share) <= 0).all()
    assert share.sum() == pytest.approx(1.0)  # 8 joint actions are all kept
    assert rows["agent"].reshape(-1, 3).tolist() == [[0, 1, 2]] * len(share)
    joint = rows["action"].reshape(-1, 3)
    assert len(np.unique(joint, axis=0)) == len(joint)
    marginal = [float(share[joint[:, i] == 1].sum()) for i in range(3)]
    product = np.prod(np.where(joint == 1, marginal, 1 - np.array(marginal)), axis=1)
    assert np.abs(product - share).max() < 0.06  # 1024 worlds


def test_recording_changes_nothing_and_repeats() -> None:
    one, other = learner(), learner()
    first, again = one.table("first_actions"), one.table("first_actions")
    assert all(np.array_equal(first[k], again[k]) for k in first)
    one.step(2)
    other.step(2)
    mine, others = one.save().arrays, other.save().arrays
    assert all(np.array_equal(mine[k], others[k]) for k in others)


def test_an_unknown_table_is_a_named_error() -> None:
    with pytest.raises(UnknownName, match="first_actions"):
        learner().table("first")
