"""Learning from logged transitions and from short rollouts of learned models: MOPO and COMBO.

Every ``ROLLOUT_EVERY`` updates the policy, with noise, is rolled out from logged states for ``horizon`` steps in an
ensemble of models (``dynamics``); a minibatch is half logged, half rolled out.

* **mopo**: rewards of rollouts lose ``doubt`` times the penalty of the models above its median over the log (the source
  takes all of it, which here makes every step of a day a loss and short days worth seeking); TD3 on both.
* **combo**: no penalty of rewards; values of rollouts are pushed down and those of logged actions up, by
  caution times (log mean exp Q over actions at rolled-out states - Q at logged pairs).

Both use the deterministic policy of TD3 instead of the entropy-regularised one of the sources.

Source: Yu et al. (2020), NeurIPS, arXiv 2005.13239 (MOPO); Yu et al. (2021), NeurIPS, arXiv 2102.08363 (COMBO).
"""

from __future__ import annotations

from typing import ClassVar, Final

from equilibria.agents.bidding.autobidding.learners.actor_critic import SMOOTHING, BoundedTD3
from equilibria.agents.bidding.autobidding.learners.data import Tensor, Transitions, value
from equilibria.agents.bidding.autobidding.learners.dynamics import DynamicsEnsemble
from equilibria.agents.bidding.autobidding.offline_log import HIGHEST, LOWEST
from equilibria.agents.learning.torch_import import torch

ROLLOUT_EVERY: Final = 100
ROLLOUT_STARTS: Final = 2000
CAUTION: Final = 0.1
KEPT: Final = 5
"""Rollouts that are kept to draw from."""


class _ModelBased(BoundedTD3):
    """TD3 on logged and rolled-out transitions."""

    def build(self) -> None:
        """Make the networks and fit the models."""
        super().build()
        self.models = DynamicsEnsemble(self)
        some = self.batch(self.data, ROLLOUT_STARTS)
        self.usual = float(self.models.penalty(some.state, some.action).median())
        self._rolled: list[Transitions] = []

    def update(self, k: int, batch: Transitions) -> None:
        """Take gradient step k."""
        if k % ROLLOUT_EVERY == 0:
            self._rolled = [*self._rolled, self._roll()][-KEPT:]
        source = self._rolled[int(torch.randint(0, len(self._rolled), (1,), generator=self.generator))]
        half = max(len(batch) // 2, 1)
        logged = batch.pick(torch.arange(half))
        super().update(k, logged.join(self.batch(source, half)))

    def judged(self, made: Transitions, penalty: Tensor) -> Transitions:
        """Return rolled-out transitions as they are learned from."""
        raise NotImplementedError

    def _roll(self) -> Transitions:
        """Return the transitions of rollouts from logged states."""
        state = self.batch(self.data, ROLLOUT_STARTS).state
        low, high = self.data.state.min(0).values, self.data.state.max(0).values
        parts: list[Transitions] = []
        for _ in range(self.settings.horizon):
            with torch.no_grad():
                action = (self.means(state) + SMOOTHING * self.noise(len(state))).clamp(LOWEST, HIGHEST)
            made, penalty = self.models.step(state, action)
            parts.append(self.judged(made, penalty))
            state = made.after[made.on > 0.0].clamp(low, high)
            if not len(state):
                break
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.join(part)
        return whole


class Mopo(_ModelBased):
    """Rewards of rollouts lose the models' penalty."""

    name: ClassVar[str] = "mopo"

    def judged(self, made: Transitions, penalty: Tensor) -> Transitions:
        """Return the transitions with penalised rewards."""
        doubt = self.settings.doubt * (penalty - self.usual).clamp(min=0.0)
        return Transitions(made.state, made.action, made.pay - doubt, made.after, made.on)


class Combo(_ModelBased):
    """Values of rollouts are pushed down."""

    name: ClassVar[str] = "combo"

    def judged(self, made: Transitions, penalty: Tensor) -> Transitions:
        """Return the transitions as they are."""
        return made

    def penalties(self, batch: Transitions) -> list[Tensor] | None:
        """Return the conservative penalty of each critic; the first half of a minibatch is logged."""
        half = len(batch) // 2
        soft = self.soft_maxima(batch.state[half:])
        caution = CAUTION if self.settings.caution is None else self.settings.caution
        return [
            caution * (high.mean() - value(net, batch.state[:half], batch.action[:half]).mean())
            for net, high in zip(self.critics, soft, strict=True)
        ]
