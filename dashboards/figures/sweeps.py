"""Many settings at once: parallel coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from equilibria.dashboards.look import SHADES, Mode, layout
from equilibria.sim.analysis.ticks import short


def parallel(
    settings: Mapping[str, Sequence[Any]],
    values: Sequence[float],
    *,
    value_label: str,
    log: bool = False,
    mode: Mode = "light",
) -> go.Figure:
    """Draw one line per member through its settings to its result.

    Args:
        settings: Values [n] of each varying key.
        values: [n] results.
        value_label: Quantity and unit.
        log: Colour and last axis by the decimal logarithm (of the positive values).
        mode: Light or dark.
    """
    shades = SHADES[mode]
    result = np.asarray(values, np.float64)
    shown = np.log10(np.where(result > 0, result, np.nan)) if log else result
    low, high = (float(np.nanmin(shown)), float(np.nanmax(shown))) if np.isfinite(shown).any() else (0.0, 1.0)
    shown = np.nan_to_num(shown, nan=low)
    ends = np.linspace(low, high, 5)
    dimensions = [_dimension(key.rpartition(".")[2], column) for key, column in settings.items()]
    dimensions.append(
        {
            "label": value_label,
            "values": shown,
            "tickvals": ends,
            "ticktext": [short(float(10**v if log else v)) for v in ends],
        }
    )
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": shown, "colorscale": "Viridis", "cmin": low, "cmax": high if high > low else low + 1},
            labelfont={"color": shades.text, "size": 14},
            tickfont={"color": shades.text, "size": 12},
            rangefont={"color": shades.muted, "size": 11},
            unselected={"line": {"color": shades.grid, "opacity": 0.4}},
        )
    )
    figure.update_layout(layout(mode, height=420, margin={"l": 120, "r": 90, "t": 60, "b": 30}))
    return figure


def _dimension(label: str, column: Sequence[Any]) -> dict[str, Any]:
    numbers = [v for v in column if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) == len(column):
        return {"label": label, "values": np.asarray(numbers, np.float64)}
    names = list(dict.fromkeys(str(v) for v in column))
    return {
        "label": label,
        "values": [names.index(str(v)) for v in column],
        "tickvals": list(range(len(names))),
        "ticktext": names,
    }
