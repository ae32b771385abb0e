"""The lock of a run directory, held by the operating system: it ends with the process, however that ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final, Self

from equilibria.sim.errors import RunInUse
from equilibria.sim.store import layout
from equilibria.sim.store.files import storage_errors

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _acquire(descriptor: int, *, shared: bool) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _acquire(descriptor: int, *, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


# A reader that asks "is it running?" holds the lock for microseconds; a writer tries a little longer.
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.01


class RunLock:
    """Exclusive hold of a folder of ours; the file ``LOCK`` stays behind, empty and unlocked.

    Raises:
        RunInUse: If another process (or another object of this one) holds the folder.
        StorageFailed: If the lock file cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / layout.LOCK
        with storage_errors(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        for attempt in range(_TRIES):
            try:
                _acquire(descriptor, shared=False)
                break
            except OSError:
                if attempt + 1 < _TRIES:
                    time.sleep(_PAUSE_SECONDS)
        else:
            os.close(descriptor)
            raise RunInUse(f"{folder}: another process is writing here; wait for it or choose another --out")
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the folder back; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def holder(folder: Path) -> int | None:
    """Return the process that holds ``folder``; ``None`` when nobody does or this system does not say.

    Linux lists the locks of every open file of a process; only processes of the same user and machine are seen,
    so that a number from elsewhere is never taken for one of here.
    """
    try:
        wanted = os.stat(folder / layout.LOCK)
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return None
    for name in processes:
        try:
            descriptors = os.listdir(f"/proc/{name}/fd")
        except OSError:  # of another user, or gone
            continue
        if any(_locks(name, descriptor, wanted) for descriptor in descriptors):
            return int(name)
    return None


def _locks(process: str, descriptor: str, wanted: os.stat_result) -> bool:
    """Say whether an open file of a process is the wanted one and is locked exclusively through it."""
    try:
        found = os.stat(f"/proc/{process}/fd/{descriptor}")
        if (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino):
            return False
        lines = Path(f"/proc/{process}/fdinfo/{descriptor}").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("lock:") and "FLOCK" in line and "WRITE" in line for line in lines)


def is_locked(folder: Path) -> bool:
    """Say whether a live process holds ``folder``; creates and changes nothing."""
    try:
        descriptor = os.open(folder / layout.LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        _acquire(descriptor, shared=True)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
