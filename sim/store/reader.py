"""Reading runs and sweeps: what the command line and the dashboards know of a run directory.

Tables are lazy scans of Parquet parts; opening a run reads a few small JSON files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equilibria.sim.errors import CorruptRun, EquilibriaError, NotARun, UnknownName, did_you_mean
from equilibria.sim.store import layout
from equilibria.sim.store.directory import read_status
from equilibria.sim.store.files import read_json
from equilibria.sim.store.lock import is_locked
from equilibria.sim.store.manifest import check_format, read_manifest
from equilibria.sim.store.shapes import Error, Summary, SweepManifest, check_shape

if TYPE_CHECKING:
    import polars as pl
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Run:
    """A readable run directory, as it was when it was opened.

    Attributes:
        path: The folder.
        manifest: ``manifest.json``: name, plan_hash, seed, budget, unit, resolved, versions ...
        status: ``status.json``: status, unit, heartbeat ...; see also ``state``.
        summary: ``summary.json`` of a complete run: metrics, certificate, tables; else ``None``.
        error: ``error.json`` of a failed run: class, message, unit; else ``None``.
    """

    path: Path
    manifest: dict[str, Any]
    status: dict[str, Any]
    summary: dict[str, Any] | None
    error: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return str(self.manifest["name"])

    @property
    def seed(self) -> int:
        """Root seed."""
        return int(self.manifest["seed"])

    @property
    def state(self) -> str:
        """``complete``, ``failed``, ``interrupted``, ``running``, or ``killed`` (nobody holds its lock)."""
        status = str(self.status.get("status", "running"))
        return "killed" if status == "running" and not is_locked(self.path) else status

    @property
    def unit(self) -> int:
        """Units done, as far as the status says."""
        return int(self.status.get("unit", 0))

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The certificate of a complete run as a JSON object (``sentence`` included), else ``None``."""
        return self.summary.get("certificate") if self.summary else None

    def metrics(self) -> pl.LazyFrame:
        """Return the metrics in long form: unit (int64), metric, key (texts), value (float64)."""
        import polars as pl

        files = layout.part_files(self.path / layout.METRICS)
        if not files:
            schema = {"unit": pl.Int64, "metric": pl.String, "key": pl.String, "value": pl.Float64}
            return pl.LazyFrame(schema=schema)
        return pl.scan_parquet(files)

    def tables(self) -> list[str]:
        """Return the names of the wide tables that have rows."""
        folder = self.path / layout.TABLES
        if not folder.is_dir():
            return []
        return sorted(p.name for p in folder.iterdir() if layout.is_table_name(p.name) and layout.part_files(p))

    def table(self, name: str) -> pl.LazyFrame:
        """Return a wide table.

        Raises:
            UnknownName: If the run has no such table.
        """
        import polars as pl

        if name == layout.METRICS:
            return self.metrics()
        if name not in (known := self.tables()):
            raise UnknownName(f"{self.path}: no table {name!r}; {did_you_mean(name, known, 'table')}")
        return pl.scan_parquet(layout.part_files(layout.table_folder(self.path, name)))

    def live(self) -> dict[str, Any]:
        """Return the last values of a run in progress (unit, metrics); empty when there are none."""
        try:
            return read_json(self.path / layout.LIVE)
        except CorruptRun:
            return {}

    def log(self) -> list[dict[str, Any]]:
        """Return the entries of ``log.jsonl``; a torn last line is left out."""
        entries: list[dict[str, Any]] = []
        try:
            lines = (self.path / layout.LOG).read_bytes().splitlines()
        except OSError:
            return entries
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A run directory that cannot be read, with the reason."""

    path: Path
    error: EquilibriaError


@dataclass(frozen=True, slots=True)
class Sweep:
    """A readable sweep.

    Attributes:
        path: The folder.
        manifest: ``sweep.json``: name, plan_hash, members (label, seed, overrides) ...
        members: Its runs in the order of the sweep; members not yet begun are absent.
        missing: Labels of members without a run directory.
    """

    path: Path
    manifest: dict[str, Any]
    members: list[Run | BrokenRun] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return str(self.manifest["name"])

    def overrides(self, run: Run | BrokenRun) -> dict[str, Any]:
        """Return what distinguishes a member: grid values by dotted path."""
        for entry in self.manifest["members"]:
            if entry["label"] == run.path.name:
                return dict(entry["overrides"])
        return {}


def open_run(path: str | Path) -> Run:
    """Open a run directory for reading.

    Raises:
        NotARun: If the folder is no run directory.
        CorruptRun: If its manifest or summary is damaged.
        FormatTooNew: If a newer version wrote it.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    status = read_status(folder)
    summary = _optional(folder / layout.SUMMARY, Summary)
    if summary is not None and status.get("status") != "complete":
        summary = None  # written, but the run did not get to say so: resume repeats the last step
    error = _optional(folder / layout.ERROR, Error)
    return Run(folder, manifest, status, summary, error if status.get("status") == "failed" else None)


def read_sweep_manifest(path: Path) -> dict[str, Any]:
    """Read ``sweep.json``.

    Raises:
        NotARun: If the folder is no sweep.
        CorruptRun, FormatTooNew: As for runs.
    """
    file = path / layout.SWEEP
    if not file.is_file():
        raise NotARun(f"{path}: not a sweep: it has no {layout.SWEEP}")
    manifest = read_json(file)
    check_format(file, manifest)
    return check_shape(file, manifest, SweepManifest)


def open_sweep(path: str | Path) -> Sweep:
    """Open a sweep for reading; a broken member is listed with its error."""
    folder = Path(path)
    manifest = read_sweep_manifest(folder)
    members: list[Run | BrokenRun] = []
    missing: list[str] = []
    for entry in manifest["members"]:
        member = folder / layout.MEMBERS / str(entry["label"])
        if (member / layout.MANIFEST).is_file():
            members.append(_open_or_broken(member))
        else:
            missing.append(str(entry["label"]))
    return Sweep(folder, manifest, members, missing)


def open_any(path: str | Path) -> Run | Sweep:
    """Open a run or a sweep, whichever the folder is."""
    return open_sweep(path) if (Path(path) / layout.SWEEP).is_file() else open_run(path)


def find_runs(folder: str | Path) -> list[Run | Sweep | BrokenRun]:
    """Return the runs and sweeps in a folder, sorted by path; broken ones carry their error.

    Looks at the folder itself and two levels below; members of a sweep are found through it.  Never
    raises because of what lies in the folder.
    """
    found: list[Run | Sweep | BrokenRun] = []
    _search(Path(folder), 2, found)
    return found


def _optional(path: Path, shape: type[BaseModel]) -> dict[str, Any] | None:
    return check_shape(path, read_json(path), shape) if path.is_file() else None


def _search(folder: Path, depth: int, found: list[Run | Sweep | BrokenRun]) -> None:
    try:
        if (folder / layout.SWEEP).is_file() or (folder / layout.MANIFEST).is_file():
            found.append(_open_or_broken(folder))
            return
        children = sorted(p for p in folder.iterdir() if p.is_dir()) if depth else []
    except OSError:
        return
    for child in children:
        _search(child, depth - 1, found)


def _open_or_broken(path: Path) -> Any:
    try:
        return open_any(path)
    except EquilibriaError as error:
        return BrokenRun(path, error)
    except OSError as error:
        return BrokenRun(path, CorruptRun(f"{path}: cannot be read: {error.strerror or error}"))
