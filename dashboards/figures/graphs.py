"""Directed graphs of profiles (alpha-rank) and undirected networks of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import SHADES, Mode, colours, hue, layout, transparent
from equilibria.sim.types import FloatArray, IntArray

MAX_NODES = 24


def response_graph(
    names: Sequence[str], mass: FloatArray, edges: Sequence[tuple[int, int]], *, mode: Mode = "light"
) -> go.Figure:
    """Draw profiles on a circle, sized by their alpha-rank mass, with arrows to better replies.

    Args:
        names: [n] names of profiles, n <= 24 is readable.
        mass: [n] mass of each profile in [0, 1].
        edges: Pairs (from, to): a deviation that gains.
        mode: Light or dark.
    """
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(names)) / max(1, len(names))
    x, y = np.cos(angle), np.sin(angle)
    shades = SHADES[mode]
    share = mass / max(float(mass.max()), 1e-300) if len(mass) else mass
    figure = go.Figure()
    for start, end in edges:
        figure.add_annotation(
            ax=x[start],
            ay=y[start],
            x=x[end],
            y=y[end],
            axref="x",
            ayref="y",
            xref="x",
            yref="y",
            text="",
            showarrow=True,
            arrowhead=2,
            arrowsize=1.1,
            arrowwidth=1,
            arrowcolor=transparent(shades.muted, 0.55),
            standoff=float(8 + 17 * np.sqrt(share[end])),
            startstandoff=float(7 + 17 * np.sqrt(share[start])),
        )
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers+text",
        text=list(names),
        textposition=[_side(a) for a in angle],
        marker={
            "size": 12 + 34 * np.sqrt(share),
            "color": mass,
            "colorscale": "Viridis",
            "cmin": 0,
            "cmax": max(float(mass.max()), 1e-9) if len(mass) else 1,
            "line": {"width": 1, "color": shades.text},
            "colorbar": {"title": {"text": "mass", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        },
        hovertemplate="%{text}: mass %{marker.color:.4~g}<extra></extra>",
        cliponaxis=False,
    )
    hidden = {"visible": False, "range": [-1.45, 1.45]}
    figure.update_layout(layout(mode, height=540, xaxis=hidden, yaxis={**hidden, "scaleanchor": "x"}, showlegend=False))
    return figure


def dag(names: Sequence[str], probability: FloatArray, *, mode: Mode = "light") -> go.Figure:
    """Draw who sees whose action: one node per agent, arrows from parents to children.

    Args:
        names: [n] names of agents.
        probability: [n, n] probability of the edge from row to column; wider and darker arrows are likelier.
        mode: Light or dark.
    """
    n = len(names)
    x, y = _layered(probability)
    shades = SHADES[mode]
    figure = go.Figure()
    for parent in range(n):
        for child in range(n):
            p = float(probability[parent, child])
            if parent == child or p < 0.02:
                continue
            figure.add_annotation(
                ax=x[parent],
                ay=y[parent],
                x=x[child],
                y=y[child],
                axref="x",
                ayref="y",
                xref="x",
                yref="y",
                text="",
                showarrow=True,
                arrowhead=2,
                arrowsize=1.0,
                arrowwidth=1.0 + 2.5 * p,
                arrowcolor=transparent(shades.accent, 0.15 + 0.85 * p),
                standoff=22,
                startstandoff=20,
            )
    seen = probability.sum(axis=0) - np.diag(probability)
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers+text",
        text=list(names),
        textposition="middle center",
        textfont={"color": shades.text, "size": 13},
        marker={"size": 38, "color": shades.panel, "line": {"width": 2, "color": shades.accent}},
        customdata=seen,
        hovertemplate="%{text}: sees %{customdata:.3~g} actions in expectation<extra></extra>",
        cliponaxis=False,
    )
    hidden = {"visible": False}
    figure.update_layout(
        layout(
            mode,
            height=420 if n > 2 else 200,
            xaxis={**hidden, "range": [x.min() - 0.4, x.max() + 0.4]},
            yaxis={**hidden, "range": [y.min() - 0.4, y.max() + 0.4], "scaleanchor": "x"},
            showlegend=False,
        )
    )
    return figure


def _layered(probability: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return places on a circle, the agents that see least first, so that arrows mostly run clockwise."""
    n = len(probability)
    order = np.argsort(probability.sum(axis=0) - probability.sum(axis=1), kind="stable")
    angle = np.empty(n)
    angle[order] = np.pi / 2 - 2 * np.pi * np.arange(n) / max(1, n)
    if n == 2:
        angle[order] = [np.pi, 0.0]
    return np.cos(angle), np.sin(angle)


def network(
    positions: FloatArray,
    links: IntArray,
    states: Sequence[str],
    *,
    sizes: FloatArray | None = None,
    mode: Mode = "light",
    palette: Mapping[str, int] | None = None,
    unknown: str = "",
) -> go.Figure:
    """Draw agents and their links, one colour per state.

    Args:
        positions: [n, 2] places.
        links: [m, 2] pairs of agent numbers.
        states: [n] state of each agent.
        sizes: [n] marker sizes in pixels.
        mode: Light or dark.
        palette: Order of states in the legend.
        unknown: State of agents of which nothing is known; drawn small and grey.
    """
    shades = SHADES[mode]
    order = sorted(set(states), key=lambda s: (palette or {}).get(s, 99))
    chosen = colours(palette or order)
    gap = np.full(len(links), np.nan)
    figure = go.Figure()
    figure.add_scatter(
        x=np.stack([positions[links[:, 0], 0], positions[links[:, 1], 0], gap], -1).ravel().astype(np.float32),
        y=np.stack([positions[links[:, 0], 1], positions[links[:, 1], 1], gap], -1).ravel().astype(np.float32),
        mode="lines",
        line={"width": 0.6, "color": transparent(shades.muted, 0.45)},
        hoverinfo="skip",
        showlegend=False,
    )
    label = np.asarray(states)
    for state in order:
        here = label == state
        figure.add_scatter(
            x=positions[here, 0].astype(np.float32),
            y=positions[here, 1].astype(np.float32),
            mode="markers",
            name=state,
            marker={
                "size": (6 if state == unknown else 10) if sizes is None else sizes[here],
                "color": shades.grid if state == unknown else hue(chosen[state], mode),
                "line": {"width": 0.8, "color": shades.muted if state == unknown else shades.background},
            },
            customdata=np.flatnonzero(here),
            hovertemplate="node %{customdata}<extra>" + state + "</extra>",
        )
    hidden = {"visible": False}
    figure.update_layout(layout(mode, height=560, xaxis=hidden, yaxis={**hidden, "scaleanchor": "x"}))
    return figure


def _side(angle: float) -> str:
    vertical = "top" if np.sin(angle) > 0.3 else "bottom" if np.sin(angle) < -0.3 else "middle"
    horizontal = "right" if np.cos(angle) > 0.3 else "left" if np.cos(angle) < -0.3 else "center"
    return f"{vertical} {horizontal}"
