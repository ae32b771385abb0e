"""Axis ticks and short numbers, shared by the terminal plot, the pages and the tables."""

from __future__ import annotations

import math


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Return about ``count`` round numbers (1, 2 or 5 times a power of ten) within [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * 0.999), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)] or [low, high]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Return about ``count`` powers of ten within [10**low, 10**high]; 1, 2, 5 steps when few decades are seen."""
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    decades = list(range(first, last + 1))
    if len(decades) >= 2:
        stride = max(1, math.ceil(len(decades) / max(1, count)))
        return [10.0**d for d in decades[::stride]]
    fine = [m * 10.0**d for d in range(math.floor(low), math.floor(high) + 1) for m in (1.0, 2.0, 5.0)]
    inside = [v for v in fine if low - 1e-9 <= math.log10(v) <= high + 1e-9]
    return inside if len(inside) >= 2 else [10.0**low, 10.0**high]


def short(value: float) -> str:
    """Write a number in few characters with up to four significant digits: ``1e-05``, ``0.25``, ``12,500``."""
    if value == 0:
        return "0"
    size = abs(value)
    if not math.isfinite(value):
        return str(value)
    if size >= 1e7 or size < 1e-3:
        mantissa, exponent = f"{value:.3e}".split("e")
        digits = mantissa.rstrip("0").rstrip(".")
        return f"{digits}e{int(exponent):+03d}"
    if size >= 1000:
        return f"{value:,.0f}" if float(value).is_integer() or size >= 1e4 else f"{value:,.1f}"
    return f"{value:.4g}"
