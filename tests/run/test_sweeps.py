from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equilibria.sim.errors import InvalidValue, NotARun, RunExists, RunInUse, UnknownName
from equilibria.sim.scenario import Plan
from equilibria.sim.store import Run, layout, open_sweep
from equilibria.sim.store.lock import RunLock
from equilibria.sim.sweep import resume_sweep, start_sweep

MakePlan = Callable[..., Plan]
TableBytes = Callable[[Path], dict[str, bytes]]
GRID = 'sweep: {grid: {"game.params.walkers": [2, 3]}, seeds: {start: 0, count: 2}}'
LABELS = [
    "0000-game.params.walkers=2-seed-0",
    "0001-game.params.walkers=2-seed-1",
    "0002-game.params.walkers=3-seed-0",
    "0003-game.params.walkers=3-seed-1",
]


def test_a_sweep_runs_every_grid_point_and_seed(tmp_path: Path, make_plan: MakePlan) -> None:
    outcome = start_sweep(make_plan(sweep=GRID), tmp_path / "s", executor="serial")
    assert outcome.exit_code == 0
    assert [result.label for result in outcome.results] == LABELS
    sweep = open_sweep(tmp_path / "s")
    assert [member.path.name for member in sweep.members] == LABELS
    assert [sweep.overrides(member) for member in sweep.members] == [{"game.params.walkers": w} for w in (2, 2, 3, 3)]
    seeds = [member.seed for member in sweep.members if isinstance(member, Run)]
    assert seeds[:2] == seeds[2:]
    assert len(set(seeds)) == 2
    assert sweep.missing == []


@pytest.mark.heavy
def test_tables_do_not_depend_on_executor_and_workers(
    tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes
) -> None:
    plan = make_plan(sweep=GRID)
    start_sweep(plan, tmp_path / "serial", executor="serial")
    expected = table_bytes(tmp_path / "serial")
    assert len(expected) == 4 * 2 * 3
    for jobs in (1, 2):
        outcome = start_sweep(plan, tmp_path / f"process{jobs}", executor="process", jobs=jobs)
        assert outcome.exit_code == 0
        assert table_bytes(tmp_path / f"process{jobs}") == expected


def test_seeds_can_be_given_instead_of_a_sweep_section(tmp_path: Path, make_plan: MakePlan) -> None:
    outcome = start_sweep(make_plan(), tmp_path / "s", executor="serial", seeds=(3, 2))
    assert [result.label for result in outcome.results] == ["0000-seed-3", "0001-seed-4"]
    with pytest.raises(InvalidValue, match="no sweep section"):
        start_sweep(make_plan(), tmp_path / "t", executor="serial")
    assert not (tmp_path / "t").exists()


def test_a_failing_member_does_not_stop_the_others(tmp_path: Path, make_plan: MakePlan) -> None:
    grid = 'sweep: {grid: {"game.params.fail_at": [0, 5, 999]}}'
    outcome = start_sweep(make_plan(sweep=grid, failure="named"), tmp_path / "s", executor="serial")
    assert [result.status for result in outcome.results] == ["complete", "failed", "complete"]
    assert outcome.results[1].message == "the walk cannot pass unit 5"
    assert outcome.exit_code == 3
    states = [member.state for member in open_sweep(tmp_path / "s").members if isinstance(member, Run)]
    assert states == ["complete", "failed", "complete"]
    again = resume_sweep(tmp_path / "s", executor="serial")
    assert [result.status for result in again.results] == ["complete", "failed", "complete"]


def test_a_member_that_cannot_be_built_is_marked(tmp_path: Path, make_plan: MakePlan) -> None:
    grid = 'sweep: {grid: {"game.params.build_error": ["", "no such world"]}}'
    outcome = start_sweep(make_plan(sweep=grid), tmp_path / "s", executor="serial")
    assert [result.status for result in outcome.results] == ["complete", "failed"]
    assert outcome.results[1].message == "toy: cannot be built: ValueError: no such world"
    broken = open_sweep(tmp_path / "s").members[1]
    assert isinstance(broken, Run)
    assert broken.state == "failed"


def test_a_resumed_sweep_runs_what_is_missing(tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes) -> None:
    import shutil

    plan = make_plan(sweep=GRID)
    start_sweep(plan, tmp_path / "s", executor="serial")
    expected = table_bytes(tmp_path / "s")
    members = tmp_path / "s" / layout.MEMBERS
    shutil.rmtree(members / LABELS[1])
    (members / LABELS[2] / layout.SUMMARY).unlink()
    with pytest.raises(RunExists, match="2 of 4 members unfinished; use `equilibria resume"):
        start_sweep(plan, tmp_path / "s", executor="serial")
    kept = (members / LABELS[0] / layout.STATUS).read_bytes()
    assert resume_sweep(tmp_path / "s", executor="serial").exit_code == 0
    assert table_bytes(tmp_path / "s") == expected
    assert (members / LABELS[0] / layout.STATUS).read_bytes() == kept
    assert start_sweep(plan, tmp_path / "s", executor="serial").messages == (f"{tmp_path / 's'}: already complete",)


def test_the_place_of_a_sweep_is_checked(tmp_path: Path, make_plan: MakePlan) -> None:
    plan = make_plan(sweep=GRID)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes").touch()
    with pytest.raises(NotARun):
        start_sweep(plan, tmp_path / "foreign", executor="serial")
    assert [p.name for p in (tmp_path / "foreign").iterdir()] == ["notes"]
    with pytest.raises(UnknownName, match="unknown executor 'threads'"):
        start_sweep(plan, tmp_path / "s", executor="threads")
    start_sweep(plan, tmp_path / "s", executor="serial")
    with pytest.raises(RunExists, match="holds another sweep"):
        start_sweep(make_plan(sweep=GRID, seed=8), tmp_path / "s", executor="serial")
    with RunLock(tmp_path / "s"), pytest.raises(RunInUse):
        resume_sweep(tmp_path / "s", executor="serial")


@pytest.mark.heavy
def test_a_worker_that_dies_once_is_replaced(tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes) -> None:
    marker = tmp_path / "died"
    start_sweep(make_plan(sweep=GRID), tmp_path / "a", executor="serial")
    plan = make_plan(sweep=GRID, kill_at=150, kill_once=marker)
    outcome = start_sweep(plan, tmp_path / "b", executor="process", jobs=2)
    assert marker.exists()
    assert outcome.exit_code == 0
    assert table_bytes(tmp_path / "b") == table_bytes(tmp_path / "a")


@pytest.mark.heavy
def test_a_member_whose_worker_always_dies_is_marked_and_the_rest_goes_on(tmp_path: Path, make_plan: MakePlan) -> None:
    grid = 'sweep: {grid: {"game.params.kill_at": [0, 150, 998, 999]}}'
    outcome = start_sweep(make_plan(sweep=grid), tmp_path / "s", executor="process", jobs=2)
    assert [result.status for result in outcome.results] == ["complete", "failed", "complete", "complete"]
    assert "the worker process died twice" in outcome.results[1].message
    broken = open_sweep(tmp_path / "s").members[1]
    assert isinstance(broken, Run)
    assert broken.state == "failed"
    assert broken.error is not None
    assert broken.error["class"] == "WorkerDied"
    assert outcome.exit_code == 3


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_saves_its_members_and_can_be_resumed(
    tmp_path: Path,
    make_scenario: Callable[..., Path],
    spawn: Callable[..., subprocess.Popen[str]],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    table_bytes: TableBytes,
    make_plan: MakePlan,
    number: signal.Signals,
) -> None:
    slow = make_scenario(sweep=GRID, delay=0.006)
    process = spawn("sweep", slow, "--out", tmp_path / "s", "--jobs", 2)
    begun = [tmp_path / "s" / layout.MEMBERS / label / layout.STATUS for label in LABELS[:2]]
    deadline = time.monotonic() + 300
    while not all(status.exists() for status in begun):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + number, errors
    assert "go on with `equilibria resume" in errors
    states = [member.state for member in open_sweep(tmp_path / "s").members if isinstance(member, Run)]
    assert states == ["interrupted", "interrupted"]
    resumed = cli("resume", tmp_path / "s", "--jobs", 2)
    assert resumed.returncode == 0, resumed.stderr
    start_sweep(make_plan(sweep=GRID), tmp_path / "a", executor="serial")
    assert table_bytes(tmp_path / "s") == table_bytes(tmp_path / "a")


@pytest.mark.heavy
def test_workers_end_when_their_parent_is_killed(
    tmp_path: Path, make_scenario: Callable[..., Path], spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    process = spawn("sweep", make_scenario(sweep=GRID, delay=0.05), "--out", tmp_path / "s", "--jobs", 1)
    member = tmp_path / "s" / layout.MEMBERS / LABELS[0]
    deadline = time.monotonic() + 300
    while not (member / layout.LIVE).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    while _state(member) != "interrupted":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    RunLock(member).release()  # nobody holds the member any more


def _state(member: Path) -> Any:
    return json.loads((member / layout.STATUS).read_bytes())["status"]
