"""Stationary laws of the well-mixed wealth exchange, one per activation.

Let X be the wealth of one agent among infinitely many (mean m), q = P(X = 0), g = 1 - q.

* ``random-scan``: single gifts between random pairs.  Every move between two configurations has a
  reverse move of equal rate, so all configurations are equally likely and X is geometric,
  P(X = k) = m^k / (1 + m)^(k + 1), the Boltzmann-Gibbs law of Dragulescu and Yakovenko (2000).
* ``simultaneous``: an agent loses 1 if X > 0 and receives Poisson(g) units, X' = (X - 1)^+ + A: the
  queue with Poisson arrivals and unit service.  Its generating function is the Pollaczek-Khinchine
  formula with load g, where m = g + g^2 / (2 (1 - g)).
* ``random-sequential``: each agent acts once per step, at a uniform time U of the step.  Gifts
  arrive as a Poisson process with mean L(u) up to u; who acts at u gives if X + Poisson(L(u)) > 0,
  hence L' = 1 - q exp(-L), exp(L(u)) = q + g exp(u), and X' = X + A1 - 1{X + A1 > 0} + A2 with
  A1 ~ Poisson(L(U)), A2 ~ Poisson(L(1) - L(U)).  Stationarity of the generating function gives

      P(z) = q (z - 1) I(z) / (z exp(-L(1) (z - 1)) - 1),   I(z) = E[exp(-z L(U))],

  and its derivative at 1 the mean, m = L1 + L1^2 / (2 (1 - L1)) + q I'(1) / (1 - L1).

The three laws differ (for m = 1: q = 0.5000, 0.4142, 0.4624), which is why a scenario names its activation.
Probabilities are read off the generating function on the unit circle by a fast Fourier transform;
the error is the mass beyond the support, kept below 1e-12, plus rounding, which grows like m^2
(1e-13 at m = 1, 1e-7 at m = 10,000: the reason for ``MAX_MEAN``).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

_NODES: Final = 48
MAX_MEAN: Final = 10_000
"""Largest mean wealth for which the laws are computed."""


def geometric(mean: float, support: int) -> FloatArray:
    """Return P(X = k) = m^k / (1 + m)^(k + 1) for k = 0 .. support - 1."""
    k = np.arange(support, dtype=np.float64)
    if mean == 0.0:
        return np.asarray(k == 0, dtype=np.float64)
    return np.asarray(np.exp(k * math.log(mean / (1 + mean)) - math.log1p(mean)))


def _circle(size: int) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    return np.asarray(np.exp(-2j * np.pi * np.arange(1, size) / size))


def _probabilities(values: np.ndarray[tuple[int], np.dtype[np.complex128]]) -> FloatArray:
    """Invert a generating function from its values at the roots of unity, the first being 1."""
    series = np.fft.ifft(np.concatenate(([1.0 + 0j], values))).real
    return np.asarray(np.clip(series, 0.0, None), dtype=np.float64)


def simultaneous(mean: float, support: int) -> FloatArray:
    """Return the Pollaczek-Khinchine law with unit service and the given mean."""
    # m = g + g^2 / (2 (1 - g)) solved for g; this root lies in [0, 1).
    load = 1 + mean - math.sqrt(1 + mean * mean)
    z = _circle(support)
    arrivals = np.exp(load * (z - 1))
    return _probabilities((1 - load) * (1 - z) * arrivals / (arrivals - z))


def _sequential_mean(q: float, nodes: FloatArray, weights: FloatArray) -> float:
    y = q + (1 - q) * np.exp(nodes)
    gifts = math.log(q + (1 - q) * math.e)
    slope = -float(np.sum(weights * np.log(y) / y))
    return gifts + (q * slope + gifts * gifts / 2) / (1 - gifts)


def sequential(mean: float, support: int) -> FloatArray:
    """Return the law of one sweep in fresh random order per step, with the given mean."""
    if mean == 0.0:
        return geometric(0.0, support)
    from scipy.optimize import brentq  # costs 0.4 s to import, and only the certificate needs it

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    q = brentq(lambda t: _sequential_mean(t, nodes, weights) - mean, 1e-9, 1 - 1e-12, xtol=1e-15)
    log_y = np.log(q + (1 - q) * np.exp(nodes))
    gifts = math.log(q + (1 - q) * math.e)
    z = _circle(support)
    integral = sum(w * np.exp(-z * level) for w, level in zip(weights, log_y, strict=True))
    return _probabilities(q * (z - 1) * integral / (z * np.exp(-gifts * (z - 1)) - 1))


_LAWS = {"random-scan": geometric, "simultaneous": simultaneous, "random-sequential": sequential}


def stationary(activation: str, mean: float) -> FloatArray:
    """Return the stationary probabilities P(X = k), k = 0 .. K - 1, of a well-mixed exchange.

    Args:
        activation: ``"random-sequential"``, ``"simultaneous"`` or ``"random-scan"``.
        mean: Mean wealth m, 0 <= m <= ``MAX_MEAN``.

    Raises:
        InvalidValue: If the mean is out of range or the activation has no known law.
    """
    if activation not in _LAWS:
        raise InvalidValue(f"no stationary law for activation {activation!r}; known: {', '.join(sorted(_LAWS))}")
    if not 0.0 <= mean <= MAX_MEAN:
        raise InvalidValue(f"mean wealth must lie in 0..{MAX_MEAN} for the stationary law, got {mean!r}")
    # All three tails are at most geometric with the ratio of the Boltzmann-Gibbs law.
    tail = 28.0 / math.log1p(1 / mean) if mean > 0 else 1.0
    return _LAWS[activation](mean, 2 ** math.ceil(math.log2(tail + 64)))


def gini(probabilities: FloatArray) -> float:
    """Return the Gini coefficient of a law on 0, 1, 2, ...: sum F (1 - F) / mean; 0 for mean 0.

    For the geometric law with mean m this is (1 + m) / (1 + 2 m).
    """
    mean = float(np.arange(probabilities.size) @ probabilities)
    below = np.cumsum(probabilities)
    return float(np.sum(below * np.maximum(0.0, 1.0 - below)) / mean) if mean > 0 else 0.0


def ks_distance(counts: np.ndarray[tuple[int], np.dtype[np.int64]], probabilities: FloatArray) -> float:
    """Return the largest gap between the empirical and the exact distribution function.

    Args:
        counts: int64 [K] number of agents with wealth k.
        probabilities: float64 [J] the law.
    """
    size = max(counts.size, probabilities.size)
    empirical, exact = np.ones(size), np.ones(size)
    empirical[: counts.size] = np.cumsum(counts) / counts.sum()
    exact[: probabilities.size] = np.cumsum(probabilities)
    return float(np.max(np.abs(empirical - exact)))
