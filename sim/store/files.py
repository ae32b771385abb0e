"""Atomic files: a reader sees the old content or the new one, never a torn one.

A write goes to ``.<name>.tmp`` in the same folder, is flushed and synchronised, renamed over the
target, and the folder is synchronised.  Errors of the operating system become ``StorageFailed``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from equilibria.sim.errors import CorruptRun, StorageFailed
from equilibria.sim.types import JSON


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn ``OSError`` into ``StorageFailed`` with the path and what to do."""
    try:
        yield
    except OSError as error:
        raise storage_failed(path, error) from error


def storage_failed(path: Path, error: OSError) -> StorageFailed:
    """Describe why ``path`` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        advice = "free some space, then use `equilibria resume`; what was committed before is intact"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "choose a writable place with --out"
    else:
        advice = "check the disk, then use `equilibria resume`"
    return StorageFailed(f"{path}: cannot write: {error.strerror or error}; {advice}")


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable (no effect where folders cannot be opened)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, write: Callable[[IO[bytes]], object], *, durable: bool = True) -> None:
    """Write a file atomically.

    Args:
        path: Target; its folder must exist.
        write: Receives the open temporary file.
        durable: Synchronise file and folder; a heartbeat does not need it.

    Raises:
        StorageFailed: If the disk is full or the place is not writable; the old content stays.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with storage_errors(path):
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            sync_folder(path.parent)


def write_bytes(path: Path, data: bytes | memoryview, *, durable: bool = True) -> None:
    """Write bytes atomically."""
    replace_file(path, lambda file: file.write(data), durable=durable)


def write_json(path: Path, value: JSON, *, durable: bool = True) -> None:
    """Write a JSON value atomically: sorted keys, two blanks of indentation, final newline."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_bytes(path, text.encode() + b"\n", durable=durable)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CorruptRun: If the file is missing, unreadable, no JSON or no object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CorruptRun(f"{path}: missing") from None
    except OSError as error:
        raise CorruptRun(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CorruptRun(f"{path}: no valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise CorruptRun(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: Path) -> None:
    """Create a folder and its parents and make the new entry durable."""
    if path.is_dir():
        return
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file that may be absent."""
    with storage_errors(path), suppress(FileNotFoundError):
        path.unlink()
