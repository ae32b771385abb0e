"""Click model: logistic regression on one-hot features by FTRL-proximal.

For each request x (indices of its features) and click y, with p = s(sum of w_i over i in x):

    g = p - y, sigma_i = (sqrt(n_i + g^2) - sqrt(n_i)) / alpha, z_i += g - sigma_i w_i, n_i += g^2,
    w_i = 0 if |z_i| <= l1, else -(z_i - sign(z_i) l1) / ((beta + sqrt(n_i)) / alpha + l2)

One pass in the order of the log per epoch; results do not depend on threads.

Source: McMahan et al. (2013), Ad click prediction: a view from the trenches, KDD, algorithm 1.
Cost: about 10 ns per feature and pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, Int32Array, IntArray


@dataclass(frozen=True, slots=True)
class Features:
    """One-hot features of n requests.

    Attributes:
        click: uint8 [n].
        price: uint16 [n].
        start: int64 [n + 1]; request k has the indices ``index[start[k]:start[k + 1]]``.
        index: int32 [...] feature numbers from 0.
    """

    click: NDArray[np.uint8]
    price: NDArray[np.uint16]
    start: IntArray
    index: Int32Array


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickModel:
    """A fitted model.

    Attributes:
        weights: float64 [number of features]; features never seen have weight 0.
    """

    weights: FloatArray

    def predict(self, features: Features) -> FloatArray:
        """Return the click probability [n] of every request; unknown features count 0."""
        out = np.empty(features.click.size)
        _predict(features.start, features.index, self.weights, out)
        return out


def fit(
    features: Features,
    *,
    epochs: int = 1,
    alpha: float = 0.05,
    beta: float = 1.0,
    l1: float = 0.0,
    l2: float = 1.0,
) -> ClickModel:
    """Fit the model.

    Args:
        features: Training requests in the order of the log.
        epochs: Passes over the requests.
        alpha: Step size.
        beta: Smoothing of the step size.
        l1: Weight of the absolute penalty.
        l2: Weight of the squared penalty.

    Raises:
        InvalidValue: If there are no requests or a parameter is out of range.
    """
    if features.click.size == 0:
        raise InvalidValue("a click model needs training requests, got none")
    if epochs < 1 or alpha <= 0.0 or min(beta, l1, l2) < 0.0:
        raise InvalidValue(
            f"epochs must be at least 1, alpha above 0 and beta, l1, l2 at least 0, "
            f"got epochs={epochs}, alpha={alpha!r}, beta={beta!r}, l1={l1!r}, l2={l2!r}"
        )
    size = int(features.index.max(initial=-1)) + 1
    z, n, w = np.zeros(size), np.zeros(size), np.zeros(size)
    for _ in range(epochs):
        _ftrl(features.start, features.index, features.click, z, n, w, alpha, beta, l1, l2)
    return ClickModel(weights=w)


def auc(theta: FloatArray, click: NDArray[np.uint8]) -> float:
    """Return the area under the ROC curve; ties count half.

    Raises:
        InvalidValue: If there are no clicks or only clicks.
    """
    positives = int(click.sum(dtype=np.int64))
    negatives = click.size - positives
    if not positives or not negatives:
        raise InvalidValue(f"AUC needs clicks and non-clicks, got {positives} clicks of {click.size}")
    _, group, counts = np.unique(theta, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[group]
    return float((ranks[click == 1].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


def calibration_curve(theta: FloatArray, click: NDArray[np.uint8], bins: int = 10) -> FloatArray:
    """Return float64 [bins, 3]: mean prediction, click rate and number of requests by quantile of the prediction."""
    order = np.argsort(theta, kind="stable")
    parts = np.array_split(order, bins)
    return np.array([[theta[p].mean(), click[p].mean(), p.size] for p in parts if p.size])


@kernel
def _ftrl(start, index, click, z, n, w, alpha, beta, l1, l2):  # type: ignore[no-untyped-def]
    for k in range(click.shape[0]):
        score = 0.0
        for i in index[start[k] : start[k + 1]]:
            score += w[i]
        g = 1.0 / (1.0 + np.exp(-min(max(score, -35.0), 35.0))) - click[k]
        for i in index[start[k] : start[k + 1]]:
            grown = n[i] + g * g
            z[i] += g - (np.sqrt(grown) - np.sqrt(n[i])) / alpha * w[i]
            n[i] = grown
            if abs(z[i]) <= l1:
                w[i] = 0.0
            else:
                w[i] = -(z[i] - np.sign(z[i]) * l1) / ((beta + np.sqrt(grown)) / alpha + l2)


@kernel
def _predict(start, index, weights, out):  # type: ignore[no-untyped-def]
    for k in range(out.shape[0]):
        score = 0.0
        for i in index[start[k] : start[k + 1]]:
            if i < weights.shape[0]:
                score += weights[i]
        out[k] = 1.0 / (1.0 + np.exp(-min(max(score, -35.0), 35.0)))
