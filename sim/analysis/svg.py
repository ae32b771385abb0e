"""Line charts as inline SVG: axes with units, envelopes, light and dark, no script, no external request.

Colours come from CSS classes named after the palette (``colours.PALETTE``), so one style sheet
(``STYLE``) switches all charts of a page between light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from equilibria.sim.analysis.colours import DARK_BACKGROUND, LIGHT_BACKGROUND, PALETTE, Colour, assign
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.analysis.ticks import linear_ticks, log_ticks, short
from equilibria.sim.types import FloatArray

WIDTH, HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 18, 34, 58
_LEGEND_ROW = 22


def _palette(kind: str) -> str:
    return "".join(f"--{c.name}:{c.light if kind == 'light' else c.dark};" for c in PALETTE)


STYLE = (
    f":root{{color-scheme:light dark;--ground:{LIGHT_BACKGROUND};--ink:#1a2027;--soft:#5b6570;--line:#dfe4ea;"
    f"--panel:#f6f8fa;--accent:#0072b2;{_palette('light')}}}"
    f"@media(prefers-color-scheme:dark){{:root{{--ground:{DARK_BACKGROUND};--ink:#e8edf2;--soft:#a3adb8;"
    f"--line:#2d353e;--panel:#1c2229;--accent:#4fb3ea;{_palette('dark')}}}}}"
    "svg.chart{width:100%;height:auto;display:block}"
    "svg.chart text{fill:var(--soft);font:13px system-ui,sans-serif}"
    "svg.chart .title{fill:var(--ink);font-weight:600;font-size:15px}"
    "svg.chart .grid{stroke:var(--line);stroke-width:1}svg.chart .axis{stroke:var(--soft);stroke-width:1}"
    "svg.chart .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    "svg.chart .band{stroke:none;opacity:.18}svg.chart .goal{stroke:var(--soft);stroke-dasharray:2 4}"
    + "".join(
        f"svg.chart .curve.{c.name}{{stroke:var(--{c.name})}}svg.chart .band.{c.name}{{fill:var(--{c.name})}}"
        for c in PALETTE
    )
    + "@media(max-width:520px){svg.chart text{font-size:18px}svg.chart .title{font-size:20px}"
    "svg.chart .curve{stroke-width:2.6}svg.chart .sparse{display:none}}"
)
"""CSS for ``line_chart`` and for pages that hold charts (variables, light and dark)."""


def line_chart(
    curves: Sequence[Curve],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log: bool = False,
    goal: float | None = None,
) -> str:
    """Draw curves with their min-max envelopes.

    Args:
        curves: Series; empty ones are left out.  At most about 600 points each keep a page small.
        title: Title, also the accessible name.
        x_label: Name of the unit.
        y_label: Name and unit of the quantity.
        log: Logarithmic ordinate; values at or below 0 are left out, with a note.
        goal: Value of a dashed reference line, for example 0 at equilibrium (linear axes only).

    Returns:
        One ``<svg>`` element; all text is escaped.
    """
    usable = [c for c in curves if len(c)]
    if not usable:
        return f'<p class="soft">{escape(title)}: no values recorded.</p>'
    if log and not any(np.any(c.mean > 0) for c in usable):
        log = False
    legend_rows = len(usable) if len(usable) > 1 else 0
    height = HEIGHT + legend_rows * _LEGEND_ROW
    frame = _Frame(usable, log=log, goal=None if log else goal)
    colours = assign(c.name for c in usable)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">',
        f'<text class="title" x="{_LEFT}" y="20">{escape(title)}</text>',
        *_grid(frame),
        *(_band(frame, c, colours[c.name]) for c in usable),
        *(_line(frame, c, colours[c.name]) for c in usable),
        f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2:g}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_label)}</text>',
        (
            f'<text transform="translate(17 {(_TOP + HEIGHT - _BOTTOM) / 2:g}) rotate(-90)" '
            f'text-anchor="middle">{escape(_shortened(y_label, 38))}</text>'
        ),
        *(_legend_row(i, c, colours[c.name]) for i, c in enumerate(usable) if legend_rows),
        "</svg>",
    ]
    hidden = sum(int(np.sum(c.mean <= 0)) for c in usable) if log else 0
    note = f'<p class="soft">{hidden} values at or below 0 cannot be shown on the log axis.</p>' if hidden else ""
    return "".join(parts) + note


class _Frame:
    """Maps units and values to the drawing."""

    def __init__(self, curves: Sequence[Curve], *, log: bool, goal: float | None) -> None:
        self.log, self.goal = log, goal
        x = np.concatenate([c.unit for c in curves])
        y = np.concatenate([np.concatenate([c.low, c.high, c.mean]) for c in curves])
        y = y[np.isfinite(y)]
        if log:
            y = np.log10(y[y > 0])
        low, high = (float(y.min()), float(y.max())) if len(y) else (0.0, 1.0)
        if goal is not None:
            low, high = min(low, goal), max(high, goal)
        pad = (high - low) * 0.04 or (0.5 if log else max(abs(high) * 0.05, 0.5))
        self.y0, self.y1 = low - pad, high + pad
        self.x0, self.x1 = float(x.min()), max(float(x.max()), float(x.min()) + 1)

    def x(self, unit: FloatArray) -> FloatArray:
        return _LEFT + (unit - self.x0) / (self.x1 - self.x0) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: FloatArray) -> FloatArray:
        level = np.maximum(np.log10(np.maximum(value, np.finfo(float).tiny)), self.y0) if self.log else value
        return HEIGHT - _BOTTOM - (level - self.y0) / (self.y1 - self.y0) * (HEIGHT - _TOP - _BOTTOM)

    def ticks(self) -> list[float]:
        return log_ticks(self.y0, self.y1, 6) if self.log else linear_ticks(self.y0, self.y1, 6)


def _grid(frame: _Frame) -> list[str]:
    parts = []
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for value in frame.ticks():
        y = float(frame.y(np.array([value]))[0])
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4.5:.1f}" text-anchor="end">{escape(short(value))}</text>')
    ticks = [t for t in linear_ticks(frame.x0, frame.x1, 6) if float(t).is_integer()]
    for index, unit in enumerate(ticks):
        x = float(frame.x(np.array([unit]))[0])
        anchor = "end" if x > right - 20 else "middle"
        sparse = ' class="sparse"' if (len(ticks) - 1 - index) % 2 else ""
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        at = right if anchor == "end" else x
        text = escape(_whole(unit))
        parts.append(f'<text{sparse} x="{at:.1f}" y="{bottom + 22}" text-anchor="{anchor}">{text}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    if frame.goal is not None:
        y = float(frame.y(np.array([frame.goal]))[0])
        parts.append(f'<line class="goal" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return parts


def _line(frame: _Frame, curve: Curve, colour: Colour) -> str:
    keep = curve.mean > 0 if frame.log else np.isfinite(curve.mean)
    if not keep.any():
        return ""
    x, y = frame.x(curve.unit[keep].astype(np.float64)), frame.y(curve.mean[keep])
    dash = f' stroke-dasharray="{colour.dash}"' if colour.dash else ""
    tip = f"{curve.name}: {short(float(curve.mean[-1]))} at {int(curve.unit[-1]):,}"
    if len(x) == 1:
        x, y = np.array([x[0], x[0] + 0.1]), np.array([y[0], y[0]])
    return (
        f'<polyline class="curve {colour.name}"{dash} points="{_points(x, y)}"><title>{escape(tip)}</title></polyline>'
    )


def _band(frame: _Frame, curve: Curve, colour: Colour) -> str:
    keep = curve.high > 0 if frame.log else np.isfinite(curve.high)
    if not keep.any() or np.array_equal(curve.low, curve.high):
        return ""
    x = frame.x(curve.unit[keep].astype(np.float64))
    upper, lower = frame.y(curve.high[keep]), frame.y(curve.low[keep])
    around = _points(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]]))
    return f'<polygon class="band {colour.name}" points="{around}"/>'


def _legend_row(index: int, curve: Curve, colour: Colour) -> str:
    y = HEIGHT + index * _LEGEND_ROW + 4
    dash = f' stroke-dasharray="{colour.dash}"' if colour.dash else ""
    return (
        f'<line class="curve {colour.name}"{dash} x1="{_LEFT}" x2="{_LEFT + 36}" y1="{y}" y2="{y}"/>'
        f'<text x="{_LEFT + 46}" y="{y + 5}">{escape(_shortened(curve.name, 52))}</text>'
    )


def _points(x: FloatArray, y: FloatArray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _whole(value: float) -> str:
    return f"{int(value):,}" if abs(value) < 1e6 else short(value)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
