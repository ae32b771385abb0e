"""Regret on log-log axes: a power law is a straight line, its exponent the slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.figures import lines
from equilibria.dashboards.look import SHADES, Mode
from equilibria.sim.analysis.colours import Colour
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.types import FloatArray, IntArray

EXPONENTS = (0.5, 1.0)


def log_slope(unit: IntArray | FloatArray, value: FloatArray, *, decades: float = 1.0) -> float:
    """Return the slope of log value over log unit by least squares over the last decades of units.

    Args:
        unit: [K] increasing units.
        value: [K] values; those that are not positive are left out.
        decades: Width of the window, counted back from the last unit.

    Returns:
        The slope; NaN with fewer than three points in the window or all of them at one unit.
    """
    at = (unit > 0) & (value > 0) & np.isfinite(value)
    if not at.any():
        return float("nan")
    x, y = np.log10(unit[at].astype(np.float64)), np.log10(value[at])
    kept = x >= x[-1] - decades - 1e-9
    x, y = x[kept], y[kept]
    if x.size < 3 or not np.ptp(x) > 0:
        return float("nan")
    return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())


def regret(
    series: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    mode: Mode = "light",
    palette: Mapping[str, Colour] | None = None,
) -> go.Figure:
    """Draw cumulative regret on log-log axes beside lines of slope 1/2 and 1.

    Args:
        series: Curves of cumulative regret.
        x_label: Unit of progress.
        y_label: Regret and its unit.
        mode: Light or dark.
        palette: Colour by name; chosen by the names of the curves when absent.
    """
    figure = lines.curves(series, x_label=x_label, y_label=y_label, log=True, log_x=True, mode=mode, palette=palette)
    last = max((int(c.unit[-1]) for c in series if len(c)), default=0)
    tops = [c.mean[c.unit > 0].max(initial=0.0) for c in series]
    lows = [c.mean[(c.unit > 0) & (c.mean > 0)].min(initial=np.inf) for c in series]
    top, low = max(tops, default=0.0), min(lows, default=np.inf)
    if last > 1 and top > 0 and np.isfinite(low):
        for exponent in EXPONENTS:
            _reference(figure, exponent, last, float(top), float(low), mode)
    ticks = lines.log_ticks([c.unit[c.unit > 0].astype(np.float64) for c in series])
    figure.update_layout(xaxis={"exponentformat": "power", **ticks}, showlegend=True)
    return figure


def _reference(figure: go.Figure, exponent: float, last: int, top: float, low: float, mode: Mode) -> None:
    """Add a line of one slope through the upper right corner, as far down as regret is seen."""
    first = max(1.0, last * (low / top) ** (1.0 / exponent), last / 100.0)
    x = np.array([first, float(last)])
    name = f"slope {exponent:g}"
    figure.add_scatter(
        x=x,
        y=top * (x / last) ** exponent,
        mode="lines",
        name=name,
        line={"color": SHADES[mode].muted, "width": 1.2, "dash": "dot" if exponent == 1.0 else "dash"},
        hoverinfo="skip",
    )
