"""Auctions: bids against theory, spend against plan, what a menu sells to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import SEQUENTIAL, SHADES, Mode, colours, hue, layout, line
from equilibria.sim.types import FloatArray

Series = Mapping[str, tuple[FloatArray, FloatArray]]


def against(
    series: Series,
    *,
    x_label: str,
    y_label: str,
    reference: tuple[FloatArray, FloatArray] | None = None,
    reference_name: str = "theory",
    percent: tuple[bool, bool] = (False, False),
    steps: bool = False,
    mode: Mode = "light",
) -> go.Figure:
    """Draw curves and the one they should follow.

    Args:
        series: (x [K], y [K]) by name; NaN leaves a gap.
        x_label: Quantity and unit.
        y_label: Quantity and unit.
        reference: (x, y) of theory or plan, drawn dotted beneath the others.
        reference_name: Its name.
        percent: Whether the horizontal and the vertical axis show shares.
        steps: Draw the curves as steps.
        mode: Light or dark.
    """
    chosen = colours(series)
    figure = go.Figure()
    if reference is not None:
        figure.add_scatter(
            x=reference[0],
            y=reference[1],
            mode="lines",
            name=reference_name,
            line={"color": SHADES[mode].text, "width": 4.5, "dash": "dot"},
            opacity=0.55,
            hovertemplate="%{y:.4~g} at %{x:.4~g}<extra>" + reference_name + "</extra>",
        )
    for name, (x, y) in series.items():
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            name=name,
            line={**line(chosen[name], mode), "shape": "hv" if steps else "linear"},
            hovertemplate="%{y:.4~g} at %{x:.4~g}<extra>" + name + "</extra>",
        )
    axes = [
        {"title": label, **({"tickformat": ".0%"} if p else {})}
        for label, p in zip((x_label, y_label), percent, strict=True)
    ]
    figure.update_layout(
        layout(
            mode,
            height=420 + 22 * max(0, len(series) - 5),
            xaxis=axes[0],
            yaxis={"exponentformat": "power", **axes[1]},
            showlegend=len(series) + (reference is not None) > 1,
        )
    )
    return figure


def menu_regions(
    shares: FloatArray, prices: FloatArray, *, item: int, cells: int = 80, top: float = 1.0, mode: Mode = "light"
) -> go.Figure:
    """Draw which share of an item a bidder with two values gets from the best option of a menu.

    Args:
        shares: [J, 2] share of each item that an option gives.
        prices: [J] its price.
        item: Item shown, 0 or 1.
        cells: Cells per side.
        top: Highest value.
        mode: Light or dark.
    """
    middle = (np.arange(cells) + 0.5) * top / cells
    first, second = np.meshgrid(middle, middle, indexing="xy")
    utility = first[..., None] * shares[:, 0] + second[..., None] * shares[:, 1] - prices
    best = utility.argmax(axis=-1)
    got = np.where(utility.max(axis=-1) > 0, shares[best, item], 0.0)
    paid = np.where(utility.max(axis=-1) > 0, prices[best], 0.0)
    figure = go.Figure(
        go.Heatmap(
            x=middle.astype(np.float32),
            y=middle.astype(np.float32),
            z=got.astype(np.float32),
            customdata=paid.astype(np.float32),
            colorscale=SEQUENTIAL,
            zmin=0.0,
            zmax=1.0,
            colorbar={"title": {"text": f"share of item {item + 1}", "side": "right"}, "thickness": 12},
            hovertemplate="values %{x:.2f}, %{y:.2f}: share %{z:.3f}, pays %{customdata:.3f}<extra></extra>",
        )
    )
    square = {"range": [0, top], "constrain": "domain", "showgrid": False}
    figure.update_layout(
        layout(
            mode,
            height=460,
            xaxis={"title": "value of item 1", **square},
            yaxis={"title": "value of item 2", "scaleanchor": "x", **square},
        )
    )
    return figure


def menu_options(shares: FloatArray, prices: FloatArray, *, names: Sequence[str], mode: Mode = "light") -> go.Figure:
    """Draw the options of a menu: share of every item over the price.

    Args:
        shares: [J, m] shares.
        prices: [J] prices.
        names: [m] names of the items.
        mode: Light or dark.
    """
    chosen = colours(names)
    order = np.argsort(prices)
    figure = go.Figure()
    for k, name in enumerate(names):
        figure.add_scatter(
            x=prices[order],
            y=shares[order, k],
            mode="markers",
            name=name,
            marker={"size": 9, "color": hue(chosen[name], mode), "symbol": k},
            hovertemplate="share %{y:.3f} for %{x:.4~g}<extra>" + name + "</extra>",
        )
    figure.update_layout(
        layout(
            mode,
            height=360,
            xaxis={"title": "price [money]"},
            yaxis={"title": "share of the item", "tickformat": ".0%", "range": [-0.03, 1.05]},
        )
    )
    return figure
