"""Matrices as heat maps: payoffs, scores, sweeps, mixtures over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import get_colorscale

from equilibria.dashboards.look import DIVERGING, SEQUENTIAL, Mode, layout
from equilibria.sim.analysis.colours import contrast
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
    limits: tuple[float, float] | None = None,
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
        limits: Values at the ends of the colour scale; those of the data when absent.
        mode: Light or dark.
        height: Pixels; by the number of rows when absent.
    """
    finite = values[np.isfinite(values)]
    bound = (float(np.abs(finite).max()) if finite.size else 0.0) or 1.0
    if limits is None:
        limits = (-bound, bound) if diverging else (float(finite.min()), float(finite.max())) if finite.size else (0, 1)
    texts = values.size <= _MAX_TEXTS
    figure = go.Figure(
        go.Heatmap(
            z=values.astype(np.float32),
            x=_unique(columns),
            y=_unique(rows),
            colorscale=DIVERGING[mode] if diverging else SEQUENTIAL,
            zmin=limits[0],
            zmax=limits[1],
            colorbar={"title": {"text": value_label, "side": "right"}, "thickness": 12, "outlinewidth": 0},
            hovertemplate=f"{row_label} %{{y}}<br>{column_label} %{{x}}<br>%{{z:.4~g}} {value_label}<extra></extra>",
        )
    )
    if texts:
        _add_texts(figure, values, DIVERGING[mode] if diverging else SEQUENTIAL, limits)
    figure.update_layout(
        layout(
            mode,
            height=height or int(min(760, max(260, 110 + 28 * len(rows)))),
            xaxis={"title": column_label, "type": "category", "showgrid": False},
            yaxis={
                "title": row_label if max(map(len, rows), default=0) <= 12 else "",
                "type": "category",
                "autorange": "reversed",
                "showgrid": False,
            },
        )
    )
    return figure


def _add_texts(
    figure: go.Figure, values: FloatArray, scale: str | list[tuple[float, str]], limits: tuple[float, float]
) -> None:
    """Write every cell's number in black or white, whichever has more contrast with the cell."""
    heat = figure.data[0]
    low, high = limits
    noise = 1e-12 * max(abs(low), abs(high))  # what is left of a sum that cancels
    xs, ys, texts, inks = [], [], [], []
    for (i, j), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        cell = _at(scale, min(1.0, max(0.0, share)))
        xs.append(heat.x[j])
        ys.append(heat.y[i])
        texts.append(short(float(value) if abs(value) > noise else 0.0))
        inks.append(max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, cell)))
    figure.add_scatter(
        x=xs, y=ys, text=texts, mode="text", textfont={"color": inks, "size": 12}, hoverinfo="skip", showlegend=False
    )


def _at(scale: str | list[tuple[float, str]], share: float) -> str:
    """Return the colour of a scale at a share in 0..1, as ``#rrggbb``."""
    stops = [(float(at), str(c)) for at, c in (get_colorscale(scale) if isinstance(scale, str) else scale)]
    places = [at for at, _ in stops]
    channels = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for _, c in stops], np.float64)
    return "#" + "".join(f"{round(float(np.interp(share, places, channels[:, k]))):02x}" for k in range(3))


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
        limits=(0.0, 1.0),
        mode=mode,
    )
    figure.data = figure.data[:1]
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
