"""SIGINT and SIGTERM during a run: the first one asks it to save and stop, the second one ends it at once.

``StopSignals`` does this for Python code.  Python runs handlers between two bytecodes, so a second
signal would wait for a compiled kernel of minutes; ``HardStop`` (command line only) has a thread
that sees signals as they arrive and ends the process, which is as safe as ``kill -9``.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self


class StopSignals:
    """Context in which the two signals set ``received`` instead of ending the process.

    A signal that the process ignores stays ignored.  Outside the main thread (a library call from a
    worker thread) Python cannot install handlers; then nothing changes and ``received`` stays 0.

    Args:
        escalate: Whether a second signal raises ``KeyboardInterrupt``; workers of a pool may get
            several from their parent and must finish saving.

    Attributes:
        received: Number of the first signal, 0 before.
    """

    def __init__(self, *, escalate: bool = True) -> None:
        self.received = 0
        self._escalate = escalate
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received and self._escalate:
            raise KeyboardInterrupt
        self.received = self.received or number


class HardStop:
    """Context in which a second SIGINT or SIGTERM ends the process whatever it is doing."""

    def __enter__(self) -> Self:
        self._end, self._before = -1, -1
        if os.name != "nt" and threading.current_thread() is threading.main_thread():
            reader, self._end = os.pipe()
            os.set_blocking(self._end, False)
            self._before = signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)
            self._thread = threading.Thread(target=_count, args=(reader,), name="equilibria-signals", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._end >= 0:
            signal.set_wakeup_fd(self._before)
            os.close(self._end)
            self._thread.join()


def _count(reader: int) -> None:
    """Read the numbers of arriving signals; end the process at the second one that asks it to stop."""
    seen = 0
    while number := os.read(reader, 1):
        seen += number[0] in (signal.SIGINT, signal.SIGTERM)
        if seen == 2:
            os._exit(128 + number[0])
    os.close(reader)
