"""Curves of groups of runs: one line per group, a band over its seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equilibria.sim.analysis.samples import Sample
from equilibria.sim.analysis.thinning import Curve, metric_curve

CHART_POINTS = 500


def group_curve(samples: Sequence[Sample], metric: str, name: str) -> Curve:
    """Combine the curves of a group's seeds: mean line, least-to-greatest band, at common units.

    Args:
        samples: Runs of one group.
        metric: Scalar metric.
        name: Name of the combined curve.
    """
    curves = [metric_curve(s.run.metrics(), metric, max_points=CHART_POINTS) for s in samples]
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
    return Curve(
        name=name,
        unit=common,
        mean=means.mean(axis=0),
        low=np.stack([c.low[r] for c, r in zip(curves, rows, strict=True)]).min(axis=0),
        high=np.stack([c.high[r] for c, r in zip(curves, rows, strict=True)]).max(axis=0),
        rows=sum(c.rows for c in curves),
    )
