"""The simplex of mixtures over three strategies: paths and the replicator field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import SHADES, Mode, colours, hue, layout, line
from equilibria.sim.analysis.colours import Colour
from equilibria.sim.types import FloatArray

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def to_plane(mixtures: FloatArray) -> FloatArray:
    """Map mixtures [n, 3] to points [n, 2] of an equilateral triangle with side 1."""
    return np.asarray(mixtures @ CORNERS, np.float64)


def field(payoffs: FloatArray, *, steps: int = 12) -> tuple[FloatArray, FloatArray]:
    """Return interior mixtures [n, 3] and the replicator velocity there [n, 3], x_i ((A x)_i - x.A x)."""
    i, j = (k.ravel() for k in np.meshgrid(np.arange(1, steps), np.arange(1, steps)))
    inside = i + j < steps
    points = np.stack([i[inside], j[inside], steps - i[inside] - j[inside]], axis=-1) / steps
    advantage = points @ payoffs.T
    return points, points * (advantage - (points * advantage).sum(axis=1, keepdims=True))


def simplex(
    labels: Sequence[str],
    *,
    paths: Mapping[str, FloatArray] | None = None,
    payoffs: FloatArray | None = None,
    points: Mapping[str, FloatArray] | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """Draw the triangle of mixtures.

    Args:
        labels: Names of the three strategies: bottom left, bottom right, top.
        paths: Mixtures [T, 3] over time by name; the start is a ring, the end a dot.
        payoffs: [3, 3] payoff of the row against the column strategy; its replicator field is drawn.
        points: Single mixtures [3] by name, for example the equilibrium.
        mode: Light or dark.
    """
    shades = SHADES[mode]
    figure = go.Figure()
    if payoffs is not None:
        _add_field(figure, payoffs, mode)
    outline = np.vstack([CORNERS, CORNERS[:1]])
    figure.add_scatter(
        x=outline[:, 0],
        y=outline[:, 1],
        mode="lines",
        line={"color": shades.muted, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    chosen = colours([*(paths or {}), *(points or {})])
    for name, mixtures in (paths or {}).items():
        _add_path(figure, name, np.asarray(mixtures), labels, chosen[name], mode)
    for name, mixture in (points or {}).items():
        at = to_plane(np.asarray(mixture)[None])[0]
        figure.add_scatter(
            x=[at[0]],
            y=[at[1]],
            mode="markers",
            name=name,
            marker={"symbol": "star", "size": 16, "color": hue(chosen[name], mode)},
            hovertemplate=_mixture_text(labels, np.asarray(mixture)) + f"<extra>{name}</extra>",
        )
    for label, (x, y), place in zip(labels, CORNERS, ("top center", "top center", "bottom center"), strict=True):
        shift = -22 if place == "top center" else 16
        figure.add_annotation(x=x, y=y, text=f"<b>{label}</b>", showarrow=False, yshift=shift)
    hidden = {"visible": False, "range": [-0.08, 1.08]}
    figure.update_layout(
        layout(
            mode,
            height=580,
            xaxis=hidden,
            yaxis={"visible": False, "range": [-0.1, 0.98], "scaleanchor": "x", "scaleratio": 1},
            legend={"orientation": "h", "y": -0.02, "yanchor": "top"},
        )
    )
    return figure


def _add_field(figure: go.Figure, payoffs: FloatArray, mode: Mode) -> None:
    mixtures, velocity = field(payoffs)
    at, move = to_plane(mixtures), velocity @ CORNERS
    speed = np.hypot(move[:, 0], move[:, 1])
    fastest = float(speed.max()) or 1.0
    # lengths grow with the root of the speed, so that slow regions stay visible
    unit = move / np.maximum(speed, 1e-300)[:, None] * (0.07 * np.sqrt(speed / fastest))[:, None]
    ends = at + unit
    gap = np.full(len(at), np.nan)
    figure.add_scatter(
        x=np.stack([at[:, 0], ends[:, 0], gap], axis=-1).ravel(),
        y=np.stack([at[:, 1], ends[:, 1], gap], axis=-1).ravel(),
        mode="lines",
        line={"color": SHADES[mode].muted, "width": 1},
        hoverinfo="skip",
        name="replicator field",
        showlegend=False,
    )
    figure.add_scatter(
        x=ends[:, 0],
        y=ends[:, 1],
        mode="markers",
        marker={
            "symbol": "arrow",
            "size": 9,
            "angle": 90 - np.degrees(np.arctan2(unit[:, 1], unit[:, 0])),
            "color": speed,
            "colorscale": "Viridis",
            "cmin": 0,
            "showscale": False,
        },
        customdata=speed,
        hovertemplate="speed %{customdata:.3~g}<extra>replicator field</extra>",
        showlegend=False,
    )


def _add_path(
    figure: go.Figure, name: str, mixtures: FloatArray, labels: Sequence[str], colour: Colour, mode: Mode
) -> None:
    at = to_plane(mixtures)
    texts = [_mixture_text(labels, m) for m in mixtures]
    figure.add_scatter(
        x=at[:, 0],
        y=at[:, 1],
        mode="lines",
        name=name,
        legendgroup=name,
        line=line(colour, mode),
        text=texts,
        hovertemplate="%{text}<extra>" + name + "</extra>",
    )
    figure.add_scatter(
        x=[at[0, 0], at[-1, 0]],
        y=[at[0, 1], at[-1, 1]],
        mode="markers",
        legendgroup=name,
        showlegend=False,
        marker={"size": [11, 12], "symbol": ["circle-open", "circle"], "color": hue(colour, mode)},
        text=[f"start<br>{texts[0]}", f"end<br>{texts[-1]}"],
        hovertemplate="%{text}<extra>" + name + "</extra>",
    )


def _mixture_text(labels: Sequence[str], mixture: FloatArray) -> str:
    return "<br>".join(f"{label} {p:.3f}" for label, p in zip(labels, mixture, strict=True))
