"""The numbers that a figure draws, as rows: what the CSV export writes when a page gives no rows of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl


def numbers(figure: go.Figure) -> pl.DataFrame:
    """Return one row per drawn point: trace, then x, y, z or value as the trace has them.

    Matrices are written cell by cell with the names of their row (y) and column (x); parallel coordinates one
    row per line.  Numbers and texts of one column are written as texts when a figure mixes them.
    """
    frames = [_trace(trace, k) for k, trace in enumerate(figure.data)]
    frames = [f for f in frames if len(f)]
    if not frames:
        return pl.DataFrame({"trace": []}, schema={"trace": pl.String})
    return pl.concat(frames, how="diagonal_relaxed")


def _trace(trace: Any, place: int) -> pl.DataFrame:
    name = str(trace.name or f"{trace.type} {place + 1}")
    if trace.type == "parcoords":
        columns = {str(d.label or i): list(d.values) for i, d in enumerate(trace.dimensions)}
    elif getattr(trace, "z", None) is not None and np.ndim(trace.z) == 2:
        columns = _cells(trace)
    else:
        columns = {}
        for axis in ("x", "y", "z", "text"):
            values = getattr(trace, axis, None)
            if values is not None and not isinstance(values, str):
                columns[axis] = list(values)
        sizes = {len(v) for v in columns.values()}
        columns = {k: v for k, v in columns.items() if len(v) == max(sizes, default=0)}
    series = [_series(k, v) for k, v in columns.items()]
    frame = pl.DataFrame(series)
    return frame.select(pl.lit(name).alias("trace"), pl.all()) if len(frame) else pl.DataFrame()


def _cells(trace: Any) -> dict[str, list[Any]]:
    z = np.asarray(trace.z, np.float64)
    rows = list(trace.y) if trace.y is not None else list(range(z.shape[0]))
    columns = list(trace.x) if trace.x is not None else list(range(z.shape[1]))
    return {
        "x": columns * z.shape[0],
        "y": [r for r in rows for _ in columns],
        "value": z.ravel().tolist(),
    }


def _series(name: str, values: list[Any]) -> pl.Series:
    try:
        return pl.Series(name, np.asarray(values, np.float64))
    except (TypeError, ValueError):
        return pl.Series(name, [None if v is None else str(v) for v in values], pl.String)
