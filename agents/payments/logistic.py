"""Logistic regression of rewards by action: the intercept, the features and the issuer, crossed with the action.

A regression on all observations comes first; each action's own one has a normal prior around it, so an action that
was hardly tried is predicted like an average one.

Cost: a handful of Newton steps, each about 70 ns per observation (eight features), and a system of size 1 + d + I.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equilibria.agents.payments import logistic_kernels as kernels
from equilibria.agents.payments.checks import checked_rows
from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.sim.errors import InvalidValue, NotConverged
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

STEPS = 200
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
        """Fit anew; arguments as ``GradientTrees.fit``, ``seeds`` is not needed.

        Raises:
            InvalidValue: If there are no rows, numbers of rows differ or a feature is not finite.
            NotConverged: If a regression does not converge.
        """
        del seeds
        checked_rows(features, issuer, action, reward)
        size = 1 + features.shape[1] + self._issuers
        start = np.zeros(size)
        pooled = regression(features, issuer, reward, np.arange(len(reward)), start, np.full(size, _POOLED_PRECISION))
        prior = np.full(size, self.settings.precision)
        self._weights = np.tile(pooled, (self._actions, 1))
        for a in range(self._actions):
            rows = np.flatnonzero(action == a)
            if rows.size:
                self._weights[a] = regression(features, issuer, reward, rows, pooled, prior)

    def predict(self, features: FloatArray, issuer: IntArray, available: BoolArray) -> FloatArray:
        """Return predicted chances [N, K] of feasible actions, 0 elsewhere.

        Raises:
            InvalidValue: If the model is not fitted or the number of features is another one.
        """
        d = features.shape[1]
        if self._weights.shape[1] != 1 + d + self._issuers:
            raise InvalidValue(
                f"the model is fitted to {max(0, self._weights.shape[1] - 1 - self._issuers)} features, got {d}"
            )
        z = features @ self._weights[:, 1 : 1 + d].T + (self._weights[:, 0] + self._weights[:, 1 + d :].T)[issuer]
        return np.where(available, 0.5 * (1.0 + np.tanh(0.5 * z)), 0.0)

    def arrays(self) -> dict[str, AnyArray]:
        """Return everything learned."""
        return {"weights": self._weights.copy()}

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        self._weights = np.array(arrays["weights"], np.float64)


def regression(
    features: FloatArray, group: IntArray, reward: FloatArray, rows: IntArray, prior: FloatArray, precision: FloatArray
) -> FloatArray:
    """Return the minimum [1 + d + I] of the logistic loss plus half the precision-weighted distance from the prior.

    Args:
        features: float64 [N, d].
        group: int64 [N] indicator of each row, 0 .. I-1.
        reward: float64 [N] in [0, 1].
        rows: int64 [R] rows that count.
        prior: float64 [1 + d + I] intercept, weights of features, effects of groups.
        precision: float64 [1 + d + I], above 0.

    Raises:
        NotConverged: If 200 damped Newton steps do not bring the gradient below 1e-8 times its scale.
    """
    w, reward = prior.copy(), np.ascontiguousarray(reward, np.float64)
    gradient, hessian = np.empty(len(w)), np.empty((len(w), len(w)))
    scale = 1.0 + 2.0 * len(rows) + float(np.abs(features[rows]).sum())

    def evaluate(at: FloatArray) -> float:
        """Return the objective and leave its slopes in ``gradient`` and ``hessian``."""
        loss = kernels.loss_and_slopes(features, group, reward, rows, at, gradient, hessian)
        gradient[:] += precision * (at - prior)
        return float(loss + 0.5 * np.sum(precision * (at - prior) ** 2))

    now = evaluate(w)
    for _ in range(STEPS):
        if float(np.abs(gradient).max()) < 1e-8 * scale:
            return w
        whole = np.tril(hessian) + np.tril(hessian, -1).T + np.diag(precision)
        step, size = np.linalg.solve(whole, gradient), 1.0
        after = evaluate(w - step)
        while after > now and size > 1e-6:
            size /= 2.0
            after = evaluate(w - size * step)
        w, now = w - size * step, after
    raise NotConverged(f"a logistic regression of {len(rows)} outcomes did not converge in {STEPS} Newton steps")
