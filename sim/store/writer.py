"""Writing parts: columns in, one committed Parquet file out, in a background thread.

The thread takes parts in the order in which they were closed (polars releases the interpreter lock),
so the run goes on while a part is compressed.  The queue is bounded: when the disk is slower than the
run, the run waits.  An error is raised at the next call of the recorder.
"""

from __future__ import annotations

import hashlib
import io
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from equilibria.sim.store import layout
from equilibria.sim.store.files import make_folder, sync_folder, write_bytes
from equilibria.sim.types import JSON, AnyArray

ROW_GROUP_ROWS: Final = 262_144
_QUEUED_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Coded:
    """A text column as indices into few distinct texts: ``values[codes]``."""

    codes: AnyArray
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A committed part.

    Attributes:
        file: File name inside the table's folder.
        rows: Number of rows.
        sha256: Hash of the file's bytes, hexadecimal.
    """

    file: str
    rows: int
    sha256: str

    def to_json(self) -> dict[str, JSON]:
        """Return the part as a JSON object."""
        return {"file": self.file, "rows": self.rows, "sha256": self.sha256}


def table_hash(parts: list[Part]) -> str:
    """Return the SHA-256 of a table: of its ``<sha256>  <file>`` lines in order of units."""
    text = "".join(f"{part.sha256}  {part.file}\n" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


def parquet_bytes(columns: Mapping[str, AnyArray | Coded]) -> memoryview:
    """Encode columns of equal length as Parquet: zstd level 1, statistics, fixed row groups."""
    import polars as pl

    def series(name: str, column: AnyArray | Coded) -> Any:
        if isinstance(column, Coded):
            return pl.Series(name, list(column.values), dtype=pl.String).gather(column.codes)
        if column.dtype.kind == "U":
            return pl.Series(name, column.tolist(), dtype=pl.String)
        return pl.Series(name, column)

    frame = pl.DataFrame([series(name, column) for name, column in columns.items()])
    target = io.BytesIO()
    frame.write_parquet(target, compression="zstd", compression_level=1, statistics=True, row_group_size=ROW_GROUP_ROWS)
    return target.getbuffer()


class PartWriter:
    """Commits parts one after the other.

    Args:
        run: The run directory.
        committed: Parts of an earlier process by table, in order; they are extended.
    """

    def __init__(self, run: Path, committed: Mapping[str, list[Part]] | None = None) -> None:
        self._run = run
        self._committed: dict[str, list[Part]] = {k: list(v) for k, v in (committed or {}).items()}
        self._names = {table: {part.file for part in parts} for table, parts in self._committed.items()}
        self._jobs: queue.Queue[tuple[str, str, Mapping[str, AnyArray | Coded]] | None] = queue.Queue(_QUEUED_PARTS)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._folders: set[str] = set()

    def submit(self, table: str, last_unit: int, columns: Mapping[str, AnyArray | Coded]) -> None:
        """Queue a part whose rows end with ``last_unit``; the writer owns the arrays from now on."""
        self.check()
        taken = self._names.setdefault(table, set())
        repeat = 0
        while (name := layout.part_name(last_unit, repeat)) in taken:
            repeat += 1
        taken.add(name)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="equilibria-parts", daemon=True)
            self._thread.start()
        self._jobs.put((table, name, columns))

    def check(self) -> None:
        """Raise the error of an earlier part, if any."""
        if self._error is not None:
            raise self._error

    def drain(self) -> dict[str, list[Part]]:
        """Wait until every queued part is committed; return the parts by table.

        Raises:
            StorageFailed: If a part could not be written.
        """
        self._jobs.join()
        self.check()
        return self._committed

    def close(self) -> None:
        """Commit what is queued and end the thread; never raises (use ``drain`` for errors)."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if self._error is None:  # after an error nothing later may be committed: no gaps
                    self._commit(*job)
            except BaseException as error:  # noqa: BLE001 - handed to the run, raised there
                self._error = error
            finally:
                del job
                self._jobs.task_done()
        self._jobs.task_done()

    def _commit(self, table: str, name: str, columns: Mapping[str, AnyArray | Coded]) -> None:
        folder = layout.table_folder(self._run, table)
        if table not in self._folders:
            make_folder(folder)
            sync_folder(self._run)
            self._folders.add(table)
        rows = len(first.codes if isinstance(first := next(iter(columns.values())), Coded) else first)
        data = parquet_bytes(columns)
        digest = hashlib.sha256(data).hexdigest()
        write_bytes(folder / name, data)
        self._committed.setdefault(table, []).append(Part(name, rows, digest))
