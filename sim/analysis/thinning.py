"""Curves thin enough to draw: at most 2000 buckets with minimum, mean and maximum, from a lazy scan.

Peaks stay visible because every bucket keeps its extremes.  Nothing but the buckets is held by the
caller, so a run of 1e7 rows draws like one of 1e4.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    found = buckets(frame, unit=unit, value=value, max_points=max_points, spacing=spacing)
    return curve_of(found, name)


def buckets(
    frame: pl.LazyFrame,
    *,
    unit: str = "unit",
    value: str = "value",
    max_points: int = MAX_POINTS,
    spacing: Spacing = "linear",
    origin: int | None = None,
) -> pl.DataFrame:
    """Return at most ``max_points`` buckets of a series: last unit, sum, least and greatest value, number of rows.

    Args:
        frame: Lazy frame with an integer column ``unit`` and a numeric column ``value``.
        unit: Name of the unit column.
        value: Name of the value column.
        max_points: Greatest number of buckets, 2..2000.
        spacing: As in ``thin``.
        origin: Unit from which logarithmic buckets count; the first one of the frame when absent.

    Returns:
        Columns unit, total, low, high, rows in the order of units; no row if the frame has none.
    """
    if not 2 <= max_points <= MAX_POINTS:
        raise InvalidValue(f"max_points must lie in 2..{MAX_POINTS}, got {max_points}")
    data = frame.select(pl.col(unit).cast(pl.Int64).alias("unit"), pl.col(value).cast(pl.Float64).alias("v"))
    v = pl.col("v")
    sums = (v.sum().alias("total"), v.min().alias("low"), v.max().alias("high"), pl.len().cast(pl.Int64).alias("rows"))
    return _grouped(data.filter(v.is_not_null()), sums, max_points, spacing, origin)


def merge_buckets(
    parts: Sequence[pl.DataFrame], *, max_points: int = MAX_POINTS, spacing: Spacing = "linear"
) -> pl.DataFrame:
    """Put buckets of consecutive stretches of a series together, again at most ``max_points``.

    A bucket that straddles an edge of the wider ones counts where its last unit lies; sums, extremes and
    numbers of rows are kept exactly.
    """
    if not parts:
        return pl.DataFrame(schema=_SCHEMA)
    sums = (pl.col("total").sum(), pl.col("low").min(), pl.col("high").max(), pl.col("rows").sum())
    return _grouped(pl.concat(list(parts)).lazy(), sums, max_points, spacing, None)


def curve_of(found: pl.DataFrame, name: str) -> Curve:
    """Return buckets as a curve."""
    return Curve(
        name=name,
        unit=found["unit"].to_numpy().astype(np.int64),
        mean=(found["total"] / found["rows"]).to_numpy().astype(np.float64),
        low=found["low"].to_numpy().astype(np.float64),
        high=found["high"].to_numpy().astype(np.float64),
        rows=int(found["rows"].sum()),
    )


_SCHEMA = {"unit": pl.Int64, "total": pl.Float64, "low": pl.Float64, "high": pl.Float64, "rows": pl.Int64}


def _grouped(
    data: pl.LazyFrame, sums: Sequence[pl.Expr], max_points: int, spacing: Spacing, origin: int | None
) -> pl.DataFrame:
    ends = data.select(pl.col("unit").min().alias("first"), pl.col("unit").max().alias("last")).collect()
    first, last = ends["first"][0], ends["last"][0]
    if first is None:
        return pl.DataFrame(schema=_SCHEMA)
    if spacing == "log" and origin is not None:
        first = min(first, origin)
    grouped = data.with_columns(_bucket(first, last, max_points, spacing).alias("k")).group_by("k")
    return grouped.agg(pl.col("unit").max(), *sums).sort("k").drop("k").collect()


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


def metric_buckets(
    metrics: pl.LazyFrame, metric: str, key: str, *, max_points: int, spacing: Spacing, origin: int | None
) -> pl.DataFrame:
    """Return the buckets of one metric of a stretch of the long table; see ``buckets``."""
    rows = metrics.filter((pl.col("metric") == metric) & (pl.col("key") == key))
    return buckets(rows, max_points=max_points, spacing=spacing, origin=origin)


def _bucket(first: int, last: int, count: int, spacing: Spacing) -> pl.Expr:
    if spacing == "log":
        scale = (count - 1) / max(float(np.log1p(last - first)), 1e-300)
        return ((pl.col("unit") - first).cast(pl.Float64).log1p() * scale).floor().cast(pl.Int64)
    width = max(1, -(-(last - first + 1) // count))  # integers only: no bucket edge depends on rounding
    return (pl.col("unit") - first) // width
