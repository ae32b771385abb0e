"""What the pages find in the runs folder, and that nothing outside can be opened."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from equilibria.dashboards import reader
from equilibria.dashboards.catalogue import entries, open_named
from equilibria.sim.errors import CorruptRun, NotARun
from equilibria.sim.store import Run, Sweep, open_run


def test_every_run_is_an_entry_with_its_certificate(runs: Path) -> None:
    found = {e.name: e for e in entries(runs)}
    assert found["cfr_kuhn"].state == "complete"
    assert found["cfr_kuhn"].measure == "exploitability"
    assert found["cfr_kuhn"].value == pytest.approx(3.3e-3, rel=0.05)
    assert found["sweep"].kind == "sweep"
    assert found["sweep"].done == "8 of 8 members complete"
    assert "sweep/members" not in " ".join(found)


def test_broken_neighbours_are_entries_with_their_error(broken_runs: Path) -> None:
    found = {e.name: e for e in entries(broken_runs)}
    assert "empty" not in found
    assert found["sound"].state == "complete"
    assert {n for n, e in found.items() if e.kind == "broken"} >= {"garbage", "list", "out"}
    assert "outside" in found["out"].sentence or "out of" in found["out"].sentence
    assert all(e.sentence for e in found.values())


@pytest.mark.parametrize(
    "name",
    ["..", "../x", "a/../../x", "/etc", "", "cfr_kuhn/../../runs", "a\0b", "c:\\x", "sweep/members/../../../x", "nope"],
)
def test_names_that_lead_nowhere_or_outside_are_refused(runs: Path, name: str) -> None:
    with pytest.raises(NotARun):
        open_named(runs, name)


def test_a_link_out_of_the_runs_folder_is_refused(broken_runs: Path) -> None:
    assert (broken_runs / "out" / "manifest.json").is_file()
    with pytest.raises(NotARun, match="outside"):
        open_named(broken_runs, "out")


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    os.symlink(tmp_path / "b", tmp_path / "a")
    os.symlink(tmp_path / "a", tmp_path / "b")
    assert entries(tmp_path) == []
    with pytest.raises(NotARun):
        open_named(tmp_path, "a")


def test_runs_sweeps_and_members_are_opened_by_name(runs: Path) -> None:
    assert isinstance(open_named(runs, "cfr_kuhn"), Run)
    sweep = open_named(runs, "sweep")
    assert isinstance(sweep, Sweep)
    member = sweep.members[0].path.name
    assert isinstance(open_named(runs, f"sweep/members/{member}"), Run)


def test_an_absent_folder_has_no_entries(tmp_path: Path) -> None:
    assert entries(tmp_path / "no") == []


def test_a_curve_is_read_once_until_its_files_change(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(runs / "cfr_kuhn")
    first = reader.curve(run, "exploitability", name="x")
    monkeypatch.setattr(Run, "metrics", lambda self: pytest.fail("the file was read again"))
    assert reader.curve(run, "exploitability", name="x") is first


def test_a_truncated_table_is_a_named_error(broken_runs: Path) -> None:
    with pytest.raises(CorruptRun, match="cannot be read"):
        reader.curve(open_run(broken_runs / "truncated"), "exploitability")


def test_last_values_of_a_finished_run_come_from_its_summary(runs: Path) -> None:
    run = open_run(runs / "cfr_kuhn")
    found = {(v.metric, v.key): v.value for v in reader.values(run)}
    rows = run.metrics().filter(pl.col("metric") == "exploitability").collect()
    assert found["exploitability", ""] == rows["value"][-1]
    assert {key for metric, key in found if metric == "gains"} == {"0", "1"}


def test_the_cache_forgets_the_oldest_result() -> None:
    cache = reader.Cache(size=2)
    made: list[int] = []
    for key in (1, 2, 1, 3, 1, 2):
        cache.get(key, lambda key=key: made.append(key) or np.int64(key))  # type: ignore[misc, func-returns-value]
    assert made == [1, 2, 3, 2]
