from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equilibria.sim.errors import CorruptRun, FormatTooNew, NotARun, RunExists, RunInUse, UnknownName
from equilibria.sim.store import BrokenRun, Run, Sweep, find_runs, layout, open_any, open_run, open_sweep
from equilibria.sim.store.directory import RunDirectory
from equilibria.sim.store.recorder import RunRecorder


class FakePlan:
    """The few attributes that the store needs."""

    name, hash, source, seed = "fake", "ab" * 32, b"version: 1\r\n", 3
    budget, checkpoint_every, threads = 10, 5, 1
    resolved: dict[str, Any] = {"name": "fake"}  # noqa: RUF012

    def build(self) -> Any:
        raise NotImplementedError


def write_run(path: Path, status: str = "complete", *, rows: int = 3) -> Path:
    with RunDirectory.create(path, FakePlan(), unit="period") as directory:
        out = RunRecorder(path)
        out.metric("gini", np.arange(rows), np.linspace(0, 1, rows))
        out.table("agents", {"unit": np.arange(rows), "wealth": np.ones(rows)})
        out.flush()
        out.drain()
        out.close()
        directory.write_summary({"metrics": {"gini": 1.0}, "certificate": {"sentence": "s"}, "tables": {}})
        directory.write_status(status, 10)
        directory.log("complete", unit=10)
    return path


def test_a_complete_run_is_read_back(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "a"))
    assert (run.name, run.seed, run.state, run.unit) == ("fake", 3, "complete", 10)
    assert run.certificate == {"sentence": "s"}
    assert run.tables() == ["agents"]
    assert run.metrics().collect().columns == ["unit", "metric", "key", "value"]
    assert run.table("agents").collect().height == 3
    assert [entry["event"] for entry in run.log()] == ["complete"]
    assert (run.path / layout.SCENARIO).read_bytes() == b"version: 1\r\n"
    with pytest.raises(UnknownName, match="did you mean 'agents'"):
        run.table("agent")


def test_a_run_without_rows_has_an_empty_metric_table(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "a", FakePlan(), unit="period").close()
    run = open_run(tmp_path / "a")
    assert run.metrics().collect().shape == (0, 4)
    assert run.tables() == []
    assert run.summary is None
    assert run.log() == []
    assert run.live() == {}


def test_a_run_whose_process_died_reads_as_killed(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "a", FakePlan(), unit="period")
    directory.write_status("running", 4)
    assert open_run(tmp_path / "a").state == "running"
    directory.close()
    assert open_run(tmp_path / "a").state == "killed"


def test_a_torn_log_line_is_left_out(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "a"))
    with open(run.path / layout.LOG, "a") as file:
        file.write('{"event": "tor')
    assert [entry["event"] for entry in run.log()] == ["complete"]


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match="does not exist"):
        open_run(tmp_path / "absent")
    with pytest.raises(NotARun, match=r"no manifest\.json"):
        open_run(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotARun, match="not a folder"):
        open_run(tmp_path / "file")
    with pytest.raises(NotARun, match=r"no sweep\.json"):
        open_sweep(tmp_path)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"format": 2}, FormatTooNew, "format 2, this version reads up to 1; upgrade"),
        ({"format": "one"}, CorruptRun, "format must be a positive integer"),
        ({"seed": None}, CorruptRun, "keys are missing: seed"),
    ],
)
def test_a_strange_manifest_is_named(
    tmp_path: Path, change: dict[str, Any], kind: type[Exception], message: str
) -> None:
    path = write_run(tmp_path / "a") / layout.MANIFEST
    manifest = {**json.loads(path.read_bytes()), **change}
    path.write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}))
    with pytest.raises(kind, match=message):
        open_run(path.parent)


def test_broken_neighbours_do_not_hide_good_runs(tmp_path: Path) -> None:
    write_run(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / layout.MANIFEST).write_text("{")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / layout.MANIFEST).mkdir()
    write_run(tmp_path / "deep" / "d")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    sweep = tmp_path / "s"
    write_run(sweep / layout.MEMBERS / "0000")
    write_run(sweep / layout.MEMBERS / "0001") / layout.MANIFEST
    (sweep / layout.MEMBERS / "0001" / layout.MANIFEST).write_text("[]")
    members = [{"label": f"{i:04d}", "overrides": {"a": i}} for i in range(3)]
    (sweep / layout.SWEEP).write_text(json.dumps({"format": 1, "name": "grid", "members": members}))
    found = find_runs(tmp_path)
    assert [(type(run).__name__, run.path.name) for run in found] == [
        ("BrokenRun", "a"),
        ("Run", "b"),
        ("Run", "d"),
        ("Sweep", "s"),
    ]
    opened = open_any(sweep)
    assert isinstance(opened, Sweep)
    assert [type(member) for member in opened.members] == [Run, BrokenRun]
    assert opened.missing == ["0002"]
    assert opened.overrides(opened.members[1]) == {"a": 1}
    assert find_runs(tmp_path / "absent") == []
    assert [type(run) for run in find_runs(tmp_path / "b")] == [Run]


@pytest.mark.parametrize("entries", [["notes.txt"], ["LOCK", "data"], ["LOCK.txt"], ["scenario.yaml"], ["metrics/"]])
def test_a_folder_with_foreign_files_is_left_as_it_is(tmp_path: Path, entries: list[str]) -> None:
    for entry in entries:
        (tmp_path / entry).mkdir() if entry.endswith("/") else (tmp_path / entry).write_text("mine")
    before = sorted((p.name, p.stat().st_mtime_ns) for p in tmp_path.iterdir())
    with pytest.raises(NotARun, match="not empty and not ours"):
        RunDirectory.create(tmp_path, FakePlan(), unit="period")
    assert sorted((p.name, p.stat().st_mtime_ns) for p in tmp_path.iterdir()) == before


def test_a_file_in_the_place_of_the_folder_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(NotARun, match="is not a folder"):
        RunDirectory.create(tmp_path / "out", FakePlan(), unit="period")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotARun, match="is not a folder"):
        RunDirectory.create(tmp_path / "dangling", FakePlan(), unit="period")


def test_a_creation_cut_short_is_taken_over(tmp_path: Path) -> None:
    for name in (layout.LOCK, layout.SCENARIO, ".manifest.json.tmp"):
        (tmp_path / name).touch()
    RunDirectory.create(tmp_path, FakePlan(), unit="period").close()
    assert open_run(tmp_path).name == "fake"


def test_an_existing_run_is_not_created_again(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, FakePlan(), unit="period"):
        with pytest.raises(RunExists, match="already is a run"):
            RunDirectory.create(tmp_path, FakePlan(), unit="period")
        with pytest.raises(RunInUse):
            RunDirectory.open(tmp_path)
