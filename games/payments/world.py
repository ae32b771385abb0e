"""A payment processor: each transaction allows some actions, one is taken, the issuer authorises or not.

Features x ~ N(0, 1)^d, an issuer out of I, each of K actions feasible with probability 0.7 (at least two).
P(authorised) = sigmoid(beta_0 + u_issuer + w_a . x + s_{a, issuer}) with u ~ N(0, 0.5^2), w_a ~ N(0, 0.3^2 / d),
s ~ N(0, 0.4^2), beta_0 = 2.  A generation is a batch of B transactions; a tenth of its feedback arrives one
generation later.  With drift each weight makes a normal step from one generation to the next.

One coin per transaction decides its outcome under every action, so two policies are compared on common random
numbers, and every generation is a pure function of the seed and its number.

Source of the setting: Vangara and Egg (2024), Contextual bandits in payment processing, arXiv 2412.00569; their data
are private, the environment is ours.
Cost: about 0.7 us per transaction (d = 8, K = 10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equilibria.games.payments import kernels
from equilibria.games.payments.settings import PaymentsSettings
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import BoolArray, FloatArray, IntArray

JUDGED = 0
"""The generation that judges policies; learning begins with generation 1."""


@dataclass(frozen=True, slots=True)
class Transactions:
    """A generation of B transactions.

    Attributes:
        features: float64 [B, d].
        issuer: int64 [B].
        available: bool [B, K] feasible actions.
        late: bool [B] whether the feedback arrives one generation late.
        chance: float64 [B, K] probability of authorisation by action; for judging, not for learning.
        coin: float64 [B]; action a is authorised if the coin is below its chance.
    """

    features: FloatArray
    issuer: IntArray
    available: BoolArray
    late: BoolArray
    chance: FloatArray
    coin: FloatArray

    @property
    def best(self) -> FloatArray:
        """Largest chance [B] among feasible actions."""
        return np.asarray(np.where(self.available, self.chance, -1.0).max(axis=1))

    def outcome(self, action: IntArray) -> BoolArray:
        """Return whether the actions [B] taken are authorised [B].

        Raises:
            InvalidValue: If an action is not feasible; names the first transaction.
        """
        rows = np.arange(len(self.issuer))
        bad = np.flatnonzero(~self.available[rows, action])
        if bad.size:
            i = int(bad[0])
            feasible = np.flatnonzero(self.available[i]).tolist()
            raise InvalidValue(f"action[{i}] must be one of the feasible {feasible}, got {int(action[i])}")
        return np.asarray(self.coin < self.chance[rows, action])


class PaymentsWorld:
    """The world.

    Args:
        settings: Its parameters.
        seeds: Source of the issuers, the actions' weights and all transactions.

    Attributes:
        by_issuer: float64 [I] effects of issuers.
        pairs: float64 [K, I] effects of action and issuer.
    """

    def __init__(self, settings: PaymentsSettings | None = None, *, seeds: SeedTree | None = None) -> None:
        self.settings = settings or PaymentsSettings()
        tree = seeds or SeedTree(0)
        s, rng = self.settings, tree.child("parameters").generator()
        self.by_issuer = rng.normal(0.0, 1.0, s.issuers) * s.issuer_deviation
        self._first = rng.normal(0.0, 1.0, (s.actions, s.features)) * s.weight_deviation / math.sqrt(s.features)
        self.pairs = rng.normal(0.0, 1.0, (s.actions, s.issuers)) * s.pair_deviation
        self._steps = tree.child("drift")
        self._keys = tree.child("transactions").key(), tree.child("judge").key()

    @property
    def actions(self) -> int:
        """Number of actions K."""
        return self.settings.actions

    def weights(self, generation: int) -> FloatArray:
        """Return the actions' weights [K, d] in a generation."""
        s = self.settings
        total = self._first.copy()
        if s.drift > 0.0:
            for g in range(1, generation + 1):
                total += s.drift * self._steps.child("step", g).generator().normal(0.0, 1.0, total.shape)
        return total

    def generation(self, number: int) -> Transactions:
        """Return the transactions of a generation, from 1.

        Raises:
            InvalidValue: If the number is below 1.
        """
        if number < 1:
            raise InvalidValue(f"generations count from 1, got {number}")
        return self._draw(self._keys[0], number, number, self.settings.batch)

    def judges(self, count: int, generation: int) -> Transactions:
        """Return ``count`` transactions that no learner sees, with the weights of a generation."""
        return self._draw(self._keys[1], JUDGED, generation, count)

    def _draw(self, key: np.uint64, step: int, generation: int, count: int) -> Transactions:
        s = self.settings
        features, coin = np.empty((count, s.features)), np.empty(count)
        issuer, late = np.empty(count, np.int64), np.empty(count, np.bool_)
        available, chance = np.empty((count, s.actions), np.bool_), np.empty((count, s.actions))
        kernels.transactions(
            key, step, s.availability, s.least_actions, s.late, s.issuers, features, issuer, available, late, coin
        )
        kernels.chances(s.base, self.by_issuer, self.weights(generation), self.pairs, features, issuer, chance)
        return Transactions(features, issuer, available, late, chance, coin)


def build(settings: PaymentsSettings, *, seeds: SeedTree) -> PaymentsWorld:
    """Build the world of a scenario."""
    return PaymentsWorld(settings, seeds=seeds)
