"""Statistics of runs: paired differences by seed, bootstrap intervals, exact permutation tests.

A comparison of two methods is paired: run i of both uses the same seed, so what the seeds have in
common cancels.  The interval is the bias-corrected accelerated bootstrap (Efron 1987); because it is
too narrow for few pairs, a claim also needs the sign-flip permutation test (Fisher 1935), which is
exact for any number of pairs and whose smallest possible two-sided value is ``2 ** (1 - n)``.
Everything is deterministic: resampling uses one fixed stream.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, FloatArray

RESAMPLES = 9999
EXACT_PAIRS = 14
FLIPS = 20_000
Statistic = Literal["mean", "median"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: Lower end.
        high: Upper end.
        confidence: Coverage in (0, 1).
        method: ``"BCa bootstrap"``, ``"percentile bootstrap"``, ``"constant"`` (all values equal) or
            ``"none"`` (a single value: the ends are that value and mean nothing).
    """

    low: float
    high: float
    confidence: float
    method: str

    def contains(self, value: float) -> bool:
        """Return whether ``value`` lies in the closed interval."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Result of comparing two equally long lists of values, pair by pair.

    Attributes:
        pairs: Number of pairs n.
        first: Mean of the first values.
        second: Mean of the second values.
        difference: Mean of first - second.
        interval: Interval of the mean difference.
        p_value: Two-sided sign-flip permutation p; 1.0 for a single pair.
        p_exact: Whether all ``2**n`` sign vectors were enumerated.
        ratio: Geometric mean of first / second; ``None`` unless all values are positive.
        ratio_interval: Interval of ``ratio``; ``None`` like it.
        lower_pairs: Pairs in which the first value is lower.
        higher_pairs: Pairs in which the first value is higher.
        seed_free: Whether both lists are constant, so that the seeds change nothing.
    """

    pairs: int
    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float
    p_exact: bool
    ratio: float | None
    ratio_interval: Interval | None
    lower_pairs: int
    higher_pairs: int
    seed_free: bool

    def to_json(self) -> dict[str, JSON]:
        """Return the result as a JSON object."""
        ratio_ends: JSON = None if self.ratio_interval is None else [self.ratio_interval.low, self.ratio_interval.high]
        return {
            "pairs": self.pairs,
            "a": self.first,
            "b": self.second,
            "difference": self.difference,
            "interval": [self.interval.low, self.interval.high],
            "confidence": self.interval.confidence,
            "interval_method": self.interval.method,
            "p_value": self.p_value,
            "p_exact": self.p_exact,
            "ratio": self.ratio,
            "ratio_interval": ratio_ends,
            "a_lower_in": self.lower_pairs,
            "a_higher_in": self.higher_pairs,
            "seed_free": self.seed_free,
        }


def bootstrap_interval(
    values: Sequence[float] | FloatArray, *, statistic: Statistic = "mean", confidence: float = 0.95
) -> Interval:
    """Return a bootstrap interval of the mean or median of independent values.

    Args:
        values: [n] finite values, n >= 1.
        statistic: What the interval is of.
        confidence: Coverage in (0, 1).

    Raises:
        InvalidValue: If there is no value or the confidence is out of range.
        NumericalError: If a value is not finite.
    """
    data = _checked(values)
    if not 0 < confidence < 1:
        raise InvalidValue(f"confidence must lie strictly between 0 and 1, got {confidence!r}")
    if len(data) == 1 or np.all(data == data[0]):
        method = "none" if len(data) == 1 else "constant"
        return Interval(low=float(data[0]), high=float(data[0]), confidence=confidence, method=method)
    function = np.mean if statistic == "mean" else np.median
    low, high, method = math.nan, math.nan, "BCa bootstrap"
    if statistic == "mean":  # the jackknife behind BCa is not consistent for the median (Efron 1979)
        low, high = _resampled(data, function, confidence, "BCa")
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = _resampled(data, function, confidence, "percentile")
        method = "percentile bootstrap"
    return Interval(low=low, high=high, confidence=confidence, method=method)


def paired_difference(
    first: Sequence[float] | FloatArray, second: Sequence[float] | FloatArray, *, confidence: float = 0.95
) -> PairedDifference:
    """Compare two lists pair by pair.

    Args:
        first: [n] finite values, n >= 1.
        second: [n] finite values; entry i belongs to the same seed as ``first[i]``.
        confidence: Coverage of the intervals.

    Raises:
        InvalidValue: If the lists are empty or of different lengths.
        NumericalError: If a value is not finite.
    """
    a, b = _checked(first), _checked(second)
    if len(a) != len(b):
        raise InvalidValue(f"paired lists must have one length, got {len(a)} and {len(b)} values")
    difference = a - b
    ratio: float | None = None
    ratio_interval: Interval | None = None
    if np.all(a > 0) and np.all(b > 0):
        logs = np.log(a) - np.log(b)
        inner = bootstrap_interval(logs, confidence=confidence)
        ratio = math.exp(float(logs.mean()))
        ratio_interval = Interval(
            low=math.exp(inner.low), high=math.exp(inner.high), confidence=confidence, method=inner.method
        )
    p_value, exact = sign_flip_test(difference)
    return PairedDifference(
        pairs=len(a),
        first=float(a.mean()),
        second=float(b.mean()),
        difference=float(difference.mean()),
        interval=bootstrap_interval(difference, confidence=confidence),
        p_value=p_value,
        p_exact=exact,
        ratio=ratio,
        ratio_interval=ratio_interval,
        lower_pairs=int(np.sum(difference < 0)),
        higher_pairs=int(np.sum(difference > 0)),
        seed_free=len(a) > 1 and bool(np.all(a == a[0]) and np.all(b == b[0])),
    )


def sign_flip_test(differences: Sequence[float] | FloatArray) -> tuple[float, bool]:
    """Return the two-sided p of "the differences are symmetric around 0" and whether it is exact.

    All ``2**n`` sign vectors are enumerated for n <= 14; above, 20 000 random ones are drawn from a
    fixed stream and the p value counts the observed vector as one of them.
    """
    data = _checked(differences)
    observed = abs(float(data.sum()))
    slack = 1e-12 * float(np.abs(data).sum())  # equal sums in another order of addition count as equal
    n = len(data)
    if n <= EXACT_PAIRS:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        return float(np.mean(np.abs(signs @ data) >= observed - slack)), True
    signs = SeedTree(0).child("sign-flip").generator().choice((1.0, -1.0), size=(FLIPS, n))
    hits = int(np.sum(np.abs(signs @ data) >= observed - slack))
    return (hits + 1) / (FLIPS + 1), False


def smallest_p(pairs: int) -> float:
    """Return the smallest two-sided p that the sign-flip test of ``pairs`` pairs can reach."""
    return float(min(1.0, 2.0 ** (1 - pairs)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for several comparisons (Holm 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def _checked(values: Sequence[float] | FloatArray) -> FloatArray:
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or not len(data):
        raise InvalidValue(f"expected a non-empty list of values, got shape {data.shape}")
    bad = np.flatnonzero(~np.isfinite(data))
    if len(bad):
        raise NumericalError(f"value {int(bad[0])} of the sample", float(data[bad[0]]))
    return data


def _resampled(data: FloatArray, function: object, confidence: float, method: str) -> tuple[float, float]:
    from scipy import stats  # takes half a second, and most readers of runs need no interval

    generator = SeedTree(0).child("bootstrap").generator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a degenerate jackknife shows as nan and is handled by the caller
        result = stats.bootstrap(
            (data,), function, confidence_level=confidence, n_resamples=RESAMPLES, method=method, rng=generator
        )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
