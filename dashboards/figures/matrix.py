"""Matrices as heat maps: payoffs, scores, sweeps, mixtures over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import DIVERGING, SEQUENTIAL, Mode, layout
from equilibria.sim.analysis.ticks import short
from equilibria.sim.types import FloatArray

MAX_CELLS = 20_000
_MAX_TEXTS = 225


def heatmap(
    values: FloatArray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    row_label: str = "",
    column_label: str = "",
    value_label: str = "",
    diverging: bool = False,
    mode: Mode = "light",
    height: int | None = None,
) -> go.Figure:
    """Draw a matrix with the first row on top.

    Args:
        values: [R, C] numbers; NaN cells stay empty.  At most 20,000 cells (see ``shrink``).
        rows: [R] names.
        columns: [C] names.
        row_label: What rows are.
        column_label: What columns are.
        value_label: Quantity and unit.
        diverging: Colours centred at 0, for signed payoffs.
        mode: Light or dark.
        height: Pixels; by the number of rows when absent.
    """
    finite = values[np.isfinite(values)]
    bound = float(np.abs(finite).max()) if finite.size else 1.0
    texts = values.size <= _MAX_TEXTS
    figure = go.Figure(
        go.Heatmap(
            z=values.astype(np.float32),
            x=_unique(columns),
            y=_unique(rows),
            colorscale=DIVERGING[mode] if diverging else SEQUENTIAL,
            zmid=0.0 if diverging else None,
            zmin=-bound if diverging and bound else None,
            zmax=bound if diverging and bound else None,
            text=[[short(v) if np.isfinite(v) else "" for v in row] for row in values] if texts else None,
            texttemplate="%{text}" if texts else None,
            colorbar={"title": {"text": value_label, "side": "right"}, "thickness": 12, "outlinewidth": 0},
            hovertemplate=f"{row_label} %{{y}}<br>{column_label} %{{x}}<br>%{{z:.4~g}} {value_label}<extra></extra>",
        )
    )
    figure.update_layout(
        layout(
            mode,
            height=height or int(min(760, max(260, 110 + 28 * len(rows)))),
            xaxis={"title": column_label, "type": "category", "showgrid": False},
            yaxis={"title": row_label, "type": "category", "autorange": "reversed", "showgrid": False},
        )
    )
    return figure


def mixture_over_time(
    probabilities: FloatArray, *, units: Sequence[int], names: Sequence[str], x_label: str, mode: Mode = "light"
) -> go.Figure:
    """Draw how a mixture moves: one row per policy, one column per unit, colour is the probability.

    Args:
        probabilities: [P, T] probability of policy p at time t; NaN before the policy existed.
        units: [T] units.
        names: [P] names of policies.
        x_label: Unit of progress.
        mode: Light or dark.
    """
    figure = heatmap(
        probabilities,
        rows=names,
        columns=[f"{u}" for u in units],
        row_label="policy",
        column_label=x_label,
        value_label="probability",
        mode=mode,
    )
    figure.update_traces(zmin=0.0, zmax=1.0, text=None, texttemplate=None)
    return figure


def shrink(values: FloatArray, *, cells: int = MAX_CELLS) -> tuple[FloatArray, int]:
    """Return block means of a matrix with at most ``cells`` cells, and the block width used."""
    width = 1
    while -(-values.shape[0] // width) * -(-values.shape[1] // width) > cells:
        width += 1
    if width == 1:
        return values, 1
    height, length = (-(-n // width) * width for n in values.shape)
    padded = np.full((height, length), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(height // width, width, length // width, width).transpose(0, 2, 1, 3)
    flat = blocks.reshape(height // width, length // width, -1)
    known = np.isfinite(flat)
    total = np.where(known, flat, 0.0).sum(axis=-1)
    count = known.sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), width


def _unique(names: Sequence[str]) -> list[str]:
    """Return names that are all different: equal categories would be drawn on top of each other."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        out.append(f"{name} ({count + 1})" if count else name)
    return out
