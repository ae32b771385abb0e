"""One colour map for players, solvers and members, shared by every chart of the product.

The eight hues are those of Okabe and Ito (2008), chosen to stay apart for the common kinds of colour
blindness; black and yellow are replaced by a grey and a dark gold so that every hue has a contrast of
at least 3:1 on the light and, in its dark variant, on the dark background.  Lines also differ in
their dash, so that colour is never the only mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LIGHT_BACKGROUND = "#ffffff"
DARK_BACKGROUND = "#14181d"


@dataclass(frozen=True, slots=True)
class Colour:
    """How one series is drawn.

    Attributes:
        name: Name of the hue.
        light: Hexadecimal colour on a light background.
        dark: Hexadecimal colour on a dark background.
        dash: SVG dash pattern, empty for a solid line.
        ansi: Number of the nearest of the 16 terminal colours.
    """

    name: str
    light: str
    dark: str
    dash: str
    ansi: int


PALETTE: tuple[Colour, ...] = (
    Colour("blue", "#0072b2", "#4fb3ea", "", 34),
    Colour("vermilion", "#c84e00", "#ff8a3d", "7 3", 31),
    Colour("green", "#008060", "#2ecc9f", "2 3", 32),
    Colour("purple", "#a8457f", "#e58bbd", "9 3 2 3", 35),
    Colour("gold", "#8a6d00", "#e6c12f", "12 4", 33),
    Colour("sky", "#2a7fa8", "#7fd0f5", "4 2", 36),
    Colour("grey", "#5b6570", "#aab4bf", "1 3", 37),
    Colour("brown", "#7a4a2b", "#d3a27f", "6 2 1 2 1 2", 91),
)

# Families that appear on many pages keep their colour everywhere; variants of one family differ.
_FIXED: Mapping[str, int] = {
    "0": 0,
    "1": 1,
    "2": 2,
    "3": 3,
    "vad_cfr": 0,
    "cfr": 6,
    "cfr_plus": 1,
    "dcfr": 2,
    "pcfr_plus": 3,
    "wop_cfr": 4,
    "mccfr": 7,
    "mmd": 5,
    "psro": 3,
    "rlb": 0,
    "lin": 1,
    "rlb_theta": 2,
    "pid_pacing": 3,
    "bid_bandit": 4,
    "adaptive_pacing": 5,
    "mcpc": 6,
    "ss_mdp": 7,
    "square_cb": 0,
    "greedy": 1,
    "epsilon_greedy": 2,
    "fast_cb": 3,
    "softmax": 4,
    "uniform": 6,
    "noise": 0,
    "value": 1,
    "momentum": 2,
    "maker": 3,
    "zero": 4,
    "outside": 5,
}


def colour(index: int) -> Colour:
    """Return the colour of series number ``index``; numbers beyond the palette start again."""
    return PALETTE[index % len(PALETTE)]


def assign(names: Iterable[str]) -> dict[str, Colour]:
    """Give each name a colour: fixed for well-known players and solvers, the next free one for others.

    Args:
        names: Series names in drawing order; repeated names are one series.

    Returns:
        Colour by name.  No colour is used twice before all have been used.
    """
    unique = list(dict.fromkeys(names))
    chosen: dict[str, int] = {}
    for name in unique:
        fixed = _FIXED.get(name)
        if fixed is not None and fixed not in chosen.values():
            chosen[name] = fixed
    counts = [0] * len(PALETTE)
    for index in chosen.values():
        counts[index] += 1
    for name in unique:
        if name not in chosen:
            index = counts.index(min(counts))
            counts[index] += 1
            chosen[name] = index
    return {name: PALETTE[chosen[name]] for name in unique}


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two ``#rrggbb`` colours, 1..21 (WCAG 2.2, definition of contrast ratio)."""
    bright, dim = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(hexadecimal: str) -> float:
    channels = (int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
