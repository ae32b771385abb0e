"""One look for every figure: background, axes, series colours, in light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from equilibria.sim.analysis.colours import DARK_BACKGROUND, LIGHT_BACKGROUND, Colour, assign

Mode = Literal["light", "dark"]
FONT: Final = "'Source Sans', 'Source Sans Pro', system-ui, sans-serif"

# Plotly's names for the dash patterns of ``sim.analysis.colours``; SVG numbers work as well.
_DASH: Final = {"": "solid"}


@dataclass(frozen=True, slots=True)
class Shades:
    """Colours of a mode that are not series colours.

    Attributes:
        background: Page and plot.
        text: Text.
        muted: Secondary text and axis lines; contrast of at least 4.5:1.
        grid: Grid lines.
        panel: Boxes.
        accent: Buttons and links.
    """

    background: str
    text: str
    muted: str
    grid: str
    panel: str
    accent: str


SHADES: Final[dict[Mode, Shades]] = {
    "light": Shades(LIGHT_BACKGROUND, "#1b2027", "#55606c", "#e3e7eb", "#f4f6f8", "#0072b2"),
    "dark": Shades(DARK_BACKGROUND, "#e8ecf0", "#a4afba", "#2b333c", "#1d232a", "#4fb3ea"),
}

# Sequential and diverging scales of equal lightness steps (Viridis; blue-white-vermilion).
SEQUENTIAL: Final = "Viridis"
DIVERGING: Final[dict[Mode, list[tuple[float, str]]]] = {
    "light": [(0.0, "#0072b2"), (0.5, "#f7f7f7"), (1.0, "#c84e00")],
    "dark": [(0.0, "#4fb3ea"), (0.5, "#20262d"), (1.0, "#ff8a3d")],
}


def hue(colour: Colour, mode: Mode) -> str:
    """Return the hexadecimal colour of a series."""
    return colour.light if mode == "light" else colour.dark


def transparent(hexadecimal: str, alpha: float) -> str:
    """Return a colour with an opacity, for bands."""
    red, green, blue = (int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def line(colour: Colour, mode: Mode, width: float = 2.0) -> dict[str, Any]:
    """Return Plotly's description of a series line: colour and dash."""
    return {"color": hue(colour, mode), "width": width, "dash": _DASH.get(colour.dash, _pixels(colour.dash))}


def colours(names: Iterable[str]) -> dict[str, Colour]:
    """Give every series its colour; the same name has the same colour on every page."""
    return assign(names)


def layout(mode: Mode, *, height: int = 420, **more: Any) -> dict[str, Any]:
    """Return the layout that every figure starts from.

    Args:
        mode: Light or dark.
        height: Pixels.
        more: Further entries of Plotly's layout; they win.
    """
    shades = SHADES[mode]
    axis = {
        "gridcolor": shades.grid,
        "linecolor": shades.muted,
        "zerolinecolor": shades.grid,
        "tickcolor": shades.muted,
        "ticks": "outside",
        "automargin": True,
        "title": {"standoff": 8},
    }
    base: dict[str, Any] = {
        "height": height,
        "paper_bgcolor": shades.background,
        "plot_bgcolor": shades.background,
        "font": {"family": FONT, "size": 14, "color": shades.text},
        "margin": {"l": 8, "r": 12, "t": 40, "b": 8},
        "xaxis": axis,
        "yaxis": axis,
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0.0},
        "hoverlabel": {"font": {"family": FONT}},
        "hovermode": "closest",
        "dragmode": "pan",
    }
    for key in ("xaxis", "yaxis"):
        if key in more:
            more[key] = {**axis, **more[key]}
    return {**base, **more}


def _pixels(dash: str) -> str:
    return ",".join(f"{part}px" for part in dash.split())
