"""Best responses by PPO on sampled episodes.

Source: Schulman et al. (2017), arXiv 1707.06347; Lanctot et al. (2017), arXiv 1711.00832 (oracles of PSRO).
Cost: steps / batch updates of epochs x batch / minibatch gradient steps (about a second per 50,000 steps
with the default network on one core).
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.agents.learning.advantages import advantages, normalised
from equilibria.agents.learning.heads import Discrete
from equilibria.agents.learning.losses import policy_loss
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.value_norm import ValueNorm
from equilibria.agents.solvers.population.oracle_network import (
    ActionTable,
    InfosetNetwork,
    LearnedOracle,
    generator,
    set_weights,
    table_of,
    weights_of,
)
from equilibria.agents.solvers.population.oracle_settings import PPOOracleSettings
from equilibria.games.extensive.response import Episodes, ResponseProblem
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray

_MAX_GRAD_NORM = 10.0


class PPOOracle(LearnedOracle):
    """Trains a policy and a value network against the request's opponents.

    Args:
        settings: See ``PPOOracleSettings``.
    """

    name = "ppo"
    settings: PPOOracleSettings

    def __init__(self, settings: PPOOracleSettings | None = None) -> None:
        super().__init__(settings or PPOOracleSettings())

    def _train(
        self, problem: ResponseProblem, features: torch.Tensor | None, seeds: SeedTree, start: list[AnyArray] | None
    ) -> tuple[FloatArray, BoolArray, list[AnyArray]]:
        s, actions = self.settings, ActionTable(problem)
        random = generator(seeds, "networks")
        actor, critic = (
            InfosetNetwork(
                features, problem.infosets, hidden=s.hidden, layers=s.layers, out=out, activation="tanh",
                out_gain=gain, generator=random,
            )
            for out, gain in ((actions.width, 0.01), (1, 1.0))
        )  # fmt: skip
        set_weights((actor, critic), start)
        step = _Step(s, actions, actor, critic, generator(seeds, "minibatches"))
        visited = np.zeros(problem.infosets, np.bool_)
        rows = max(1, s.batch // s.lanes)
        updates = math.ceil(s.steps / (rows * s.lanes))
        for update in range(updates):
            log_probs = table_of(lambda: torch.log_softmax(actions.masked(actor()), dim=-1))
            played = problem.play(actions.strategy(np.exp(log_probs)), rows)
            visited[played.infoset] = True
            share = update / max(updates - 1, 1)
            step(played, log_probs, s.entropy_start + share * (s.entropy_end - s.entropy_start))
        log_probs = table_of(lambda: torch.log_softmax(actions.masked(actor()), dim=-1))
        strategy = actions.greedy(log_probs) if s.output == "greedy" else actions.strategy(np.exp(log_probs))
        return strategy, visited, weights_of((actor, critic))


class _Step:
    """One update: advantages of a batch, then passes of gradient steps."""

    def __init__(
        self,
        settings: PPOOracleSettings,
        actions: ActionTable,
        actor: InfosetNetwork,
        critic: InfosetNetwork,
        random: torch.Generator,
    ) -> None:
        self._settings, self._actions, self._actor, self._critic, self._random = (
            settings, actions, actor, critic, random,
        )  # fmt: skip
        self._norm = ValueNorm(decay=0.99)
        parameters = [*actor.parameters(), *critic.parameters()]
        self._optimiser = torch.optim.Adam(parameters, lr=settings.lr, eps=1e-5, fused=True)

    def __call__(self, played: Episodes, log_probs: AnyArray, entropy_weight: float) -> None:
        s = self._settings
        values = self._norm.denormalise(table_of(self._critic)[:, 0])
        looked = np.concatenate([played.infoset, played.following[None]])
        gain, targets = advantages(played.reward, values[looked], played.ended, discount=s.discount, trace=s.trace)
        self._norm.update(targets)
        infoset = torch.from_numpy(played.infoset.ravel())
        action = torch.from_numpy(played.action.ravel())
        old = torch.from_numpy(log_probs[played.infoset.ravel(), played.action.ravel()])
        wanted = torch.from_numpy(self._norm.normalise(targets).ravel().astype(np.float32))
        advantage = torch.from_numpy(normalised(gain.ravel()).astype(np.float32))
        for _ in range(s.epochs):
            order = torch.randperm(len(infoset), generator=self._random)
            for pick in order.split(s.minibatch):
                here = infoset[pick]
                head = Discrete(torch.log_softmax(self._actions.masked(self._actor(here), here), dim=-1))
                actor_loss = policy_loss(
                    head.log_prob(action[pick]),
                    old[pick],
                    advantage[pick],
                    head.entropy(),
                    clip=s.clip,
                    entropy_weight=entropy_weight,
                ).loss
                error = self._critic(here)[:, 0] - wanted[pick]
                self._optimiser.zero_grad(set_to_none=True)
                (actor_loss + 0.5 * (error * error).mean()).backward()
                torch.nn.utils.clip_grad_norm_(self._actor.parameters(), _MAX_GRAD_NORM)
                torch.nn.utils.clip_grad_norm_(self._critic.parameters(), _MAX_GRAD_NORM)
                self._optimiser.step()
