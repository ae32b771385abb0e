"""Batch-constrained Q-learning: the best of actions that the log could have shown.

A variational auto-encoder learns which actions the log takes in a state, a second network moves them by at most 0.05 of
half the range, and the action with the largest Q among ten drawn ones is taken.  Targets mix the two slow Qs, 0.75 of
the smaller and 0.25 of the larger one, and take the best of ten drawn actions.

Source: Fujimoto, Meger, Precup (2019), ICML, arXiv 1812.02900 (continuous actions).
"""

from __future__ import annotations

from typing import ClassVar, Final

from equilibria.agents.bidding.autobidding.learners.actor_critic import HALF
from equilibria.agents.bidding.autobidding.learners.data import Learner, Tensor, Transitions, pair, value
from equilibria.agents.bidding.autobidding.offline_log import HIGHEST, LOWEST
from equilibria.agents.learning.torch_import import torch

LATENT: Final = 2
DRAWN: Final = 10
MOST_LATENT: Final = 0.5
REACH: Final = 0.05 * HALF
"""Largest distance of an action from what the log's model proposes."""
SMALLER: Final = 0.75
DIVERGENCE: Final = 0.05
"""Weight of the divergence; logged actions differ by a few tenths, which the weight of the source, 0.5, would hide."""


class BatchConstrained(Learner):
    """See the module."""

    name: ClassVar[str] = "bcq"

    def build(self) -> None:
        """Make the networks."""
        self._encoder, self._decoder = self.network(self.width + 1, 2 * LATENT), self.network(self.width + LATENT)
        self._mover = self.network(self.width + 1)
        self._critics = [self.network(self.width + 1) for _ in range(2)]
        self._slow, self._slow_mover = [self.copy(net) for net in self._critics], self.copy(self._mover)
        # the same latent numbers whenever the policy acts, so that a state has one action
        self._latent = self.noise(DRAWN, LATENT).clamp(-MOST_LATENT, MOST_LATENT)

    def means(self, state: Tensor) -> Tensor:
        """Return the best of ten proposed actions [n]."""
        states, actions = self._proposed(state, self._latent.expand(len(state), -1, -1), self._mover)
        best = value(self._critics[0], states, actions).argmax(1)
        return actions.gather(1, best[:, None])[:, 0]

    def update(self, k: int, batch: Transitions) -> None:
        """Take gradient step k."""
        self._model(k, batch)
        n = len(batch)
        with torch.no_grad():
            latent = self.noise(n, DRAWN, LATENT).clamp(-MOST_LATENT, MOST_LATENT)
            states, actions = self._proposed(batch.after, latent, self._slow_mover)
            a, b = (value(net, states, actions) for net in self._slow)
            mixed = SMALLER * torch.minimum(a, b) + (1.0 - SMALLER) * torch.maximum(a, b)
            goal = batch.pay + batch.on * mixed.max(1).values
        for net in self._critics:
            self.descend(net, ((value(net, batch.state, batch.action) - goal) ** 2).mean(), k)
        latent = self.noise(n, 1, LATENT).clamp(-MOST_LATENT, MOST_LATENT)
        states, actions = self._proposed(batch.state, latent, self._mover)
        self.descend(self._mover, -value(self._critics[0], states, actions).mean(), k)
        self.follow([*zip(self._critics, self._slow, strict=True), (self._mover, self._slow_mover)])

    def _model(self, k: int, batch: Transitions) -> None:
        """Fit the auto-encoder of logged actions."""
        mean, log_std = self._encoder(pair(batch.state, batch.action)).chunk(2, -1)
        log_std = log_std.clamp(-4.0, 4.0)
        latent = mean + log_std.exp() * self.noise(len(batch), LATENT)
        again = value(self._decoder, torch.cat([batch.state, latent], -1))
        divergence = -0.5 * (1.0 + 2.0 * log_std - mean**2 - (2.0 * log_std).exp()).sum(-1).mean()
        loss = ((again - batch.action) ** 2).mean() + DIVERGENCE * divergence / LATENT
        self.descend([self._encoder, self._decoder], loss, k)

    def _proposed(self, state: Tensor, latent: Tensor, mover: object) -> tuple[Tensor, Tensor]:
        """Return states [n, m, F] and actions [n, m] for latent numbers [n, m, 2]."""
        states = state[:, None].expand(-1, latent.shape[1], -1)
        with torch.no_grad():
            raw = value(self._decoder, torch.cat([states, latent], -1)).clamp(LOWEST, HIGHEST)
        return states, (raw + REACH * torch.tanh(value(mover, states, raw))).clamp(LOWEST, HIGHEST)
