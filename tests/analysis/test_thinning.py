"""Thinned curves keep extremes, means and the number of values."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equilibria.sim.analysis.thinning import (
    MAX_POINTS,
    Spacing,
    buckets,
    curve_of,
    merge_buckets,
    metric_curve,
    thin,
)
from equilibria.sim.errors import InvalidValue


def frame(units: list[int], values: list[float]) -> pl.LazyFrame:
    return pl.DataFrame({"unit": units, "value": values}, schema={"unit": pl.Int64, "value": pl.Float64}).lazy()


def test_a_short_curve_is_not_changed() -> None:
    curve = thin(frame([0, 10, 20], [3.0, 2.0, 1.0]), name="x")
    assert curve.unit.tolist() == [0, 10, 20]
    assert curve.mean.tolist() == curve.low.tolist() == curve.high.tolist() == [3.0, 2.0, 1.0]
    assert not curve.thinned


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.floats(-1e3, 1e3)), min_size=1, max_size=300),
    st.integers(2, 40),
    st.sampled_from(["linear", "log"]),
)
def test_extremes_and_counts_survive(rows: list[tuple[int, float]], points: int, spacing: str) -> None:
    rows.sort()
    curve = thin(
        frame([r[0] for r in rows], [r[1] for r in rows]),
        name="x",
        max_points=points,
        spacing=spacing,  # type: ignore[arg-type]
    )
    values = [r[1] for r in rows]
    assert len(curve) <= points
    assert curve.rows == len(rows)
    assert curve.low.min() == min(values)
    assert curve.high.max() == max(values)
    assert np.all(np.diff(curve.unit) > 0)
    assert np.all((curve.low <= curve.mean + 1e-9) & (curve.mean <= curve.high + 1e-9))
    assert curve.unit[-1] == rows[-1][0]


def test_a_million_rows_become_two_thousand_and_a_peak_stays() -> None:
    values = np.zeros(1_000_000)
    values[123_456] = 9.0
    data = pl.DataFrame({"unit": np.arange(1_000_000), "value": values}).lazy()
    curve = thin(data, name="x")
    assert len(curve) <= MAX_POINTS
    assert curve.high.max() == 9.0
    assert curve.thinned


def test_empty_and_bad_requests() -> None:
    assert len(thin(frame([], []), name="x")) == 0
    with pytest.raises(InvalidValue, match=r"2\.\.2000"):
        thin(frame([0], [1.0]), name="x", max_points=2001)


def test_a_metric_is_selected_by_name_and_key() -> None:
    rows = pl.DataFrame(
        {"unit": [0, 0, 1, 1], "metric": ["m"] * 4, "key": ["0", "1"] * 2, "value": [1.0, 2.0, 3.0, 4.0]}
    ).lazy()
    assert metric_curve(rows, "m", "1").mean.tolist() == [2.0, 4.0]
    assert metric_curve(rows, "m", "1").name == "m 1"


@pytest.mark.parametrize("spacing", ["linear", "log"])
def test_buckets_of_parts_merge_to_the_extremes_counts_and_totals_of_the_whole(spacing: Spacing) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=30_000)
    whole = frame(list(range(30_000)), values.tolist())
    cuts = [0, 1, 700, 15_000, 15_001, 30_000]
    parts = [
        buckets(whole.slice(a, b - a), max_points=50, spacing=spacing, origin=0) for a, b in itertools.pairwise(cuts)
    ]
    merged = curve_of(merge_buckets(parts, max_points=50, spacing=spacing), "x")
    assert len(merged) <= 50
    assert merged.rows == 30_000
    assert merged.unit[-1] == 29_999
    assert (merged.low.min(), merged.high.max()) == (values.min(), values.max())
    assert len(merge_buckets([])) == 0
