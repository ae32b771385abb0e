"""Replay: execute a finished run's plan again and compare every table.

Bit-identity is promised for equal product and dependency versions and processor architecture; when
they differ, rows are compared instead of bytes and the differences are named.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equilibria.sim.errors import RunStoreError
from equilibria.sim.run import start_run
from equilibria.sim.store import layout
from equilibria.sim.store.manifest import versions
from equilibria.sim.store.reader import Run, open_run

if TYPE_CHECKING:
    import polars as pl

    from equilibria.sim.scenario import Plan


@dataclass(frozen=True, slots=True)
class Replay:
    """Result of a replay.

    Attributes:
        tables: Names of the tables compared.
        differences: What differs, one sentence each; empty when everything is equal.
        notes: Other versions than at the time of the run, or equal rows in other bytes.
        signal: Signal that interrupted the replay, else 0.
    """

    tables: tuple[str, ...]
    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()
    signal: int = 0


def replay(path: Path, *, progress: bool = False) -> Replay:
    """Execute the plan of a complete run in a temporary directory and compare.

    Raises:
        RunStoreError: If the folder is no run or the run is not complete.
        EquilibriaError: What the run raised.
    """
    from equilibria.sim.scenario import Plan

    old = open_run(path)
    if old.summary is None:
        raise RunStoreError(
            f"{path}: is {old.state}; only a complete run can be replayed, use `equilibria resume` first"
        )
    plan = Plan.from_resolved(old.manifest["resolved"], source=b"", origin=str(path / layout.MANIFEST))
    with tempfile.TemporaryDirectory(prefix="equilibria-replay-") as folder:
        return _compare_again(old, plan, Path(folder) / "run", progress=progress)


def _compare_again(old: Run, plan: Plan, folder: Path, *, progress: bool) -> Replay:
    outcome = start_run(plan, folder, argv=("replay", str(old.path)), progress=progress)
    if outcome.signal:
        return Replay((), (), signal=outcome.signal)
    new = open_run(folder)
    assert old.summary is not None and new.summary is not None
    differences: list[str] = []
    notes = _version_notes(old.manifest.get("versions", {}))
    old_tables, new_tables = dict(old.summary["tables"]), dict(new.summary["tables"])
    for name in sorted(set(old_tables) | set(new_tables)):
        if old_tables.get(name, {}).get("sha256") == new_tables.get(name, {}).get("sha256"):
            continue
        found = _table_difference(old, new, name)
        if found:
            differences.append(found)
        else:
            notes.append(f"table {name}: equal rows, other bytes (another version wrote them)")
    if old.certificate != new.certificate:
        differences.append(f"certificate: {_first_difference(old.certificate or {}, new.certificate or {})}")
    return Replay(tuple(sorted(set(old_tables) | set(new_tables))), tuple(differences), tuple(notes))


def _version_notes(then: Mapping[str, Any]) -> list[str]:
    now = versions()
    return [
        f"{name} was {then.get(name)}, is {now.get(name)}"
        for name in sorted(set(then) | set(now))
        if then.get(name) != now.get(name)
    ]


def _first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    for key in sorted(set(old) | set(new)):
        if old.get(key) != new.get(key):
            return f"{key} was {old.get(key)!r}, is {new.get(key)!r}"
    return "equal"


def _table_difference(old: Run, new: Run, name: str) -> str:
    """Say where two tables differ first; empty when their rows are equal."""
    missing = [side for side, run in (("run", old), ("replay", new)) if name not in (*run.tables(), layout.METRICS)]
    if missing:
        return f"table {name}: absent in the {missing[0]}"
    left, right = old.table(name).collect(), new.table(name).collect()
    if left.schema != right.schema:
        return f"table {name}: columns were {dict(left.schema)}, are {dict(right.schema)}"
    rows = min(left.height, right.height)
    row = _first_different_row(left.head(rows), right.head(rows))
    if row is not None:
        was, now = left.row(row, named=True), right.row(row, named=True)
        column = next(c for c in left.columns if was[c] != now[c] and not (was[c] != was[c] and now[c] != now[c]))
        return f"table {name}: row {row} (unit {was['unit']}), column {column}: was {was[column]!r}, is {now[column]!r}"
    return f"table {name}: had {left.height} rows, has {right.height}" if left.height != right.height else ""


def _first_different_row(left: pl.DataFrame, right: pl.DataFrame) -> int | None:
    first: int | None = None
    for column in left.columns:
        unequal = left[column].ne_missing(right[column])
        at = unequal.arg_max()
        if at is not None and unequal[at] and (first is None or at < first):
            first = at
    return first
