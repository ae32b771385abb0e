"""Names of the files in a run directory (format 1) and what may stand in one.

::

    manifest.json                     format, resolved scenario, plan hash, seed, versions, commit, CPU, argv
    scenario.yaml                     the scenario as given, byte for byte
    status.json                       running | complete | failed | interrupted, unit reached, heartbeat
    summary.json                      headline values, certificate, SHA-256 of every table
    live.json                         last metric values of a run in progress
    metrics/part-<last unit>.parquet  long: unit, metric, key, value
    tables/<name>/part-<last unit>.parquet
    checkpoints/<unit>.npz, LATEST.json
    log.jsonl  error.json  LOCK

A sweep is a folder with ``sweep.json``, ``scenario.yaml``, ``LOCK`` and ``members/<label>`` run directories.
Unit numbers are zero-padded, so that a sorted listing is in the order of units.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

FORMAT: Final = 1

MANIFEST: Final = "manifest.json"
SCENARIO: Final = "scenario.yaml"
STATUS: Final = "status.json"
SUMMARY: Final = "summary.json"
LIVE: Final = "live.json"
LOG: Final = "log.jsonl"
ERROR: Final = "error.json"
LOCK: Final = "LOCK"
METRICS: Final = "metrics"
TABLES: Final = "tables"
CHECKPOINTS: Final = "checkpoints"
LATEST: Final = "LATEST.json"
SWEEP: Final = "sweep.json"
MEMBERS: Final = "members"

RUN_ENTRIES: Final = frozenset(
    {MANIFEST, SCENARIO, STATUS, SUMMARY, LIVE, LOG, ERROR, LOCK, METRICS, TABLES, CHECKPOINTS}
)
SWEEP_ENTRIES: Final = frozenset({SWEEP, SCENARIO, LOCK, LOG, MEMBERS})

_DIGITS: Final = 12
_PART = re.compile(r"part-\d{12}(_\d+)?\.parquet")
_STATE = re.compile(r"(\d{12})\.npz")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def part_name(last_unit: int, repeat: int = 0) -> str:
    """Return the name of the part that ends with ``last_unit``; ``repeat`` > 0 when that name is taken."""
    suffix = f"_{repeat}" if repeat else ""
    return f"part-{last_unit:0{_DIGITS}d}{suffix}.parquet"


def state_name(unit: int) -> str:
    """Return the name of the checkpoint of ``unit``."""
    return f"{unit:0{_DIGITS}d}.npz"


def state_unit(name: str) -> int | None:
    """Return the unit of a checkpoint's file name, ``None`` for other files."""
    match = _STATE.fullmatch(name)
    return int(match.group(1)) if match else None


def is_part(name: str) -> bool:
    """Say whether a file name is that of a part."""
    return _PART.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    """Say whether a file name is that of an unfinished write of ours."""
    return name.startswith(".") and name.endswith(".tmp")


def is_table_name(name: str) -> bool:
    """Say whether ``name`` can name a table: snake_case, at most 64 letters."""
    return _TABLE.fullmatch(name) is not None and name != METRICS


def table_folder(run: Path, table: str) -> Path:
    """Return the folder of a table's parts; the metrics are the table ``"metrics"``."""
    return run / METRICS if table == METRICS else run / TABLES / table


def part_files(folder: Path) -> list[Path]:
    """Return the parts of a table in order of units; empty when the folder is absent."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if is_part(p.name))
