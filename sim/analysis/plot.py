"""Line plots in a terminal: braille dots, plain characters where the encoding has no braille.

One cell of braille holds 2 x 4 dots, so a plot of 60 columns shows 120 distinct abscissae.  Several
series are told apart by colour, and without colour by one mark per series.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from equilibria.sim.analysis.colours import assign
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.analysis.ticks import linear_ticks, log_ticks, short
from equilibria.sim.types import BoolArray, FloatArray

MARKS = "●○■□▲△◆◇"
ASCII_MARKS = "*o+x#@%&"
_BRAILLE = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
MIN_WIDTH, MAX_WIDTH = 30, 110


def can_encode(text: str, encoding: str | None) -> bool:
    """Return whether ``text`` can be written in ``encoding``."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def terminal_plot(
    curves: Sequence[Curve],
    *,
    width: int = 80,
    height: int = 12,
    log: bool = False,
    x_label: str = "",
    y_label: str = "",
    encoding: str | None = "utf-8",
    colour: bool = False,
) -> list[str]:
    """Draw curves as lines of text.

    Args:
        curves: Series to draw; empty ones are left out.
        width: Columns of the whole plot, 30..110 (clipped).
        height: Rows of the plotting area, at least 2.
        log: Logarithmic ordinate; values at or below 0 are left out and counted in a note.
        x_label: Name of the unit.
        y_label: Name and unit of the quantity.
        encoding: Encoding of the output; braille is used only if it can be written.
        colour: Whether ANSI colour codes may be used.

    Returns:
        Lines without newline characters, each at most ``width`` columns wide.
    """
    usable = [c for c in curves if len(c)]
    hidden = sum(int(np.sum(c.mean <= 0)) for c in usable) if log else 0
    if log and all(np.all(c.mean <= 0) for c in usable):
        log, hidden = False, 0
    if not usable:
        return ["(no values to plot)"]
    width = max(MIN_WIDTH, min(MAX_WIDTH, width))
    fancy = can_encode("⠿●│└─┤━", encoding)
    scale = _Scale.over(usable, log=log)
    labels = {_row(t, scale, height): short(t) for t in scale.ticks(height)}
    margin = max(len(text) for text in labels.values()) + 2
    columns = width - margin - 1
    canvas = _Canvas(columns, height, braille=fancy and (colour or len(usable) == 1), fancy=fancy, colour=colour)
    colours = assign(c.name for c in usable)
    for index, curve in enumerate(usable):
        x, y = scale.positions(curve)
        canvas.draw(index, x, y, colours[curve.name].ansi)
    bar, tick = ("│", "┤") if fancy else ("|", "+")
    lines = [y_label[:width]] if y_label else []
    for row, body in enumerate(canvas.rows()):
        label = labels.get(row, "")
        lines.append(f"{label:>{margin - 1}} {tick if label else bar}{body}".rstrip())
    corner = "└" + "─" * columns if fancy else "+" + "-" * columns
    lines.append(" " * margin + corner)
    lines.append(_abscissa(scale, margin, columns, x_label))
    if len(usable) > 1:
        lines.extend(_legend(usable, canvas, [colours[c.name].ansi for c in usable], width))
    if hidden:
        lines.append(f"({hidden} values at or below 0 cannot be shown on the log axis)"[:width])
    return lines


class _Scale:
    """Maps units and values to the unit square."""

    def __init__(self, x0: float, x1: float, y0: float, y1: float, *, log: bool) -> None:
        self.x0, self.x1, self.y0, self.y1, self.log = x0, x1, y0, y1, log

    @classmethod
    def over(cls, curves: Sequence[Curve], *, log: bool) -> _Scale:
        x = np.concatenate([c.unit for c in curves])
        y = np.concatenate([c.mean for c in curves])
        if log:
            y = np.log10(y[y > 0])
        low, high = float(y.min()), float(y.max())
        if high - low < 1e-12 * max(1.0, abs(high)):
            pad = 0.5 if log else max(abs(high) * 0.05, 0.5)
            low, high = low - pad, high + pad
        return cls(float(x.min()), max(float(x.max()), float(x.min()) + 1), low, high, log=log)

    def positions(self, curve: Curve) -> tuple[FloatArray, FloatArray]:
        keep: BoolArray = curve.mean > 0 if self.log else np.ones(len(curve), np.bool_)
        y: FloatArray = np.log10(curve.mean[keep]) if self.log else curve.mean[keep]
        x = (curve.unit[keep].astype(np.float64) - self.x0) / (self.x1 - self.x0)
        return x, (y - self.y0) / (self.y1 - self.y0)

    def height_of(self, value: float) -> float:
        y = math.log10(value) if self.log else value
        return (y - self.y0) / (self.y1 - self.y0)

    def ticks(self, height: int) -> list[float]:
        count = max(2, min(6, height // 2))
        return log_ticks(self.y0, self.y1, count) if self.log else linear_ticks(self.y0, self.y1, count)


class _Canvas:
    """Cells of the plotting area."""

    def __init__(self, columns: int, height: int, *, braille: bool, fancy: bool, colour: bool) -> None:
        self.columns, self.height, self.braille, self.colour = columns, height, braille, colour
        self.marks = MARKS if fancy else ASCII_MARKS
        self.cells = np.zeros((height, columns), np.int64)
        self.tint = np.zeros((height, columns), np.int64)

    def draw(self, index: int, x: FloatArray, y: FloatArray, ansi: int) -> None:
        fine_x, fine_y = (2, 4) if self.braille else (1, 1)
        width, height = self.columns * fine_x, self.height * fine_y
        px = np.clip(np.rint(x * (width - 1)), 0, width - 1)
        py = np.clip(np.rint((1 - y) * (height - 1)), 0, height - 1)
        for column, row in _joined(px, py):
            cell = (row // fine_y, column // fine_x)
            if self.braille:
                self.cells[cell] |= int(_DOTS[row % 4, column % 2])
            else:
                self.cells[cell] = index + 1
            self.tint[cell] = ansi

    def mark(self, index: int) -> str:
        return self.marks[index % len(self.marks)] if not self.braille else "━━"

    def rows(self) -> list[str]:
        return [self._row(row).rstrip() for row in range(self.height)]

    def _row(self, row: int) -> str:
        text = [self._cell(int(value)) for value in self.cells[row]]
        if not self.colour:
            return "".join(text)
        pieces = []
        for tint, columns in itertools.groupby(range(self.columns), key=lambda c: int(self.tint[row, c])):
            body = "".join(text[c] for c in columns)
            pieces.append(f"\x1b[{tint}m{body}\x1b[0m" if tint else body)
        return "".join(pieces)

    def _cell(self, value: int) -> str:
        if not value:
            return " "
        return chr(_BRAILLE + value) if self.braille else self.marks[(value - 1) % len(self.marks)]


def _joined(px: FloatArray, py: FloatArray) -> list[tuple[int, int]]:
    """Return the dots of the polyline, without gaps."""
    dots = [(int(px[0]), int(py[0]))] if len(px) else []
    for i in range(1, len(px)):
        steps = int(max(abs(px[i] - px[i - 1]), abs(py[i] - py[i - 1]), 1))
        dots += [
            (round(px[i - 1] + (px[i] - px[i - 1]) * k / steps), round(py[i - 1] + (py[i] - py[i - 1]) * k / steps))
            for k in range(1, steps + 1)
        ]
    return dots


def _row(value: float, scale: _Scale, height: int) -> int:
    return min(height - 1, max(0, round((1 - scale.height_of(value)) * (height - 1))))


def _abscissa(scale: _Scale, margin: int, columns: int, label: str) -> str:
    left, right = f"{int(scale.x0):,}", f"{int(scale.x1):,}"
    middle = label[: max(0, columns - len(left) - len(right) - 2)]
    space = max(1, columns + 1 - len(left) - len(right) - len(middle))
    return f"{' ' * margin}{left}{' ' * (space // 2)}{middle}{' ' * (space - space // 2)}{right}"


def _legend(curves: Sequence[Curve], canvas: _Canvas, ansi: Sequence[int], width: int) -> list[str]:
    lines = []
    for index, curve in enumerate(curves):
        mark = canvas.mark(index)
        name = curve.name[: max(1, width - 6)]
        lines.append(f"  \x1b[{ansi[index]}m{mark}\x1b[0m {name}" if canvas.colour else f"  {mark} {name}")
    return lines
