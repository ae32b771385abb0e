"""Best responses by deep Q-learning on sampled episodes.

The loss is the squared error: payoffs are random, and a Huber loss would learn something between their
median and their mean.  Payoffs are divided by the game's largest payoff.

Source: Mnih et al. (2015), Human-level control through deep reinforcement learning, Nature 518.
Cost: steps / train_every gradient steps, and as many passes over all infosets (fewer in large games).
"""

from __future__ import annotations

import copy
import math

import numpy as np

from equilibria.agents.learning.torch_import import torch
from equilibria.agents.solvers.population.oracle_network import (
    ActionTable,
    InfosetNetwork,
    LearnedOracle,
    generator,
    set_weights,
    table_of,
    weights_of,
)
from equilibria.agents.solvers.population.oracle_settings import DQNOracleSettings
from equilibria.games.extensive.response import Episodes, ResponseProblem
from equilibria.sim.errors import NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray

_END = -1
_MAX_GRAD_NORM = 10.0


class DQNOracle(LearnedOracle):
    """Trains action values against the request's opponents.

    Args:
        settings: See ``DQNOracleSettings``.
    """

    name = "dqn"
    settings: DQNOracleSettings

    def __init__(self, settings: DQNOracleSettings | None = None) -> None:
        super().__init__(settings or DQNOracleSettings())

    def _train(
        self, problem: ResponseProblem, features: torch.Tensor | None, seeds: SeedTree, start: list[AnyArray] | None
    ) -> tuple[FloatArray, BoolArray, list[AnyArray]]:
        s, actions = self.settings, ActionTable(problem)
        network = InfosetNetwork(
            features, problem.infosets, hidden=s.hidden, layers=s.layers, out=actions.width, activation="relu",
            out_gain=0.01, generator=generator(seeds, "networks"),
        )  # fmt: skip
        set_weights((network,), start)
        learner = _Learner(s, problem, actions, network, generator(seeds, "minibatches"))
        visited = np.zeros(problem.infosets, np.bool_)
        # in large games a look at all infosets costs more than a gradient step: play more between two looks
        rows = max(1, problem.infosets // (8 * s.lanes))
        done, trained, copied = 0, 0, 0
        while done < s.steps:
            played = problem.play(actions.greedy(learner.values(), self._epsilon(done)), rows)
            visited[played.infoset] = True
            learner.store(played)
            done += rows * s.lanes
            while trained < done // s.train_every:
                trained += 1
                if trained * s.train_every >= copied + s.target_every:
                    copied = trained * s.train_every
                    learner.copy_target()
                learner.train()
        strategy = actions.greedy(learner.values(), s.epsilon_end if s.output == "sampled" else 0.0)
        return strategy, visited, weights_of((network,))

    def _epsilon(self, done: int) -> float:
        s = self.settings
        share = min(1.0, done / (s.epsilon_decay * s.steps))
        return s.epsilon_start + share * (s.epsilon_end - s.epsilon_start)


class _Learner:
    """Replay, target values and gradient steps."""

    def __init__(
        self,
        settings: DQNOracleSettings,
        problem: ResponseProblem,
        actions: ActionTable,
        network: InfosetNetwork,
        random: torch.Generator,
    ) -> None:
        self._settings, self._actions, self._network, self._random = settings, actions, network, random
        game = problem.game
        self._scale = max(abs(game.utility_min), abs(game.utility_max)) or 1.0
        self._optimiser = torch.optim.Adam(network.parameters(), lr=settings.lr, fused=True)
        size = settings.replay
        self._infoset, self._action = torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int64)
        self._next, self._reward = torch.zeros(size, dtype=torch.int64), torch.zeros(size)
        self._held, self._place = 0, 0
        self._target = copy.deepcopy(network)
        self._best = torch.zeros(0)
        self.copy_target()

    def values(self) -> AnyArray:
        """Return action values [I, A], in units of the largest payoff."""
        return table_of(self._network)

    def store(self, played: Episodes) -> None:
        """Add transitions, overwriting the oldest."""
        after = np.concatenate([played.infoset[1:], played.following[None]])
        count = played.infoset.size
        places = torch.from_numpy((self._place + np.arange(count)) % len(self._infoset))
        self._infoset[places] = torch.from_numpy(played.infoset.ravel())
        self._action[places] = torch.from_numpy(played.action.ravel())
        self._reward[places] = torch.from_numpy((played.reward / self._scale).ravel().astype(np.float32))
        self._next[places] = torch.from_numpy(np.where(played.ended, _END, after).ravel())
        self._place = (self._place + count) % len(self._infoset)
        self._held = min(self._held + count, len(self._infoset))

    def copy_target(self) -> None:
        """Copy the network to the target network; its best values [I] are all that is needed of it."""
        self._target.load_state_dict(self._network.state_dict())
        with torch.inference_mode():
            best = self._actions.masked(self._target()).amax(dim=-1)
        self._best = torch.cat([best, torch.zeros(1)])  # the last entry is the value after the end

    def train(self) -> None:
        """Do one gradient step."""
        s = self._settings
        pick = torch.randint(self._held, (s.minibatch,), generator=self._random)
        here = self._infoset[pick]
        wanted = self._reward[pick] + s.discount * self._best[self._next[pick]]
        found = self._network(here).gather(1, self._action[pick].unsqueeze(1)).squeeze(1)
        loss = ((found - wanted) ** 2).mean()
        if not math.isfinite(float(loss.detach())):
            raise NumericalError("loss of the DQN oracle", float(loss.detach()))
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), _MAX_GRAD_NORM)
        self._optimiser.step()
