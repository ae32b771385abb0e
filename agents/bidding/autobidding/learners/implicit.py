"""Implicit Q-learning: values without asking for actions outside the log.

V by expectile regression on Q, Q by r + V', the policy by least squares with weights exp(beta (Q - V) / deviation),
cut at 100.

Source: Kostrikov, Nair, Levine (2022), ICLR, arXiv 2110.06169.
"""

from __future__ import annotations

from typing import ClassVar, Final

from equilibria.agents.bidding.autobidding.learners.data import Learner, Tensor, Transitions, value
from equilibria.agents.learning.torch_import import torch

MOST_WEIGHT: Final = 100.0


class ImplicitQ(Learner):
    """See the module."""

    name: ClassVar[str] = "iql"

    def build(self) -> None:
        """Make the networks."""
        self._actor, self._value = self.network(self.width), self.network(self.width)
        self._critics = [self.network(self.width + 1) for _ in range(2)]
        self._slow = [self.copy(net) for net in self._critics]

    def means(self, state: Tensor) -> Tensor:
        """Return actions [n]."""
        return value(self._actor, state)

    def update(self, k: int, batch: Transitions) -> None:
        """Take gradient step k."""
        s = self.settings
        with torch.no_grad():
            q = torch.minimum(*(value(net, batch.state, batch.action) for net in self._slow))
            goal = batch.pay + batch.on * value(self._value, batch.after)
        gap = q - value(self._value, batch.state)
        self.descend(self._value, (torch.where(gap > 0, s.expectile, 1.0 - s.expectile) * gap**2).mean(), k)
        for net in self._critics:
            self.descend(net, ((value(net, batch.state, batch.action) - goal) ** 2).mean(), k)
        self.follow(list(zip(self._critics, self._slow, strict=True)))
        with torch.no_grad():
            weight = torch.exp(s.temperature * gap.detach() / (gap.std() + 1e-6)).clamp(max=MOST_WEIGHT)
        error = (self.means(batch.state) - batch.action) ** 2
        self.descend(self._actor, (weight * error).mean() / weight.mean(), k)
