"""An ensemble of models of the logged world: next state, reward, and whether the day goes on.

Each member predicts mean and deviation of (change of the state, reward) by maximum likelihood, and the probability that
the day goes on; members differ by their start and their minibatches.  The penalty of a state and action is
u = max over members of ||sqrt(deviation^2 + (mean - mean of all)^2)||: the deviation of the source, which shows noise,
and the disagreement, which shows where data are missing.

Source: Chua et al. (2018), NeurIPS, arXiv 1805.12114; Yu et al. (2020), NeurIPS, arXiv 2005.13239 (u without the
disagreement).
"""

from __future__ import annotations

from typing import Final

from equilibria.agents.bidding.autobidding.learners.data import Learner, Tensor, Transitions, pair
from equilibria.agents.learning.torch_import import torch

LEAST_LOG, MOST_LOG = -5.0, 1.0
WEIGHT_OF_END: Final = 0.1


class DynamicsEnsemble:
    """See the module.

    Args:
        owner: Learner whose data, settings and random numbers are used.

    Raises:
        NumericalError: If a loss is not finite.
    """

    def __init__(self, owner: Learner) -> None:
        s, self._owner = owner.settings, owner
        self._outputs = owner.width + 1
        self._members = [owner.network(owner.width + 1, 2 * self._outputs + 1) for _ in range(s.members)]
        for k in range(s.model_updates):
            for net in self._members:
                owner.descend(net, self._loss(net, owner.batch(owner.data, s.batch)), k)

    def predict(self, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return means [M, n, F + 1], deviations [M, n, F + 1] and log odds [M, n] that the day goes on."""
        made = [self._split(net(pair(state, action))) for net in self._members]
        means, logs, ends = (torch.stack(parts) for parts in zip(*made, strict=True))
        return means, logs.exp(), ends

    def penalty(self, state: Tensor, action: Tensor) -> Tensor:
        """Return u [n]: how little the models know about a state and action."""
        with torch.no_grad():
            means, deviations, _ = self.predict(state, action)
            return _penalty(means, deviations)

    def step(self, state: Tensor, action: Tensor) -> tuple[Transitions, Tensor]:
        """Draw a transition for each row from a member drawn for it; return them and their penalties [n]."""
        with torch.no_grad():
            means, deviations, ends = self.predict(state, action)
            n, g = len(state), self._owner.generator
            which = torch.randint(0, len(self._members), (n,), generator=g)
            rows = torch.arange(n)
            noise = torch.randn(n, self._outputs, generator=g)
            drawn = means[which, rows] + deviations[which, rows] * noise
            on = (torch.rand(n, generator=g) < torch.sigmoid(ends[which, rows])).float()
            made = Transitions(state, action, drawn[:, -1], state + drawn[:, :-1], on)
            return made, _penalty(means, deviations)

    def _loss(self, net: object, batch: Transitions) -> Tensor:
        mean, log, end = self._split(net(pair(batch.state, batch.action)))  # type: ignore[operator]
        # the state after the last step is unknown, its reward is not
        known = torch.cat([batch.on[:, None].expand(-1, self._outputs - 1), torch.ones(len(batch), 1)], 1)
        goal = torch.cat([batch.after - batch.state, batch.pay[:, None]], 1)
        likelihood = (known * (0.5 * ((goal - mean) / log.exp()) ** 2 + log)).sum() / known.sum()
        return likelihood + WEIGHT_OF_END * torch.nn.functional.binary_cross_entropy_with_logits(end, batch.on)

    def _split(self, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        k = self._outputs
        half = 0.5 * (MOST_LOG - LEAST_LOG)
        return out[..., :k], LEAST_LOG + half + half * torch.tanh(out[..., k : 2 * k]), out[..., -1]


def _penalty(means: Tensor, deviations: Tensor) -> Tensor:
    spread = means - means.mean(0, keepdim=True)
    return torch.sqrt(deviations**2 + spread**2).norm(dim=-1).max(0).values
