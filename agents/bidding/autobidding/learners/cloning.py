"""Behaviour cloning: the mean logged action, by least squares."""

from __future__ import annotations

from typing import ClassVar

from equilibria.agents.bidding.autobidding.learners.data import Learner, Tensor, Transitions, value


class Cloning(Learner):
    """See the module."""

    name: ClassVar[str] = "bc"

    def build(self) -> None:
        """Make the networks."""
        self._actor = self.network(self.width)

    def means(self, state: Tensor) -> Tensor:
        """Return actions [n]."""
        return value(self._actor, state)

    def update(self, k: int, batch: Transitions) -> None:
        """Take gradient step k."""
        self.descend(self._actor, ((self.means(batch.state) - batch.action) ** 2).mean(), k)
