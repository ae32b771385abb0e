"""Two quantities against each other: points by name with their spread, paths, and the frontier they cannot cross."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.figures.lines import log_ticks
from equilibria.dashboards.look import SHADES, Mode, colours, hue, layout, line, transparent
from equilibria.sim.types import FloatArray

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Points of one name.

    Attributes:
        x: [n] one value per run.
        y: [n] the same.
        path: (x [T], y [T]) over training, drawn as a thin line; ``None`` for none.
    """

    x: FloatArray
    y: FloatArray
    path: tuple[FloatArray, FloatArray] | None = None


def clouds(
    points: Mapping[str, Cloud],
    *,
    x_label: str,
    y_label: str,
    frontier: tuple[FloatArray, FloatArray] | None = None,
    frontier_name: str = "frontier",
    log_x: bool = False,
    mode: Mode = "light",
) -> go.Figure:
    """Draw the mean of every cloud as a large mark, its runs as small ones, and what lies out of reach shaded.

    Args:
        points: Clouds by name.
        x_label: Quantity and unit.
        y_label: Quantity and unit.
        frontier: (x [K], y [K]) above which nothing can lie.
        frontier_name: Its name.
        log_x: Logarithmic horizontal axis.
        mode: Light or dark.
    """
    chosen = colours(points)
    figure = go.Figure()
    if frontier is not None:
        _frontier(figure, frontier, frontier_name, mode)
    for k, (name, cloud) in enumerate(points.items()):
        colour, symbol = chosen[name], _SYMBOLS[k % len(_SYMBOLS)]
        if cloud.path is not None and len(cloud.path[0]) > 1:
            figure.add_scatter(
                x=cloud.path[0],
                y=cloud.path[1],
                mode="lines",
                name=f"{name} over training",
                legendgroup=name,
                showlegend=False,
                line={**line(colour, mode, 1.3), "dash": "solid"},
                opacity=0.7,
                hoverinfo="skip",
            )
        if len(cloud.x) > 1:
            figure.add_scatter(
                x=cloud.x,
                y=cloud.y,
                mode="markers",
                name=f"{name}, runs",
                legendgroup=name,
                showlegend=False,
                marker={"size": 6, "color": transparent(hue(colour, mode), 0.55), "symbol": symbol},
                hovertemplate="%{x:.4~g}, %{y:.4~g}<extra>" + name + "</extra>",
            )
        figure.add_scatter(
            x=[float(np.mean(cloud.x))],
            y=[float(np.mean(cloud.y))],
            mode="markers",
            name=name,
            legendgroup=name,
            marker={"size": 13, "color": hue(colour, mode), "symbol": symbol},
            hovertemplate="%{x:.4~g}, %{y:.4~g}<extra>" + name + "</extra>",
        )
    window = _window(points, frontier) if frontier is not None and points else ({}, {})
    figure.update_layout(
        layout(
            mode,
            height=440 + 14 * max(0, len(points) - 4),
            xaxis={
                "title": x_label,
                "type": "log" if log_x else "linear",
                "exponentformat": "power",
                **(log_ticks([c.x for c in points.values()]) if log_x else window[0]),
            },
            yaxis={"title": y_label, **window[1]},
        )
    )
    return figure


def _frontier(figure: go.Figure, frontier: tuple[FloatArray, FloatArray], name: str, mode: Mode) -> None:
    top = float(np.max(frontier[1])) * 1.3
    figure.add_scatter(
        x=frontier[0], y=np.full(len(frontier[0]), top), mode="lines", line={"width": 0}, showlegend=False,
        hoverinfo="skip", name="out of reach",
    )  # fmt: skip
    figure.add_scatter(
        x=frontier[0],
        y=frontier[1],
        mode="lines",
        name=name,
        line={"color": SHADES[mode].text, "width": 2, "dash": "dot"},
        fill="tonexty",
        fillcolor=transparent(SHADES[mode].muted, 0.15),
        hovertemplate="at most %{y:.4~g} at %{x:.4~g}<extra>" + name + "</extra>",
    )


def _window(
    points: Mapping[str, Cloud], frontier: tuple[FloatArray, FloatArray]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return axis ranges that show the points and the frontier above them, not its far ends."""
    x = np.concatenate([v for c in points.values() for v in (c.x, *(c.path or ())[:1])])
    y = np.concatenate([v for c in points.values() for v in (c.y, *(c.path or ())[1:])])
    left, right, low = float(x.min()), float(x.max()), float(y.min())
    margin = 0.15 * max(right - left, 0.1 * abs(right), 1e-9)
    left = max(0.0, left - margin)
    top = max(float(np.interp(left, *frontier)), float(y.max()))
    pad = 0.08 * max(top - low, 1e-9)
    return {"range": [left, right + margin]}, {"range": [max(0.0, low - pad), top + pad]}
