"""Populations: inequality, distributions, grids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import SHADES, Mode, colours, hue, layout, line
from equilibria.sim.types import FloatArray, IntArray

LORENZ_POINTS = 201
BINS = 40


def lorenz_curve(values: FloatArray, *, points: int = LORENZ_POINTS) -> tuple[FloatArray, FloatArray]:
    """Return the Lorenz curve at equally spaced shares of agents.

    Args:
        values: [n] holdings, not negative.
        points: Number of points.

    Returns:
        Shares of agents, poorest first, and the share of the total that they hold; the diagonal when
        the total is 0.
    """
    share = np.linspace(0.0, 1.0, points)
    total = float(values.sum())
    if not len(values) or total <= 0:
        return share, share
    held = np.concatenate([[0.0], np.cumsum(np.sort(values)) / total])
    return share, np.interp(share, np.linspace(0.0, 1.0, len(held)), held)


def gini(values: FloatArray) -> float:
    """Return the Gini coefficient of holdings: twice the area between the Lorenz curve and the diagonal."""
    total, n = float(values.sum()), len(values)
    if n == 0 or total <= 0:
        return 0.0
    ranks = np.arange(1, n + 1)
    return float(2.0 * (ranks * np.sort(values)).sum() / (n * total) - (n + 1) / n)


def lorenz(series: Mapping[str, FloatArray], *, quantity: str, mode: Mode = "light") -> go.Figure:
    """Draw Lorenz curves with the line of equality.

    Args:
        series: Holdings [n] by name, for example one per period.
        quantity: What is held.
        mode: Light or dark.
    """
    chosen = colours(series)
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="equality",
        line={"color": SHADES[mode].muted, "width": 1.2, "dash": "dot"},
        hoverinfo="skip",
    )
    for name, values in series.items():
        share, held = lorenz_curve(values)
        figure.add_scatter(
            x=share,
            y=held.astype(np.float32),
            mode="lines",
            name=f"{name} (Gini {gini(values):.3f})",
            line=line(chosen[name], mode),
            hovertemplate=f"the poorest %{{x:.0%}} hold %{{y:.1%}}<extra>{name}</extra>",
        )
    figure.update_layout(
        layout(
            mode,
            height=460,
            xaxis={"title": "share of agents, poorest first", "tickformat": ".0%", "range": [0, 1]},
            yaxis={"title": f"share of {quantity}", "tickformat": ".0%", "range": [0, 1]},
        )
    )
    return figure


def histogram(
    series: Mapping[str, FloatArray], *, quantity: str, unit: str = "", log: bool = False, mode: Mode = "light"
) -> go.Figure:
    """Draw distributions as steps: share of agents per bin, bins shared by all series.

    Args:
        series: Values [n] by name.
        quantity: Name of the values.
        unit: Their unit.
        log: Logarithmic shares: an exponential law is a straight line.
        mode: Light or dark.
    """
    chosen = colours(series)
    everything = np.concatenate([np.asarray(v, np.float64) for v in series.values()]) if series else np.empty(0)
    edges = _edges(everything)
    figure = go.Figure()
    for name, values in series.items():
        counts, _ = np.histogram(values, bins=edges)
        share = counts / max(1, len(values))
        figure.add_scatter(
            x=edges[:-1],
            y=np.where(share > 0, share, np.nan) if log else share,
            mode="lines",
            line={**line(chosen[name], mode), "shape": "hv"},
            name=name,
            hovertemplate=f"%{{y:.2%}} of agents from %{{x:.4~g}}<extra>{name}</extra>",
        )
    figure.update_layout(
        layout(
            mode,
            height=380,
            xaxis={"title": f"{quantity} [{unit}]" if unit else quantity},
            yaxis={"title": "share of agents", "type": "log" if log else "linear"},
            showlegend=len(series) > 1,
        )
    )
    return figure


def shares(
    units: IntArray, values: FloatArray, names: Sequence[str], *, x_label: str, mode: Mode = "light"
) -> go.Figure:
    """Draw shares of states as stacked areas.

    Args:
        units: [T] units.
        values: [T, K] shares that add up to 1.
        names: [K] states.
        x_label: Unit of progress.
        mode: Light or dark.
    """
    chosen = colours(names)
    figure = go.Figure()
    for k, name in enumerate(names):
        figure.add_scatter(
            x=units,
            y=values[:, k],
            mode="lines",
            stackgroup="all",
            name=name,
            line={"width": 0.5, "color": hue(chosen[name], mode)},
            hovertemplate="%{y:.1%}<extra>" + name + "</extra>",
        )
    figure.update_layout(
        layout(
            mode,
            height=380,
            xaxis={"title": x_label},
            yaxis={"title": "share of agents", "tickformat": ".0%", "range": [0, 1]},
            hovermode="x unified",
        )
    )
    return figure


def grid(
    row: IntArray,
    column: IntArray,
    values: FloatArray,
    *,
    shape: tuple[int, int],
    names: Sequence[str] = (),
    value_label: str = "",
    mode: Mode = "light",
) -> go.Figure:
    """Draw a grid world from above: groups in their colours, or quantities on a scale.

    Args:
        row: [n] row of each agent, from 0 at the top.
        column: [n] column.
        values: [n] group number (with ``names``) or quantity; several agents on a cell are averaged.
        shape: Rows and columns; large grids are shown as block means.
        names: Group names; empty for quantities.
        value_label: Quantity and unit.
        mode: Light or dark.
    """
    from equilibria.dashboards.figures.matrix import shrink

    cells = np.zeros(shape)
    count = np.zeros(shape)
    np.add.at(cells, (row, column), values)
    np.add.at(count, (row, column), 1.0)
    mean = np.where(count > 0, cells / np.maximum(count, 1), np.nan)
    mean, width = shrink(mean, cells=10_000)
    scale: object = "Viridis"
    bar: dict[str, object] = {"title": {"text": value_label, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    limits: dict[str, float | None] = {"zmin": None, "zmax": None}
    if names and width == 1:
        chosen = [hue(colours(names)[n], mode) for n in names]
        k = len(names)
        scale = [stop for i, c in enumerate(chosen) for stop in ((i / k, c), ((i + 1) / k, c))]
        limits = {"zmin": -0.5, "zmax": k - 0.5}
        bar |= {"tickvals": list(range(k)), "ticktext": list(names)}
    figure = go.Figure(
        go.Heatmap(
            z=mean.astype(np.float32),
            colorscale=scale,
            colorbar=bar,
            xgap=1 if mean.shape[1] <= 60 else 0,
            ygap=1 if mean.shape[0] <= 60 else 0,
            hovertemplate="row %{y}, column %{x}: %{z:.3~g}<extra></extra>",
            **limits,
        )
    )
    plain = {"showgrid": False, "zeroline": False, "ticks": "", "showticklabels": False}
    figure.update_layout(
        layout(
            mode,
            height=560,
            xaxis={**plain, "constrain": "domain"},
            yaxis={**plain, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
        )
    )
    return figure


def _edges(values: FloatArray) -> FloatArray:
    """Return bin edges: whole numbers stay apart as long as there are at most 40 of them."""
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if np.all(values == np.round(values)):
        step = max(1, int(np.ceil((high - low + 1) / BINS)))
        return np.arange(low, high + step + 1, step) - 0.0
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)
