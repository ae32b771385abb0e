"""Conservative Q-learning: values of actions outside the log are pushed down.

Each critic's loss gains caution times (log mean exp Q(s, .) - Q(s, logged action)), the variant CQL(H).  The policy is
deterministic (TD3 instead of the entropy-regularised actor of the source), the soft maximum over the one-dimensional
range of actions is sampled in equal parts.

Source: Kumar, Zhou, Tucker, Levine (2020), NeurIPS, arXiv 2006.04779.
"""

from __future__ import annotations

from typing import ClassVar, Final

from equilibria.agents.bidding.autobidding.learners.actor_critic import BoundedTD3
from equilibria.agents.bidding.autobidding.learners.data import Tensor, Transitions, value

CAUTION: Final = 1.0


class Conservative(BoundedTD3):
    """See the module."""

    name: ClassVar[str] = "cql"

    def penalties(self, batch: Transitions) -> list[Tensor] | None:
        """Return the conservative penalty of each critic."""
        soft = self.soft_maxima(batch.state)
        caution = CAUTION if self.settings.caution is None else self.settings.caution
        return [
            caution * (high - value(net, batch.state, batch.action)).mean()
            for net, high in zip(self.critics, soft, strict=True)
        ]
