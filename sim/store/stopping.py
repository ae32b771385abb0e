"""Asking a live run to save and stop, whoever started it.

The process is the one that holds the folder's lock.  Linux says which one that is; elsewhere it is the one
that ``status.json`` names, if it ran on this machine: whoever holds the lock wrote that file first.  It gets
SIGTERM once, as from a terminal; nothing is sent to a process that holds no lock.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from pathlib import Path

from equilibria.sim.errors import InvalidValue
from equilibria.sim.store.directory import read_status
from equilibria.sim.store.lock import holder, is_locked


def writer_of(folder: Path) -> int | None:
    """Return the process that writes a run or sweep, ``None`` if nobody does or it cannot be told from here."""
    if not is_locked(folder):
        return None
    if sys.platform == "linux":
        return holder(folder)
    status = read_status(folder)
    pid = status.get("pid")
    if status.get("status") != "running" or status.get("host") != platform.node() or not isinstance(pid, int):
        return None
    return pid if pid > 1 and _alive(pid) else None


def request_stop(folder: Path) -> int:
    """Send SIGTERM to the process that writes ``folder``: it saves and stops; a second one would end it at once.

    Returns:
        The process.

    Raises:
        InvalidValue: If nobody writes there, or the process is not one of this machine and user, or is this one.
    """
    if not is_locked(folder):
        raise InvalidValue(f"{folder}: nobody is writing here; there is nothing to stop")
    pid = writer_of(folder)
    if pid is None or sys.platform == "win32":
        raise InvalidValue(f"{folder}: is written from elsewhere; stop it where it was started, with Ctrl-C")
    if pid == os.getpid():
        raise InvalidValue(f"{folder}: is written by this very process; it can only be stopped from inside")
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError as error:
        raise InvalidValue(f"{folder}: process {pid} cannot be asked to stop: {error.strerror}") from error
    return pid


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
