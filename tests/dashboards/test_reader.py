"""What pages read: bounded, cached per part, the tail only while a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equilibria.dashboards import reader
from equilibria.sim.store import Run, layout

UNITS = 1000


def make_run(path: Path, parts: int, state: str = "running") -> Run:
    """Write a run directory of ``parts`` parts of 1000 units."""
    path.mkdir(exist_ok=True)
    for part in range(parts):
        add_part(path, part)
    return Run(path, {"name": "x"}, {"status": state, "unit": parts * UNITS}, None, None)


def add_part(path: Path, part: int) -> None:
    unit = np.arange(part * UNITS, (part + 1) * UNITS)
    last = int(unit[-1])
    for table, columns in (
        (layout.METRICS, {"metric": ["m"] * UNITS, "key": [""] * UNITS, "value": np.sin(unit)}),
        ("agents", {"agent": unit % 7, "wealth": unit.astype(float)}),
    ):
        folder = layout.table_folder(path, table)
        folder.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"unit": unit if table == layout.METRICS else unit // 100, **columns}).write_parquet(
            folder / layout.part_name(last)
        )


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the parts that are read."""
    seen: list[str] = []
    real = pl.scan_parquet

    def scan(source: Any, *args: Any, **options: Any) -> pl.LazyFrame:
        seen.extend(Path(s).name for s in (source if isinstance(source, list) else [source]))
        return real(source, *args, **options)

    monkeypatch.setattr(pl, "scan_parquet", scan)
    return seen


def as_running(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(Run, "state", property(lambda self: str(self.status["status"])))
    return run


def test_of_a_run_in_progress_only_new_parts_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scans: list[str]
) -> None:
    run = as_running(make_run(tmp_path / "x", 3), monkeypatch)
    first = reader.curve(run, "m")
    assert len(set(scans)) == 3
    scans.clear()
    assert reader.curve(run, "m") is first
    assert scans == []
    add_part(run.path, 3)
    second = reader.curve(run, "m")
    assert set(scans) == {layout.part_name(3999)}
    whole = reader.curve(as_running(make_run(tmp_path / "y", 4, "complete"), monkeypatch), "m")
    assert (second.rows, second.unit[-1]) == (whole.rows, whole.unit[-1]) == (4000, 3999)
    assert second.low.min() == whole.low.min()
    assert second.high.max() == whole.high.max()


def test_the_last_rows_and_one_unit_are_read_from_the_parts_that_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scans: list[str]
) -> None:
    run = as_running(make_run(tmp_path / "x", 5), monkeypatch)
    assert reader.row_count(run, "agents") == 5000
    assert reader.units(run, "agents") == list(range(50))
    scans.clear()
    assert reader.rows(run, "agents", limit=10)["wealth"].to_list() == list(range(4990, 5000))
    assert reader.rows(run, "agents", limit=1500)["wealth"][0] == 3500
    assert reader.at_unit(run, "agents", 21)["wealth"].to_list() == list(range(2100, 2200))
    assert layout.part_name(999) not in scans
    assert reader.at_unit(run, "agents", 77).is_empty()


def test_a_picker_of_units_gets_at_most_four_hundred_with_both_ends(tmp_path: Path) -> None:
    run = make_run(tmp_path / "x", 2, "complete")
    found = reader.units(run, layout.METRICS)
    assert len(found) == reader.MAX_UNITS
    assert (found[0], found[-1]) == (0, 1999)
    assert found == sorted(set(found))
