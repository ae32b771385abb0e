"""The candidate of deep IWOCS: of several learned policies, in every state the one whose critic promises least.

Axes: B worlds, A actions, R episodes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from equilibria.agents.learning.batches import Action, Context
from equilibria.agents.learning.players import Player
from equilibria.agents.learning.tensors import one_thread
from equilibria.agents.learning.torch_import import torch
from equilibria.games.vector.base import VectorWorld
from equilibria.sim.types import FloatArray


class Expert(torch.nn.Module):
    """A policy with its critic, frozen as a learner has them now.

    Args:
        learner: A learner without memory (not recurrent) of one agent.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, learner: Any) -> None:
        super().__init__()
        self.policy, self.critic = copy.deepcopy(learner.actor), copy.deepcopy(learner.critic)
        mean, deviation = learner.updates.norm.scale()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))

    def promise(self, obs: torch.Tensor) -> torch.Tensor:
        """Return the critic's values [B] of observations [B, 1, D], in rewards."""
        found = self.critic.step(obs, obs.flatten(-2), {})[0]
        values: torch.Tensor = (found.to(torch.float64) * self.deviation + self.mean)[:, 0]
        return values


class LeastPromise(torch.nn.Module):
    """Plays for each world as the expert whose promise is least there; satisfies ``JointPolicy`` as far as acting goes.

    Args:
        experts: At least one.
    """

    def __init__(self, experts: Sequence[Expert]) -> None:
        super().__init__()
        self.experts = torch.nn.ModuleList(experts)
        self._experts = list(experts)

    def begin(self, worlds: int, generator: torch.Generator) -> Context:
        """Return nothing: experts have no memory."""
        return {}

    def act(
        self,
        obs: torch.Tensor,
        mask: torch.Tensor | None,
        context: Context,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> Action:
        """Choose actions [B, 1]."""
        made = [expert.policy.act(obs, mask, {}, generator, greedy=greedy) for expert in self._experts]
        if len(made) == 1:
            return Action(made[0].actions, made[0].log_prob, {})
        least = torch.stack([expert.promise(obs) for expert in self._experts]).argmin(dim=0)
        rows = torch.arange(len(obs))
        actions = torch.stack([m.actions for m in made])[least, rows]
        return Action(actions, torch.stack([m.log_prob for m in made])[least, rows], {})

    def evaluate(self, batch: Any) -> Any:
        """Refuse: the candidate does not learn."""
        raise NotImplementedError("the candidate of IWOCS does not learn; its experts did")


def discounted_returns(game: VectorWorld, player: Player, *, episodes: int, key: int, discount: float) -> FloatArray:
    """Play one episode in each of ``episodes`` worlds and return the discounted returns [R] of the one agent.

    What a truncated episode would still have earned is left out.
    """
    role = next(iter(game.roles))
    state = game.reset(key, episodes)
    total, weight = np.zeros(episodes), np.ones(episodes)
    with one_thread():
        player.begin(episodes)
        while weight.any():
            mask = game.action_mask(state, role)
            seen = torch.from_numpy(game.observe(state, role).copy())
            actions = player.act(seen, None if mask is None else torch.from_numpy(mask))
            game.step(state, {role: actions})
            total += weight * state.reward[:, 0]
            weight = np.where(state.ended, 0.0, weight * discount)
            player.ended(state.ended.copy())
    return total
