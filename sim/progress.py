"""One progress line on standard error, and only on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_BAR_WIDTH = 24


class Progress:
    """Bar, rate, remaining time and a headline metric; silent unless ``stream`` is a terminal.

    Args:
        title: Name of the run.
        total: Units to do.
        unit: Name of the unit, for example ``"iteration"``.
        start: Units done before (a resumed run).
        stream: Where to draw, standard error by default.
    """

    def __init__(self, title: str, total: int, unit: str, *, start: int = 0, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self.enabled = self._stream is not None and self._stream.isatty()
        self._title, self._total, self._unit, self._first = title, total, unit, start
        self._since = time.perf_counter()
        self._width = 0

    def update(self, unit: int, headline: str = "") -> None:
        """Redraw the line."""
        if not self.enabled:
            return
        seconds = max(time.perf_counter() - self._since, 1e-9)
        line = progress_line(self._title, unit, self._total, self._unit, (unit - self._first) / seconds, headline)
        line = line[: max(10, shutil.get_terminal_size().columns - 1)]
        self._write("\r" + line.ljust(self._width))
        self._width = len(line)

    def close(self) -> None:
        """Clear the line."""
        if self.enabled and self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal went away: the run goes on
            self.enabled = False


def progress_line(title: str, unit: int, total: int, unit_name: str, rate: float, headline: str) -> str:
    """Return the text of the line; ``rate`` in units per second."""
    share = min(1.0, unit / total) if total else 1.0
    bar = ("#" * round(_BAR_WIDTH * share)).ljust(_BAR_WIDTH, ".")
    left = f"{duration((total - unit) / rate)} left" if rate > 0 else "--"
    parts = [title, f"[{bar}] {100 * share:3.0f} %", f"{unit}/{total} {unit_name}s", f"{rate:.4g}/s", left]
    return "  ".join([*parts, headline] if headline else parts)


def duration(seconds: float) -> str:
    """Return a duration as ``h:mm:ss`` or ``m:ss``."""
    whole = round(min(seconds, 359_999_999.0))
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{second:02d}" if hours else f"{minutes}:{second:02d}"
