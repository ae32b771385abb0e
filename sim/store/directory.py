"""A run directory opened for writing: created or taken over under its lock.

The manifest is written last: a folder is a run once it has one.  A folder that holds anything that
is not ours is left exactly as it was found.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from equilibria.sim.errors import CorruptRun, NotARun, RunExists
from equilibria.sim.store import layout
from equilibria.sim.store.checkpoint import Checkpoint, checkpoints
from equilibria.sim.store.files import (
    file_hash,
    make_folder,
    read_json,
    remove_file,
    storage_errors,
    write_bytes,
    write_json,
)
from equilibria.sim.store.lock import RunLock
from equilibria.sim.store.manifest import PlanLike, make_manifest, read_manifest
from equilibria.sim.store.shapes import Status, check_shape
from equilibria.sim.store.writer import Part
from equilibria.sim.types import JSON


def check_place(path: Path, *, marker: str = layout.MANIFEST) -> bool:
    """Say whether ``path`` already holds a run (or sweep); touches nothing.

    Args:
        path: Where a run shall be written.
        marker: File whose presence makes the folder ours.

    Returns:
        True when the marker exists, False when the folder is absent, empty or a creation cut short.

    Raises:
        NotARun: If something else is there.
    """
    if not path.exists() and not path.is_symlink():
        return False
    if not path.is_dir():
        raise NotARun(f"{path}: is not a folder; choose another --out")
    with storage_errors(path):
        found = sorted(entry.name for entry in path.iterdir())
    if marker in found:
        return True
    # A creation cut short left the lock and perhaps the scenario, never more.
    unfinished = {layout.LOCK, layout.SCENARIO}
    foreign = [name for name in found if name not in unfinished and not layout.is_temporary(name)]
    if foreign or (found and layout.LOCK not in found):
        shown = ", ".join(repr(name) for name in (foreign or found)[:3])
        raise NotARun(f"{path}: not empty and not ours (found {shown}); nothing was written; choose another --out")
    return False


class RunDirectory:
    """An open run directory; ``close`` releases the lock.

    Attributes:
        path: The folder.
        manifest: Its manifest.
    """

    def __init__(self, path: Path, lock: RunLock, manifest: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock

    @classmethod
    def create(cls, path: Path, plan: PlanLike, *, unit: str, argv: Sequence[str] = ()) -> RunDirectory:
        """Create a run directory.

        Raises:
            NotARun: If the folder holds foreign files; nothing is written.
            RunExists: If it already is a run.
            RunInUse: If another process is creating or writing it.
            StorageFailed: If the place is not writable.
        """
        if check_place(path):
            raise RunExists(f"{path}: already is a run; use `equilibria resume {path}` or another --out")
        make_folder(path)
        lock = RunLock(path)
        try:
            if check_place(path):  # another process was faster and has finished
                raise RunExists(f"{path}: already is a run; use `equilibria resume {path}` or another --out")
            write_bytes(path / layout.SCENARIO, plan.source)
            manifest = make_manifest(plan, unit=unit, argv=argv)
            write_json(path / layout.MANIFEST, manifest)
        except BaseException:
            lock.release()
            raise
        return cls(path, lock, manifest)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open an existing run for writing.

        Raises:
            NotARun, FormatTooNew, CorruptRun: See ``read_manifest``.
            RunInUse: If another process holds it.
        """
        manifest = read_manifest(path)
        return cls(path, RunLock(path), manifest)

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def write_status(self, status: str, unit: int, *, durable: bool = True, **more: JSON) -> None:
        """Replace ``status.json``; the time of writing is the heartbeat (seconds since 1970, UTC).

        Process and machine are written as well: whoever holds the lock has written them.
        """
        value: dict[str, JSON] = {"status": status, "unit": unit, "budget": self.manifest["budget"], **more}
        value |= {"pid": os.getpid(), "host": platform.node()}
        write_json(self.path / layout.STATUS, {**value, "heartbeat": round(time.time(), 3)}, durable=durable)

    def write_summary(self, summary: dict[str, JSON]) -> None:
        """Write ``summary.json``."""
        write_json(self.path / layout.SUMMARY, summary)

    def write_error(self, error: dict[str, JSON]) -> None:
        """Write ``error.json``."""
        write_json(self.path / layout.ERROR, error)

    def log(self, event: str, **more: JSON) -> None:
        """Append a line to ``log.jsonl``."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **more}, ensure_ascii=False)
        path = self.path / layout.LOG
        with storage_errors(path), open(path, "ab") as file:
            file.write(line.encode() + b"\n")

    def restore_point(self) -> tuple[Checkpoint | None, list[str]]:
        """Find the newest usable checkpoint and remove everything that was written after it.

        Returns:
            The checkpoint (``None``: start from unit 0) and messages about damaged ones.
        """
        messages: list[str] = []
        chosen: Checkpoint | None = None
        for candidate in checkpoints(self.path):
            try:
                if isinstance(candidate, CorruptRun):
                    raise candidate
                self._check_parts(candidate)
            except CorruptRun as error:
                messages.append(str(error))
                continue
            chosen = candidate
            break
        if messages:
            where = f"unit {chosen.unit}" if chosen else "unit 0: no usable checkpoint is left"
            messages.append(f"{self.path}: going on from {where}")
        self._remove_after(chosen)
        return chosen, messages

    def _check_parts(self, checkpoint: Checkpoint) -> None:
        for table, parts in checkpoint.parts.items():
            folder = layout.table_folder(self.path, table)
            for part in parts:
                file = folder / part.file
                try:
                    found = file_hash(file)
                except OSError as error:
                    raise CorruptRun(f"{file}: {error.strerror or error}") from error
                if found != part.sha256:
                    raise CorruptRun(f"{file}: damaged: SHA-256 is {found[:12]}..., expected {part.sha256[:12]}...")

    def _remove_after(self, checkpoint: Checkpoint | None) -> None:
        """Remove parts and states that the checkpoint does not know, unfinished writes, and the results."""
        kept = {
            layout.table_folder(self.path, table) / part.file
            for table, parts in (checkpoint.parts if checkpoint else {}).items()
            for part in parts
        }
        for folder in _table_folders(self.path):
            for file in layout.part_files(folder):
                if file not in kept:
                    remove_file(file)
            _remove_temporaries(folder)
        states = self.path / layout.CHECKPOINTS
        if states.is_dir():
            for file in sorted(states.iterdir()):
                unit = layout.state_unit(file.name)
                if unit is not None and (checkpoint is None or unit > checkpoint.unit):
                    remove_file(file)
            if checkpoint is None:
                remove_file(states / layout.LATEST)
            _remove_temporaries(states)
        _remove_temporaries(self.path)
        for name in (layout.SUMMARY, layout.ERROR, layout.LIVE):
            remove_file(self.path / name)


def existing_parts(checkpoint: Checkpoint | None) -> dict[str, list[Part]]:
    """Return the parts that a resumed writer extends."""
    return {table: list(parts) for table, parts in checkpoint.parts.items()} if checkpoint else {}


def read_status(path: Path) -> dict[str, Any]:
    """Read ``status.json``; a run that died before its first heartbeat has reached unit 0."""
    with suppress(CorruptRun):
        return check_shape(path / layout.STATUS, read_json(path / layout.STATUS), Status)
    return {"status": "running", "unit": 0, "heartbeat": 0.0}


def _table_folders(run: Path) -> list[Path]:
    tables = run / layout.TABLES
    folders = sorted(p for p in tables.iterdir() if p.is_dir()) if tables.is_dir() else []
    return [run / layout.METRICS, *folders]


def _remove_temporaries(folder: Path) -> None:
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            if layout.is_temporary(file.name):
                remove_file(file)
