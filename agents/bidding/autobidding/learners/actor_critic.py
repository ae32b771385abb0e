"""TD3 on logged transitions: two Qs, slow targets, smoothed target actions; with cloning, or as a base of others.

The policy maximises w Q - (a - a_log)^2 with w = alpha / mean |Q|.

Source: Fujimoto and Gu (2021), NeurIPS, arXiv 2106.06860; Fujimoto, van Hoof, Meger (2018), ICML, arXiv 1802.09477.
"""

from __future__ import annotations

from typing import ClassVar, Final

from equilibria.agents.bidding.autobidding.learners.data import Learner, Tensor, Transitions, value
from equilibria.agents.bidding.autobidding.offline_log import HIGHEST, LOWEST
from equilibria.agents.learning.torch_import import torch

CENTRE, HALF = (LOWEST + HIGHEST) / 2.0, (HIGHEST - LOWEST) / 2.0
SMOOTHING, MOST_SMOOTHING, DELAY = 0.2, 0.5, 2
SAMPLES: Final = 10
"""Random actions per state that a conservative penalty compares with the log."""


class RegularisedTD3(Learner):
    """TD3 with cloning."""

    name: ClassVar[str] = "td3_bc"

    def build(self) -> None:
        """Make the networks."""
        self.actor = self.network(self.width)
        self.critics = [self.network(self.width + 1) for _ in range(2)]
        self._slow = [self.copy(net) for net in self.critics]
        self._slow_actor = self.copy(self.actor)

    def means(self, state: Tensor) -> Tensor:
        """Return actions [n]."""
        return self._action(self.actor, state)

    def q(self, state: Tensor, action: Tensor) -> Tensor:
        """Return the smaller of the two values [n]."""
        return torch.minimum(*(value(net, state, action) for net in self.critics))

    def update(self, k: int, batch: Transitions) -> None:
        """Take gradient step k."""
        with torch.no_grad():
            noise = (SMOOTHING * self.noise(len(batch))).clamp(-MOST_SMOOTHING, MOST_SMOOTHING)
            following = (self._action(self._slow_actor, batch.after) + noise).clamp(LOWEST, HIGHEST)
            ahead = torch.minimum(*(value(net, batch.after, following) for net in self._slow))
            goal = batch.pay + batch.on * ahead
        extra = self.penalties(batch)
        for i, net in enumerate(self.critics):
            loss = ((value(net, batch.state, batch.action) - goal) ** 2).mean()
            self.descend(net, loss if extra is None else loss + extra[i], k)
        if k % DELAY == 0:
            self.descend(self.actor, self.actor_loss(batch), k)
            self.follow([*zip(self.critics, self._slow, strict=True), (self.actor, self._slow_actor)])

    def penalties(self, batch: Transitions) -> list[Tensor] | None:
        """Return what is added to the loss of each critic, ``None`` for nothing."""
        return None

    def actor_loss(self, batch: Transitions) -> Tensor:
        """Return the loss of the policy."""
        own = self.means(batch.state)
        q = value(self.critics[0], batch.state, own)
        scale = self.settings.ambition / (q.abs().mean().detach() + 1e-6)
        return ((own - batch.action) ** 2).mean() - scale * q.mean()

    def _action(self, net: object, state: Tensor) -> Tensor:
        # not cut to the range of actions: a mean beyond it would have no gradient back
        return value(net, state)


class BoundedTD3(RegularisedTD3):
    """TD3 without cloning; a tanh keeps the policy in the range of actions."""

    name: ClassVar[str] = "td3"

    def actor_loss(self, batch: Transitions) -> Tensor:
        """Return minus the value of the own actions."""
        return -value(self.critics[0], batch.state, self.means(batch.state)).mean()

    def _action(self, net: object, state: Tensor) -> Tensor:
        return CENTRE + HALF * torch.tanh(value(net, state))

    def soft_maxima(self, state: Tensor) -> list[Tensor]:
        """Return, per critic, log of the mean of exp Q over the range of actions, [n].

        The actions are one random one in each of ``SAMPLES`` equal parts of the range, and the policy's own.
        """
        n = int(state.shape[0])
        places = (torch.arange(SAMPLES) + torch.rand(n, SAMPLES, generator=self.generator)) / SAMPLES
        with torch.no_grad():
            own = (self.means(state) + SMOOTHING * self.noise(n)).clamp(LOWEST, HIGHEST)
        actions = torch.cat([LOWEST + (HIGHEST - LOWEST) * places, own[:, None]], 1)
        states = state[:, None].expand(-1, SAMPLES + 1, -1)
        count = torch.log(torch.tensor(SAMPLES + 1.0))
        return [torch.logsumexp(value(net, states, actions), 1) - count for net in self.critics]
