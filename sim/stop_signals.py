"""SIGINT and SIGTERM during a run: the first one asks it to save and stop, the second one ends it at once."""

from __future__ import annotations

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
