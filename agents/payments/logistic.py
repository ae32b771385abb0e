"""Logistic regression of rewards by action: the intercept, the features and the issuer, crossed with the action.

A regression on all observations comes first; each action's own one has a normal prior around it, so an action that
was hardly tried is predicted like an average one.

Cost: a handful of Newton steps of dimension 1 + d + I per action.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equilibria.agents.bidding.contextual.allocator import maximum_a_posteriori
from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

_POOLED_PRECISION = 1.0


class LogisticByAction:
    """A model of rewards; arguments as ``GradientTrees``."""

    def __init__(self, issuers: int, actions: int, settings: PaymentBanditSettings | None = None) -> None:
        self.settings = settings or PaymentBanditSettings(oracle="logistic")
        self._issuers, self._actions = issuers, actions
        self._weights: FloatArray = np.zeros((0, 0))

    def fit(
        self, features: FloatArray, issuer: IntArray, action: IntArray, reward: FloatArray, seeds: SeedTree
    ) -> None:
        """Fit anew; arguments as ``GradientTrees.fit``, ``seeds`` is not needed."""
        del seeds
        x = self._columns(features, issuer)
        size = x.shape[1]
        pooled = maximum_a_posteriori(x, reward, np.zeros(size), np.full(size, _POOLED_PRECISION))
        prior = np.full(size, self.settings.precision)
        self._weights = np.tile(pooled, (self._actions, 1))
        for a in range(self._actions):
            at = action == a
            if at.any():
                self._weights[a] = maximum_a_posteriori(x[at], reward[at], pooled, prior)

    def predict(self, features: FloatArray, issuer: IntArray, available: BoolArray) -> FloatArray:
        """Return predicted chances [N, K] of feasible actions, 0 elsewhere.

        Raises:
            InvalidValue: If the model is not fitted or the number of features is another one.
        """
        x = self._columns(features, issuer)
        if x.shape[1] != self._weights.shape[1]:
            raise InvalidValue(f"the model is fitted to {self._weights.shape[1]} columns, got {x.shape[1]}")
        return np.where(available, 0.5 * (1.0 + np.tanh(0.5 * (x @ self._weights.T))), 0.0)

    def arrays(self) -> dict[str, AnyArray]:
        """Return everything learned."""
        return {"weights": self._weights.copy()}

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        self._weights = np.array(arrays["weights"], np.float64)

    def _columns(self, features: FloatArray, issuer: IntArray) -> FloatArray:
        x = np.zeros((len(issuer), 1 + features.shape[1] + self._issuers))
        x[:, 0] = 1.0
        x[:, 1 : 1 + features.shape[1]] = features
        x[np.arange(len(issuer)), 1 + features.shape[1] + issuer] = 1.0
        return x
