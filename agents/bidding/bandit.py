"""Bandits over multipliers of the linear bid, one arm per episode.

The reward of an episode is what it earned by predicted clicks, divided by the running mean of the
absolute rewards, so that settings do not depend on the campaign.

* ``ucb``: mean + exploration sqrt(2 ln n / n_a) times the standard deviation of all rewards.
* ``exp3``: exponential weights of importance-weighted rewards, rate exploration / sqrt(n K).
* ``squarecb``: a regression oracle predicts the reward as a quadratic of the log multiplier (ridge
  least squares); arm a other than the best one is drawn with probability
  1 / (K + rate (best - predicted(a))), rate = exploration sqrt(K n), the best one with the rest.
  With ``context`` the oracle also sees what the last episode brought (share of the budget spent, win rate, mean
  price paid over the training mean), as such and times the log multiplier: traffic moves slowly, so it says something.

Source: Auer, Cesa-Bianchi, Fischer (2002), Machine Learning 47, 235; Auer et al. (2002), SIAM Journal on
Computing 32, 48; Foster and Rakhlin (2020), ICML, algorithm 1.  Cost: O(K) per episode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equilibria.agents.bidding.settings import BanditSettings
from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import LINEAR, BidRule
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

CONTEXT = 3
"""Numbers that describe the last episode."""


class BidBandit:
    """Chooses a multiplier of the bid that pays the training cost per click.

    Attributes of the state: per arm the plays, the sum of rewards and the importance-weighted sum;
    the oracle's moments; totals.
    """

    def __init__(self, settings: BanditSettings | None = None) -> None:
        self._settings = settings or BanditSettings()
        self._arms = np.asarray(self._settings.multipliers, np.float64)
        logs = np.log(self._arms)
        self._features: FloatArray = np.stack([np.ones_like(logs), logs, logs**2], axis=1)
        self._size = 3 + (2 * CONTEXT if self._settings.context else 0)
        self._seeds = SeedTree(0)
        self._forget()

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Forget everything and return the rule."""
        self._seeds = seeds
        self._forget()
        return BidRule(kind=LINEAR, scale=training.cpc)

    def begin(self, episode: int, context: FloatArray | None = None) -> float:
        """Draw the arm of an episode and return its multiplier.

        Args:
            episode: Number of the episode.
            context: float64 [3] what the last episode brought; used with the setting ``context`` only.
        """
        self._context[:] = 0.0 if context is None else context
        p = self.probabilities()
        u = self._seeds.child("episode", episode).generator().random()
        arm = min(int(np.searchsorted(np.cumsum(p), u, side="right")), self._arms.size - 1)
        self._last[:] = arm, p[arm]
        return float(self._arms[arm])

    def end(self, reward: float) -> None:
        """Learn from the reward of the episode."""
        arm, probability = int(self._last[0]), float(self._last[1])
        self._totals += 1.0, abs(reward)
        scale = self._totals[1] / self._totals[0]
        r = reward / scale if scale > 0.0 else 0.0
        self._plays[arm] += 1.0
        self._sums[arm] += r
        self._squares[arm] += r * r
        self._weighted[arm] += r / probability
        x = self._seen()[arm]
        self._gram += np.outer(x, x)
        self._moment += x * r

    def probabilities(self) -> FloatArray:
        """Return the probability [K] of each arm in the next episode."""
        n, k = float(self._totals[0]), self._arms.size
        method, width = self._settings.method, self._settings.exploration
        if method == "ucb":
            return self._ucb(n, width)
        if method == "exp3":
            rate = width / np.sqrt(max(n, 1.0) * k)
            weights = np.exp(rate * (self._weighted - self._weighted.max()))
            mixed = min(0.5, float(np.sqrt(k * np.log(k) / max(n, 1.0))))
            return (1.0 - mixed) * weights / weights.sum() + mixed / k  # type: ignore[no-any-return]
        predicted = self._seen() @ np.linalg.solve(self._gram, self._moment)
        best = int(np.argmax(predicted))
        p = 1.0 / (k + width * np.sqrt(k * max(n, 1.0)) * (predicted[best] - predicted))
        p[best] = 0.0
        p[best] = 1.0 - p.sum()
        return p  # type: ignore[no-any-return]

    def _seen(self) -> FloatArray:
        """Return what the oracle sees of each arm [K, d] in the present context."""
        if not self._settings.context:
            return self._features
        context = np.broadcast_to(self._context, (self._arms.size, CONTEXT))
        return np.concatenate([self._features, context, context * self._features[:, 1:2]], axis=1)

    def _ucb(self, n: float, width: float) -> FloatArray:
        p = np.zeros(self._arms.size)
        unseen = np.flatnonzero(self._plays == 0.0)
        if unseen.size:
            p[unseen[0]] = 1.0
            return p
        mean = self._sums / self._plays
        spread = np.sqrt(max(float(self._squares.sum() / n - (self._sums.sum() / n) ** 2), 1e-12))
        p[int(np.argmax(mean + width * spread * np.sqrt(2.0 * np.log(n) / self._plays)))] = 1.0
        return p

    def arrays(self) -> Mapping[str, AnyArray]:
        """Return everything learned."""
        return {name: getattr(self, f"_{name}").copy() for name in self._NAMES}

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        for name in self._NAMES:
            getattr(self, f"_{name}")[:] = arrays[name]

    _NAMES = ("plays", "sums", "squares", "weighted", "gram", "moment", "totals", "last", "context")

    def _forget(self) -> None:
        k = self._arms.size
        self._plays, self._sums, self._squares, self._weighted = (np.zeros(k) for _ in range(4))
        self._gram, self._moment = np.eye(self._size), np.zeros(self._size)
        self._context = np.zeros(CONTEXT)
        self._totals, self._last = np.zeros(2), np.array([0.0, 1.0])


def build(settings: BanditSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> BidBandit:
    """Build the agent."""
    return BidBandit(settings)
