"""What the command line knows about the stream it writes to."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from equilibria.sim.analysis.show import Terminal


def detect(stream: TextIO | None = None) -> Terminal:
    """Describe a stream (standard output by default): width, encoding, colour.

    Colour needs a terminal and is off with ``NO_COLOR`` (any non-empty value) or ``TERM=dumb``.
    """
    from equilibria.sim.analysis.show import Terminal

    out = sys.stdout if stream is None else stream
    tty = out.isatty()
    colour = tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((80, 24)).columns if tty else 80
    return Terminal(width=width, encoding=out.encoding or "ascii", colour=colour)
