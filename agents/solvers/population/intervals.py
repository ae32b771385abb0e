"""Confidence intervals of sampled means from (mean, sum of squared deviations, count).

* normal: mean +- z s / sqrt(N); asymptotic.
* Hoeffding: mean +- R sqrt(ln(2 / delta) / (2 N)); valid for any N with payoffs in a range R.
* empirical Bernstein: mean +- sqrt(2 s^2 ln(4 / delta) / N) + 7 R ln(4 / delta) / (3 (N - 1)); valid
  for any N >= 2, tighter than Hoeffding when the variance is small (Maurer and Pontil 2009, theorem
  4, applied to both sides).

All arguments broadcast; delta = 1 - confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtri

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

Method: TypeAlias = Literal["normal", "hoeffding", "empirical_bernstein"]
METHODS: tuple[Method, ...] = ("normal", "hoeffding", "empirical_bernstein")


@dataclass(frozen=True, slots=True)
class Interval:
    """Lower and upper ends, shaped like the means."""

    low: FloatArray
    high: FloatArray


def half_width(m2: FloatArray, count: IntArray, span: float, confidence: float, method: Method) -> FloatArray:
    """Return the half-width of the interval of a mean.

    Args:
        m2: Sum of squared deviations from the mean, >= 0.
        count: Sample sizes, >= 2.
        span: Range R of the sampled quantity, >= 0.
        confidence: Coverage in (0, 1).
        method: One of ``METHODS``.

    Raises:
        InvalidValue: If the method is unknown, a count is below 2 or the confidence is out of range.
    """
    if method not in METHODS:
        raise InvalidValue(f"interval method must be one of {METHODS}, got {method!r}")
    if not 0 < confidence < 1:
        raise InvalidValue(f"confidence must lie in (0, 1), got {confidence!r}")
    n = np.asarray(count, dtype=np.float64)
    if n.size and n.min() < 2:
        raise InvalidValue(f"an interval needs at least 2 samples, got {int(n.min())}")
    delta, variance = 1.0 - confidence, np.asarray(m2) / (n - 1.0)
    if method == "normal":
        return np.asarray(ndtri(1.0 - delta / 2) * np.sqrt(variance / n))
    if method == "hoeffding":
        return np.asarray(span * np.sqrt(np.log(2.0 / delta) / (2.0 * n)) + 0.0 * variance)
    log = np.log(4.0 / delta)
    return np.asarray(np.sqrt(2.0 * variance * log / n) + 7.0 * span * log / (3.0 * (n - 1.0)))


def interval(
    mean: FloatArray, m2: FloatArray, count: IntArray, *, span: float, confidence: float, method: Method
) -> Interval:
    """Return the interval around ``mean``; see ``half_width``."""
    half = half_width(m2, count, span, confidence, method)
    return Interval(mean - half, mean + half)
