"""Order markets: the book's depth, price changes against the normal law, memory of changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import SHADES, Mode, colours, hue, layout, line, transparent
from equilibria.sim.types import FloatArray, IntArray

LAGS = 20
BINS = 41


def depth(
    buy: tuple[FloatArray, FloatArray], sell: tuple[FloatArray, FloatArray], *, mode: Mode = "light"
) -> go.Figure:
    """Draw cumulative resting quantities on both sides of the book.

    Args:
        buy: (ticks [K], quantities [K]) to buy; cents and shares.
        sell: The same to sell.
        mode: Light or dark.
    """
    chosen = colours(("buy", "sell"))
    figure = go.Figure()
    for name, (tick, quantity), best in (("buy", buy, -1), ("sell", sell, 1)):
        order = np.argsort(best * tick)
        colour = chosen[name]
        figure.add_scatter(
            x=tick[order],
            y=np.cumsum(quantity[order]),
            mode="lines",
            name=f"{name} orders",
            line={**line(colour, mode), "shape": "hv"},
            fill="tozeroy",
            fillcolor=transparent(hue(colour, mode), 0.15),
            hovertemplate=f"%{{y:,}} shares to {name} at %{{x:,}} or better<extra></extra>",
        )
    figure.update_layout(
        layout(
            mode,
            height=380,
            xaxis={"title": "price [cents]", "tickformat": ","},
            yaxis={"title": "resting quantity [shares]", "rangemode": "tozero", "tickformat": ","},
        )
    )
    return figure


def change_density(changes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return standardised changes as a histogram with the normal density.

    Args:
        changes: [T] price changes; not all equal.

    Returns:
        Centres [BINS] of equal bins in units of the standard deviation, density of the changes, normal density.  The
        bins reach to the largest change.
    """
    z = (changes - changes.mean()) / changes.std()
    reach = float(np.abs(z).max()) * (1.0 + 1e-9)
    density, edges = np.histogram(z, bins=BINS, range=(-reach, reach), density=True)
    middle = (edges[1:] + edges[:-1]) / 2.0
    return middle, density, np.exp(-(middle**2) / 2.0) / np.sqrt(2.0 * np.pi)


def changes(density: tuple[FloatArray, FloatArray, FloatArray], *, count: int, mode: Mode = "light") -> go.Figure:
    """Draw the density of standardised price changes on a log axis beside the normal density.

    Args:
        density: What ``change_density`` returns.
        count: Number of changes; a bin with one of them is the least density that can be seen.
        mode: Light or dark.
    """
    middle, seen, normal = density
    least = 1.0 / (count * (middle[1] - middle[0]))
    fine = np.linspace(middle[0], middle[-1], 201)
    bell = np.exp(-(fine**2) / 2.0) / np.sqrt(2.0 * np.pi)
    figure = go.Figure()
    figure.add_scatter(
        x=fine,
        y=np.where(bell > least / 3.0, bell, np.nan),
        mode="lines",
        name="normal",
        line={"color": SHADES[mode].muted, "width": 2, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=middle,
        y=np.where(seen > 0, seen, np.nan),
        mode="markers",
        name="recorded changes",
        marker={"size": 8, "color": hue(colours(("changes",))["changes"], mode)},
        customdata=normal,
        hovertemplate="%{x:.2f} deviations: density %{y:.3~g}, normal %{customdata:.3~g}<extra></extra>",
    )
    figure.update_layout(
        layout(
            mode,
            height=380,
            xaxis={"title": "change of the mid price [standard deviations]"},
            yaxis={"title": "density", "type": "log", "exponentformat": "power", "dtick": 1},
        )
    )
    return figure


def autocorrelation(values: FloatArray, lags: int = LAGS) -> FloatArray:
    """Return the autocorrelations [lags] of a series [T] at lags 1, 2, ...; NaN where fewer than two pairs are left."""
    z = values - values.mean()
    square = float((z**2).mean())
    found = np.full(lags, np.nan)
    if square > 0.0:
        for k in range(1, min(lags, len(z) - 2) + 1):
            found[k - 1] = float((z[k:] * z[:-k]).mean()) / square
    return found


def memory(series: Mapping[str, FloatArray], *, band: float, step: str, mode: Mode = "light") -> go.Figure:
    """Draw autocorrelations by lag with the band of independent changes.

    Args:
        series: Autocorrelations [L] at lags 1..L by name.
        band: Half width of the 95 % band of independent changes.
        step: What a lag is, for example ``10 periods``.
        mode: Light or dark.
    """
    chosen = colours(series)
    lags: IntArray = np.arange(1, max((len(v) for v in series.values()), default=0) + 1)
    figure = go.Figure()
    figure.add_hrect(y0=-band, y1=band, fillcolor=transparent(SHADES[mode].muted, 0.15), line_width=0)
    for k, (name, values) in enumerate(series.items()):
        figure.add_scatter(
            x=lags,
            y=values,
            mode="lines+markers",
            name=name,
            line=line(chosen[name], mode),
            marker={"size": 7, "symbol": k},
            hovertemplate="%{y:.3f} at lag %{x}<extra>" + name + "</extra>",
        )
    figure.update_layout(
        layout(
            mode,
            height=380,
            xaxis={"title": f"lag [{step}]", "dtick": 5},
            yaxis={"title": "autocorrelation"},
        )
    )
    return figure
