"""Curves of groups of runs: one line per group, a band over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from equilibria.sim.analysis.samples import Sample
from equilibria.sim.analysis.thinning import Curve, metric_curve
from equilibria.sim.types import FloatArray, IntArray

CHART_POINTS = 500
CONFIDENCE = 0.95
Band = Literal["range", "interval"]


def group_curve(samples: Sequence[Sample], metric: str, name: str, *, key: str = "", band: Band = "range") -> Curve:
    """Combine the curves of a group's seeds at common units: mean line and band.

    Args:
        samples: Runs of one group.
        metric: The metric.
        name: Name of the combined curve.
        key: Key of the metric; empty for scalars.
        band: ``"range"`` from the least to the greatest seed, or ``"interval"``: the 95 % confidence interval of the
            mean over seeds by Student's t (no width for a single seed).
    """
    return combined([metric_curve(s.run.metrics(), metric, key, max_points=CHART_POINTS) for s in samples], name, band)


def combined(curves: Sequence[Curve], name: str, band: Band = "range") -> Curve:
    """Combine curves of several seeds at common units: mean line and band; see ``group_curve``."""
    curves = [c for c in curves if len(c)]
    if not curves:
        nothing = np.empty(0, np.float64)
        return Curve(name=name, unit=np.empty(0, np.int64), mean=nothing, low=nothing, high=nothing, rows=0)
    common = curves[0].unit
    for curve in curves[1:]:
        common = np.intersect1d(common, curve.unit)
    if not len(common):
        return curves[0]
    rows = [np.searchsorted(c.unit, common) for c in curves]
    means = np.stack([c.mean[r] for c, r in zip(curves, rows, strict=True)])
    if band == "interval":
        return _with_interval(name, common, means, sum(c.rows for c in curves))
    return Curve(
        name=name,
        unit=common,
        mean=means.mean(axis=0),
        low=np.stack([c.low[r] for c, r in zip(curves, rows, strict=True)]).min(axis=0),
        high=np.stack([c.high[r] for c, r in zip(curves, rows, strict=True)]).max(axis=0),
        rows=sum(c.rows for c in curves),
    )


def _with_interval(name: str, unit: IntArray, means: FloatArray, rows: int) -> Curve:
    """Return the mean over seeds [n, K] with its interval by Student's t."""
    from scipy.stats import t

    n = len(means)
    middle = means.mean(axis=0)
    half = np.zeros_like(middle)
    if n > 1:
        half = t.ppf(0.5 + CONFIDENCE / 2, n - 1) * means.std(axis=0, ddof=1) / np.sqrt(n)
    return Curve(name=name, unit=unit, mean=middle, low=middle - half, high=middle + half, rows=rows)
