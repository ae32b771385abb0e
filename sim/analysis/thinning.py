"""Curves thin enough to draw: at most 2000 buckets with minimum, mean and maximum, from a lazy scan.

Peaks stay visible because every bucket keeps its extremes.  Nothing but the buckets is held by the
caller, so a run of 1e7 rows draws like one of 1e4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

MAX_POINTS = 2000
Spacing = Literal["linear", "log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A thinned series.

    Axes: K buckets, K <= 2000.

    Attributes:
        name: What the legend says.
        unit: [K] last unit in each bucket, increasing.
        mean: [K] mean of the values in each bucket.
        low: [K] least value in each bucket.
        high: [K] greatest value in each bucket.
        rows: Number of values behind the curve.
    """

    name: str
    unit: IntArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    rows: int

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def thinned(self) -> bool:
        """Whether some bucket holds more than one value."""
        return self.rows > len(self)


def thin(
    frame: pl.LazyFrame,
    *,
    name: str,
    unit: str = "unit",
    value: str = "value",
    max_points: int = MAX_POINTS,
    spacing: Spacing = "linear",
) -> Curve:
    """Thin one series to at most ``max_points`` buckets of equal width in the unit.

    Args:
        frame: Lazy frame with an integer column ``unit`` and a numeric column ``value``.
        name: Name of the curve.
        unit: Name of the unit column.
        value: Name of the value column.
        max_points: Greatest number of buckets, 2..2000.
        spacing: ``"log"`` makes buckets of equal width in ``log(1 + unit - first unit)``.

    Returns:
        The curve; empty if the frame has no row.  Units whose value is null are left out.

    Cost:
        Two scans of two columns; memory of the buckets plus polars' working set.
    """
    if not 2 <= max_points <= MAX_POINTS:
        raise InvalidValue(f"max_points must lie in 2..{MAX_POINTS}, got {max_points}")
    data = frame.select(pl.col(unit).cast(pl.Int64).alias("u"), pl.col(value).cast(pl.Float64).alias("v"))
    data = data.filter(pl.col("v").is_not_null())
    ends = data.select(pl.col("u").min().alias("first"), pl.col("u").max().alias("last")).collect()
    first, last = ends["first"][0], ends["last"][0]
    if first is None:
        nothing = np.empty(0, np.float64)
        return Curve(name=name, unit=np.empty(0, np.int64), mean=nothing, low=nothing, high=nothing, rows=0)
    buckets = (
        data.with_columns(_bucket(first, last, max_points, spacing).alias("k"))
        .group_by("k")
        .agg(
            pl.col("u").max(),
            pl.col("v").mean().alias("mean"),
            pl.col("v").min().alias("low"),
            pl.col("v").max().alias("high"),
            pl.len().alias("rows"),
        )
        .sort("k")
        .collect()
    )
    return Curve(
        name=name,
        unit=buckets["u"].to_numpy().astype(np.int64),
        mean=buckets["mean"].to_numpy().astype(np.float64),
        low=buckets["low"].to_numpy().astype(np.float64),
        high=buckets["high"].to_numpy().astype(np.float64),
        rows=int(buckets["rows"].sum()),
    )


def metric_curve(
    metrics: pl.LazyFrame,
    metric: str,
    key: str = "",
    *,
    name: str = "",
    max_points: int = MAX_POINTS,
    spacing: Spacing = "linear",
) -> Curve:
    """Thin one metric of a run's long table (unit, metric, key, value)."""
    rows = metrics.filter((pl.col("metric") == metric) & (pl.col("key") == key))
    return thin(rows, name=name or (f"{metric} {key}" if key else metric), max_points=max_points, spacing=spacing)


def _bucket(first: int, last: int, count: int, spacing: Spacing) -> pl.Expr:
    if spacing == "log":
        scale = (count - 1) / max(float(np.log1p(last - first)), 1e-300)
        return ((pl.col("u") - first).cast(pl.Float64).log1p() * scale).floor().cast(pl.Int64)
    width = max(1, -(-(last - first + 1) // count))  # integers only: no bucket edge depends on rounding
    return (pl.col("u") - first) // width
