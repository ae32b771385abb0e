"""The five networks of MRA together, and how they act.

Axes: B worlds, T steps, N agents, H latents, F entries of a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from equilibria.agents.learning.heads import discrete_head
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.meta_representation.networks import CriticNet, PolicyNet, RelationNet, TaskEncoder, TaskPredictor
from equilibria.agents.meta_representation.selectors import Relations
from equilibria.agents.meta_representation.settings import Attend
from equilibria.games.vector.particles import ParticleWorld, own_rows, self_width
from equilibria.sim.errors import NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


def generator_of(seeds: SeedTree) -> torch.Generator:
    """Return torch's generator of a node of the seed tree."""
    return torch.Generator().manual_seed(seeds.integer())


class Model(torch.nn.Module):
    """Relation, policy, critic, task encoder and task predictor.

    Args:
        sites: Number of sites L of the worlds; networks take any number of agents N >= 2.
        actions: Number of actions.
        latents: H.
        games: Number of populations trained on.
        embed_self: Whether the policy sees its own row.
        attend: What latents choose among, ``"others"`` as published or ``"entities"``, others and sites.
        seeds: Source of the first weights, one stream per network.
    """

    def __init__(
        self,
        *,
        sites: int,
        actions: int,
        latents: int,
        games: int,
        embed_self: bool,
        attend: Attend = "entities",
        seeds: SeedTree,
    ) -> None:
        super().__init__()
        width = self_width(sites)
        self.sites, self.latents = sites, latents
        also = attend == "entities"
        self.relation = RelationNet(width, latents, generator_of(seeds.child("relation")), sites=also)
        acting = generator_of(seeds.child("policy"))
        self.policy = PolicyNet(width, actions, embed_self=embed_self, generator=acting, sites=also)
        self.critic = CriticNet(width, generator_of(seeds.child("critic")), sites=also)
        self.encoder = TaskEncoder(latents, generator_of(seeds.child("encoder")))
        self.predictor = TaskPredictor(latents, games, generator_of(seeds.child("predictor")))

    def latent_log_p(self, agents: int) -> torch.Tensor:
        """Return log p(z|N) [H], without gradient."""
        with torch.no_grad():
            return torch.log_softmax(self.encoder(agents), dim=-1)

    def logits(self, rows: torch.Tensor, z: torch.Tensor) -> tuple[torch.Tensor, Relations]:
        """Return action logits [M, N, A] and relations of rows [M, N, F] and latents int64 [M, N]."""
        g = self.relation(rows, z)
        return self.policy(rows, g), g

    def arrays(self) -> Iterator[tuple[str, Any]]:
        """Yield all weights by name as numpy views."""
        for name, value in self.state_dict().items():
            yield name, value.numpy()


@dataclass(slots=True)
class Episodes:
    """One episode of every world of a batch, all of the same length T.

    Attributes:
        rows: float32 [T + 1, B, N, F]; the last entry is the last look, before the reset.
        z: int64 [B, N] latents, one per agent and episode.
        actions: int64 [T, B, N].
        log_prob: float32 [T, B, N].
        reward: [T, B, N] what agents were paid.
        team: [T, B] team reward.
    """

    rows: torch.Tensor
    z: torch.Tensor
    actions: torch.Tensor
    log_prob: torch.Tensor
    reward: FloatArray
    team: FloatArray

    @property
    def returns(self) -> FloatArray:
        """Mean team reward per step of every episode [B]."""
        return np.asarray(self.team.mean(axis=0))


@torch.no_grad()
def play(
    model: Model, world: ParticleWorld, z: torch.Tensor, key: int, generator: torch.Generator, *, greedy: bool = False
) -> Episodes:
    """Play one episode in as many worlds as there are rows of latents.

    Args:
        model: Who acts.
        world: The world; its reward decides what agents are paid.
        z: int64 [B, N] latents, fixed for the episode.
        key: Key of the worlds' random numbers.
        generator: Source of the actions.
        greedy: Take the most likely action instead of drawing one.

    Raises:
        NumericalError: If a logit is not finite.
    """
    batch, steps, n = len(z), world.horizon, world.agents
    state = world.reset(key, batch)
    rows = torch.empty((steps + 1, batch, n, self_width(world.sites)))
    actions = torch.empty((steps, batch, n), dtype=torch.int64)
    log_prob = torch.empty((steps, batch, n))
    reward, team = np.empty((steps, batch, n)), np.empty((steps, batch))
    for t in range(steps):
        rows[t] = torch.from_numpy(world.rows(state))
        logits, _ = model.logits(rows[t], z)
        if not bool(torch.isfinite(logits).all()):
            b, i, _ = (int(x) for x in (~torch.isfinite(logits)).nonzero()[0])
            place = f"action logit of agent {i} of {n} in world {b} at step {t}"
            raise NumericalError(place, float("nan"), where=world.name)
        head = discrete_head(logits)
        actions[t] = head.mode() if greedy else head.sample(generator)
        log_prob[t] = head.log_prob(actions[t])
        world.step(state, {"agent": actions[t].numpy()})
        reward[t], team[t] = state.reward, world.team_reward(state)
    rows[steps] = torch.from_numpy(own_rows(state.final_observation, world.sites))
    return Episodes(rows, z, actions, log_prob, reward, team)
