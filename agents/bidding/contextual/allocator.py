"""Learned click rates: one logistic regression per ad with a diagonal Laplace posterior.

After each iteration the posterior of every ad becomes the prior of the next: the mean is the maximum of the
posterior (Newton's method; the objective is strictly convex, so this is the point that slower methods approach),
and the precision grows by the diagonal of the Hessian, sum p (1 - p) x^2.

Source: Chapelle and Li (2011), An empirical evaluation of Thompson sampling, NeurIPS, algorithm 3.
Cost: O(Q o^2) per Newton step, a handful of steps.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equilibria.sim.errors import NotConverged
from equilibria.sim.types import AnyArray, FloatArray, IntArray

STEPS = 200


class LogisticAllocator:
    """Posteriors of the ads of one bidder.

    Args:
        items: Number of ads I.
        observed: Entries o of the context that are seen; a constant 1 follows.
        precision: Precision of the prior, whose mean is 0.

    Attributes:
        mean: float64 [I, o + 1].
        precision: float64 [I, o + 1].
    """

    def __init__(self, items: int, observed: int, precision: float) -> None:
        self.mean: FloatArray = np.zeros((items, observed + 1))
        self.precision: FloatArray = np.full((items, observed + 1), precision)

    @property
    def spread(self) -> FloatArray:
        """Standard deviations [I, o + 1] of the posterior."""
        return np.asarray(1.0 / np.sqrt(self.precision))

    def learn(self, context: FloatArray, item: IntArray, click: FloatArray) -> None:
        """Update on shown ads: contexts [Q, o + 1], ads [Q], clicks [Q]."""
        for k in range(len(self.mean)):
            at = item == k
            if at.any():
                self._learn(k, context[at], click[at])

    def _learn(self, k: int, x: FloatArray, y: FloatArray) -> None:
        prior, q = self.mean[k].copy(), self.precision[k]
        w = maximum_a_posteriori(x, y, prior, q)
        p = _rate(x @ w)
        self.mean[k], self.precision[k] = w, q + (p * (1.0 - p)) @ x**2

    def arrays(self) -> dict[str, AnyArray]:
        """Return everything learned."""
        return {"mean": self.mean.copy(), "precision": self.precision.copy()}

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        self.mean = np.array(arrays["mean"], np.float64)
        self.precision = np.array(arrays["precision"], np.float64)


def maximum_a_posteriori(x: FloatArray, y: FloatArray, prior: FloatArray, precision: FloatArray) -> FloatArray:
    """Return the minimum [D] of the logistic loss plus half the precision-weighted distance from the prior.

    Raises:
        NotConverged: If 200 damped Newton steps do not bring the gradient below 1e-8 times its scale.
    """
    w = prior.copy()
    size = 1.0 + float(np.abs(x).sum())
    for _ in range(STEPS):
        p = _rate(x @ w)
        gradient = (p - y) @ x + precision * (w - prior)
        if float(np.abs(gradient).max()) < 1e-8 * size:
            return w
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + np.diag(precision)
        step, now, size_of_step = np.linalg.solve(hessian, gradient), _loss(x, y, w, prior, precision), 1.0
        while _loss(x, y, w - size_of_step * step, prior, precision) > now and size_of_step > 1e-6:
            size_of_step /= 2.0
        w = w - size_of_step * step
    raise NotConverged(f"a logistic regression of {len(y)} clicks did not converge in {STEPS} Newton steps")


def _rate(z: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))


def _loss(x: FloatArray, y: FloatArray, w: FloatArray, prior: FloatArray, precision: FloatArray) -> float:
    z = x @ w
    return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * np.sum(precision * (w - prior) ** 2))
