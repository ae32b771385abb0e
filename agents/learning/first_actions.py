"""Table ``first_actions``: what a team plays at the start of an episode, by sampling fresh worlds.

Works for every joint policy, also for ones that correlate agents: joint actions are counted, not marginals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from equilibria.agents.learning.rollout import Rollout
from equilibria.agents.learning.tensors import one_thread
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import Unsupported
from equilibria.sim.types import AnyArray

if TYPE_CHECKING:
    from equilibria.agents.learning.learner import Learner

TABLE: Final = "first_actions"
WORLDS: Final = 1024
KEPT: Final = 32


def first_actions(learner: Learner, worlds: int = WORLDS) -> dict[str, AnyArray]:
    """Return the most frequent joint actions of the controlled agents in fresh worlds; changes nothing.

    Args:
        learner: The learner.
        worlds: Number of worlds sampled.

    Returns:
        One row per joint action (at most 32, the most frequent first) and agent: rank, share of the worlds,
        agent (column of the world), action.  Cost: one reset and one decision of all worlds.

    Raises:
        Unsupported: If actions have several parts.
    """
    if learner.spaces.parts is not None:
        raise Unsupported(f"table {TABLE!r} counts single discrete actions; those of {learner.game.name} have parts")
    seeds = learner.seeds.child("first actions", learner.iteration)
    player = learner.player(key=int(seeds.child("policy").integer()))
    with one_thread():
        rollout = Rollout(learner.game, worlds, int(seeds.key()), learner.spaces, learner.frozen_opponents())
        player.begin(worlds)
        seen = torch.from_numpy(rollout.state.observation)[:, torch.from_numpy(learner.spaces.columns)]
        mask = rollout.mask()
        actions = np.asarray(player.act(seen, None if mask is None else torch.from_numpy(mask)), np.int64)
    joint, counts = np.unique(actions, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:KEPT]
    rank, agent = np.indices((len(order), actions.shape[1]))
    return {
        "rank": rank.ravel(),
        "share": np.repeat(counts[order] / worlds, actions.shape[1]),
        "agent": learner.spaces.columns[agent.ravel()].astype(np.int64),
        "action": joint[order].ravel(),
    }
