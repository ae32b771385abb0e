"""Curves over units of progress: mean line, least-to-greatest band."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import Mode, colours, hue, layout, line, transparent
from equilibria.sim.analysis.colours import Colour
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.types import FloatArray


def curves(
    series: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    log_x: bool = False,
    mode: Mode = "light",
    palette: Mapping[str, Colour] | None = None,
    goal: float | None = None,
    goal_label: str = "",
) -> go.Figure:
    """Draw curves with bands.

    Args:
        series: Curves; a band is drawn where a bucket's least and greatest value differ.
        x_label: Unit of progress.
        y_label: Quantity and its unit.
        log: Logarithmic vertical axis; values that are not positive are left out there.
        log_x: Logarithmic horizontal axis; unit 0 is left out there.
        mode: Light or dark.
        palette: Colour by name; chosen by the names of the curves when absent.
        goal: Value at which a reference line is drawn, for example 0 at equilibrium.
        goal_label: Its name.
    """
    chosen = palette or colours(c.name for c in series)
    figure = go.Figure()
    for curve in series:
        colour = chosen[curve.name]
        keep = curve.unit > 0 if log_x else np.ones(len(curve), bool)
        unit = curve.unit[keep]
        mean, low, high = (_shown(v[keep], log) for v in (curve.mean, curve.low, curve.high))
        if not np.array_equal(curve.low, curve.high):
            edge = {"width": 0, "color": hue(colour, mode)}
            common = {"x": unit, "mode": "lines", "line": edge, "legendgroup": curve.name, "hoverinfo": "skip"}
            figure.add_scatter(y=low, showlegend=False, name=f"{curve.name} least", **common)
            figure.add_scatter(
                y=high,
                showlegend=False,
                fill="tonexty",
                fillcolor=transparent(hue(colour, mode), 0.18),
                name=f"{curve.name} greatest",
                **common,
            )
        figure.add_scatter(
            x=unit,
            y=mean,
            mode="lines+markers" if len(unit) <= 12 else "lines",
            name=curve.name,
            legendgroup=curve.name,
            line=line(colour, mode),
            hovertemplate="%{y:.4~g} at " + x_label + " %{x:,}<extra>" + curve.name + "</extra>",
        )
    if goal is not None and not (log and goal <= 0):
        figure.add_hline(y=goal, line={"dash": "dot", "width": 1.5, "color": hue(chosen[series[0].name], mode)})
        figure.add_annotation(x=1, xref="paper", y=goal, text=goal_label, showarrow=False, yshift=9, xanchor="right")
    figure.update_layout(
        layout(
            mode,
            xaxis={"title": x_label, "type": "log" if log_x else "linear"},
            yaxis={
                "title": y_label,
                "type": "log" if log else "linear",
                "exponentformat": "power",
                **(log_ticks([v for c in series for v in (c.low, c.high)]) if log else {}),
            },
            showlegend=len(series) > 1,
            height=420 + 22 * max(0, len(series) - 4),
            hovermode="x unified" if len(series) <= 8 else "closest",
        )
    )
    return figure


def series(
    x: FloatArray, values: Mapping[str, FloatArray], *, x_label: str, y_label: str, mode: Mode = "light"
) -> go.Figure:
    """Draw plain lines [T] by name over ``x`` [T]."""
    chosen = colours(values)
    figure = go.Figure()
    for name, y in values.items():
        figure.add_scatter(x=x, y=y, mode="lines", name=name, line=line(chosen[name], mode))
    figure.update_layout(layout(mode, xaxis={"title": x_label}, yaxis={"title": y_label}, hovermode="x unified"))
    return figure


def log_ticks(values: Iterable[FloatArray]) -> dict[str, Any]:
    """Return the ticks of a log axis: decades when more than one is seen, 1-2-5 on about one, few numbers on less."""
    seen = [v[np.isfinite(v) & (v > 0)] for v in values]
    seen = [v for v in seen if v.size]
    if not seen:
        return {}
    span = np.log10(max(v.max() for v in seen) / min(v.min() for v in seen))
    if span > 1.5:
        return {"dtick": max(1, round(span / 8))}
    return {"dtick": "D2"} if span > 0.9 else {"nticks": 6}


def _shown(values: FloatArray, log: bool) -> FloatArray:
    """Return what a log axis can show; float32 is finer than any screen and halves what is sent."""
    kept = np.where(values > 0, values, np.nan) if log else values
    return kept.astype(np.float32) if _fits(kept) else kept


def _fits(values: FloatArray) -> bool:
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    return bool(not size.size or (size.max() < 1e37 and size.min() > 1e-37))
