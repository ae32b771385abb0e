"""Verification of a run directory: every hash, every Parquet file, every JSON file.

Nothing is changed and nothing is executed (for that see ``sim.replay``).  Cost: one pass over all
files of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from equilibria.sim.errors import CorruptRun
from equilibria.sim.store import layout
from equilibria.sim.store.checkpoint import checkpoints
from equilibria.sim.store.directory import read_status
from equilibria.sim.store.files import file_hash, read_json
from equilibria.sim.store.manifest import read_manifest
from equilibria.sim.store.shapes import Error, Status, Summary, check_shape
from equilibria.sim.store.writer import Part, table_hash

if TYPE_CHECKING:
    import polars as pl

_SHAPES: dict[str, type[BaseModel]] = {
    layout.STATUS: Status,
    layout.SUMMARY: Summary,
    layout.ERROR: Error,
    layout.LIVE: BaseModel,
}
STATUSES = ("running", "complete", "failed", "interrupted")


@dataclass(slots=True)
class Verification:
    """What was checked and what is wrong.

    Attributes:
        path: The run directory.
        files: Number of files checked.
        problems: What is wrong, empty for a sound run.
        notes: What is odd but harmless, for example unfinished writes of a killed process.
    """

    path: Path
    files: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify_run(path: Path) -> Verification:
    """Check every file of a run directory.

    Raises:
        NotARun: If the folder is no run directory.
        FormatTooNew: If a newer version wrote it.
    """
    report = Verification(path)
    try:
        read_manifest(path)
        report.files += 1
    except CorruptRun as error:
        report.problems.append(str(error))
    summary = _json_files(report)
    _entries(report)
    listed = summary.get("tables", {}) if summary else None
    for name, folder in _tables(path):
        _table(report, name, folder, listed)
    for name in sorted(set(listed or {}) - {name for name, _ in _tables(path)}):
        report.problems.append(f"{layout.table_folder(path, name)}: missing; {layout.SUMMARY} lists it")
    for state in checkpoints(path):
        if isinstance(state, CorruptRun):
            report.problems.append(str(state))
        else:
            report.files += 1
    return report


def _json_files(report: Verification) -> dict[str, Any] | None:
    """Check scenario, status, summary, error and log; return the summary of a complete run."""
    path = report.path
    if not (path / layout.SCENARIO).is_file():
        report.problems.append(f"{path / layout.SCENARIO}: missing")
    status: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {}
    for name, shape in _SHAPES.items():
        if (path / name).is_file():
            try:
                found[name] = check_shape(path / name, read_json(path / name), shape)
                report.files += 1
            except CorruptRun as error:
                report.problems.append(str(error))
    status = found.get(layout.STATUS, read_status(path))
    if status.get("status") not in STATUSES:
        report.problems.append(f"{path / layout.STATUS}: unknown status {status.get('status')!r}")
    if status.get("status") == "complete" and not (path / layout.SUMMARY).is_file():
        report.problems.append(f"{path / layout.SUMMARY}: missing, but the run is complete")
    _log(report)
    return found.get(layout.SUMMARY) if status.get("status") == "complete" else None


def _log(report: Verification) -> None:
    file = report.path / layout.LOG
    if not file.is_file():
        return
    report.files += 1
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        try:
            json.loads(line)
        except ValueError:
            report.notes.append(f"{file}: line {number} is torn (the process was killed while writing it)")


def _entries(report: Verification) -> None:
    for entry in sorted(report.path.iterdir()):
        if layout.is_temporary(entry.name):
            report.notes.append(f"{entry}: unfinished write; `equilibria resume` removes it")
        elif entry.name not in layout.RUN_ENTRIES:
            report.notes.append(f"{entry}: not a file of ours")


def _tables(path: Path) -> Iterator[tuple[str, Path]]:
    if layout.part_files(path / layout.METRICS):
        yield layout.METRICS, path / layout.METRICS
    tables = path / layout.TABLES
    if tables.is_dir():
        for folder in sorted(p for p in tables.iterdir() if p.is_dir()):
            yield folder.name, folder


def _table(report: Verification, name: str, folder: Path, listed: dict[str, Any] | None) -> None:
    parts: list[Part] = []
    last = -1
    schema: pl.Schema | None = None
    for file in layout.part_files(folder):
        report.files += 1
        try:
            frame = _read_part(file)
        except CorruptRun as error:
            report.problems.append(str(error))
            continue
        parts.append(Part(file.name, frame.height, file_hash(file)))
        if schema is not None and frame.schema != schema:
            report.problems.append(f"{file}: columns {dict(frame.schema)} differ from those of earlier parts")
        schema = schema or frame.schema
        last = _check_units(report, file, frame, last)
    if listed is not None:
        _compare_with_summary(report, folder, parts, listed.get(name))


def _read_part(file: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CorruptRun(f"{file}: no readable Parquet file: {' '.join(str(error).split())[:200]}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # polars panics on some damaged files
            raise
        raise CorruptRun(f"{file}: no readable Parquet file: {' '.join(str(error).split())[:200]}") from None


def _check_units(report: Verification, file: Path, frame: pl.DataFrame, last: int) -> int:
    """Check that units do not decrease and that the file is named by its last one; return it."""
    if "unit" not in frame.columns or frame.height == 0:
        report.problems.append(f"{file}: no column 'unit' or no rows")
        return last
    units = frame["unit"]
    first, end = int(units[0]), int(units[-1])
    if first < last or not units.is_sorted():
        report.problems.append(f"{file}: units decrease")
    if not file.name.startswith(layout.part_name(end).removesuffix(".parquet")):
        report.problems.append(f"{file}: its last unit is {end}, the name says otherwise")
    return end


def _compare_with_summary(report: Verification, folder: Path, parts: list[Part], listed: Any) -> None:
    if not isinstance(listed, dict):
        report.problems.append(f"{folder}: {layout.SUMMARY} does not list this table")
        return
    recorded: dict[str, str] = dict(listed.get("parts", {}))
    for part in parts:
        expected = recorded.pop(part.file, None)
        if expected is None:
            report.problems.append(f"{folder / part.file}: {layout.SUMMARY} does not list this part")
        elif expected != part.sha256:
            report.problems.append(
                f"{folder / part.file}: SHA-256 is {part.sha256[:12]}..., expected {expected[:12]}..."
            )
    report.problems.extend(
        f"{folder / missing}: missing" for missing in sorted(recorded) if not (folder / missing).exists()
    )
    if not recorded and table_hash(parts) != listed.get("sha256"):
        report.problems.append(f"{folder}: the table's SHA-256 in {layout.SUMMARY} does not match its parts")
    if sum(part.rows for part in parts) != listed.get("rows"):
        report.problems.append(
            f"{folder}: {sum(part.rows for part in parts)} rows, {layout.SUMMARY} says {listed.get('rows')}"
        )


def check_run(path: Path) -> None:
    """Raise ``CorruptRun`` with every problem of a run directory."""
    report = verify_run(path)
    if report.problems:
        raise CorruptRun("\n".join(report.problems))
