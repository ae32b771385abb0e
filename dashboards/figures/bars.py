"""Values with intervals, and plain bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import SHADES, Mode, colours, hue, layout


def intervals(
    names: Sequence[str],
    values: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    *,
    x_label: str,
    log: bool = False,
    zero: bool = False,
    goal: float | None = None,
    goal_label: str = "",
    mode: Mode = "light",
) -> go.Figure:
    """Draw one point with its interval per name, the first name on top.

    Args:
        names: [n] names.
        values: [n] points.
        lows: [n] lower ends.
        highs: [n] upper ends.
        x_label: Quantity and unit.
        log: Logarithmic axis (all values must be positive to be seen).
        zero: Draw the line of no difference.
        goal: Value at which a reference line is drawn, for example 1 for the whole of a bound.
        goal_label: Its name.
        mode: Light or dark.
    """
    chosen = colours(names)
    value, low, high = (np.asarray(v, np.float64) for v in (values, lows, highs))
    figure = go.Figure(
        go.Scatter(
            x=value,
            y=list(names),
            mode="markers",
            marker={"size": 10, "color": [hue(chosen[n], mode) for n in names]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": high - value,
                "arrayminus": value - low,
                "color": SHADES[mode].muted,
                "thickness": 2,
                "width": 6,
            },
            customdata=np.stack([low, high], axis=-1) if len(value) else None,
            hovertemplate="%{x:.4~g} [%{customdata[0]:.4~g}, %{customdata[1]:.4~g}]<extra>%{y}</extra>",
        )
    )
    if zero:
        figure.add_vline(x=0, line={"color": SHADES[mode].muted, "width": 1.5, "dash": "dot"})
    if goal is not None:
        figure.add_vline(
            x=goal,
            line={"color": SHADES[mode].muted, "width": 1.5, "dash": "dot"},
            annotation={"text": goal_label, "yanchor": "bottom", "y": 1.0, "xanchor": "right"},
        )
    figure.update_layout(
        layout(
            mode,
            height=max(180, 90 + 34 * len(names)),
            xaxis={"title": x_label, "type": "log" if log else "linear", "exponentformat": "power"},
            yaxis={"autorange": "reversed", "type": "category"},
            showlegend=False,
        )
    )
    return figure


def bars(
    names: Sequence[str], values: Sequence[float], *, y_label: str, x_label: str = "", mode: Mode = "light"
) -> go.Figure:
    """Draw one bar per name, each in its series colour."""
    chosen = colours(names)
    figure = go.Figure(
        go.Bar(
            x=list(names),
            y=list(values),
            marker={"color": [hue(chosen[n], mode) for n in names]},
            hovertemplate="%{y:.4~g}<extra>%{x}</extra>",
        )
    )
    figure.update_layout(
        layout(mode, xaxis={"title": x_label, "type": "category"}, yaxis={"title": y_label}, showlegend=False)
    )
    return figure


def groups(
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    y_label: str,
    x_label: str = "",
    mode: Mode = "light",
) -> go.Figure:
    """Draw bars side by side: one group per name, one colour per series."""
    chosen = colours(label for label, _ in series)
    figure = go.Figure()
    for label, values in series:
        figure.add_bar(
            x=list(names),
            y=list(values),
            name=label,
            marker={"color": hue(chosen[label], mode)},
            hovertemplate="%{y:.4~g}<extra>" + label + " %{x}</extra>",
        )
    figure.update_layout(
        layout(
            mode,
            xaxis={"title": x_label, "type": "category"},
            yaxis={"title": y_label},
            barmode="group",
            showlegend=len(series) > 1,
        )
    )
    return figure
