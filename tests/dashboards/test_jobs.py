"""Launch, stop and resume leave the run directory of the command line."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from equilibria.dashboards.frame import jobs_of
from equilibria.dashboards.jobs import Job, Jobs
from equilibria.sim.errors import InvalidValue, NotARun
from equilibria.sim.run import start_run
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.store import Run, open_run, open_sweep

TEXT = """version: 1
name: long
game: {use: wealth_exchange, params: {agents: 2000, activation: random-sequential}}
metrics: [{use: gini, every: 50}]
run: {budget: BUDGET, seed: 3, checkpoint_every: 1000}
"""


def wait(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.05)


def ended(job: Job) -> bool:
    return job.exit_code is not None


def files(path: Path) -> dict[str, bytes]:
    return {
        p.relative_to(path).as_posix(): p.read_bytes()
        for p in sorted(path.rglob("*"))
        if p.is_file() and p.name not in ("status.json", "manifest.json", "log.jsonl")
    }


def test_a_started_run_leaves_the_directory_of_the_command_line(tmp_path: Path) -> None:
    text = TEXT.replace("BUDGET", "300")
    job = Jobs(tmp_path / "page").start(text, "x")
    wait(lambda: ended(job))
    assert job.exit_code == 0, job.tail()
    start_run(plan_from_bytes(text.encode(), "x"), tmp_path / "line")
    assert files(tmp_path / "page" / "x") == files(tmp_path / "line")


def line(*arguments: object, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a command of the command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "equilibria.sim.cli.app", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def draw_page(root: str, name: str) -> None:
    from pathlib import Path

    from equilibria.dashboards.frame import Options, draw_page, load_pages

    draw_page(Options(Path(root)), name, load_pages()[0][name])


@pytest.mark.heavy
def test_the_page_stops_and_resumes_a_run_of_the_command_line_and_leaves_its_directory(tmp_path: Path) -> None:
    text = TEXT.replace("BUDGET", "40000")
    (tmp_path / "long.yaml").write_text(text)
    root = tmp_path / "runs"
    run, straight = root / "x", tmp_path / "straight"
    at = AppTest.from_function(
        draw_page, args=(str(root), "run"), default_timeout=60
    ).run()  # what it imports takes time
    process = line("run", tmp_path / "long.yaml", "--out", run, cwd=tmp_path)
    try:
        wait(lambda: (run / "checkpoints" / "LATEST.json").is_file() or process.poll() is not None)
        at.run().button(key="stop").click().run()
        assert not at.exception
        wait(lambda: process.poll() is not None)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert open_run(run).state == "interrupted"
    at.run()
    at.button(key="resume").click().run()
    job = jobs_of(str(root)).find("x")
    assert job is not None
    wait(lambda: ended(job))
    assert job.exit_code == 0, job.tail()
    assert line("run", tmp_path / "long.yaml", "--out", straight, cwd=tmp_path).wait(timeout=120) == 0
    assert open_run(run).summary == open_run(straight).summary  # with the SHA-256 of every table
    assert files(run) == files(straight)


def test_the_launch_page_leaves_the_directory_of_the_command_line(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    at = AppTest.from_function(draw_page, args=(str(root), "launch"), default_timeout=60)
    at.query_params["scenario"] = "quick/cfr_kuhn"
    at.run().button(key="start").click().run()
    assert not at.exception
    (job,) = jobs_of(str(root)).all()
    wait(lambda: ended(job))
    assert job.exit_code == 0, job.tail()
    given = root / ".launch" / f"{job.name}.yaml"
    assert line("run", given, "--out", tmp_path / "line", cwd=tmp_path).wait(timeout=60) == 0
    assert files(root / job.name) == files(tmp_path / "line")
    one, other = (open_run(p).manifest for p in (root / job.name, tmp_path / "line"))
    assert {k: v for k, v in one.items() if k not in ("argv", "created")} == {
        k: v for k, v in other.items() if k not in ("argv", "created")
    }


@pytest.mark.heavy
def test_a_sweep_of_the_command_line_is_stopped_and_resumed_on_its_page(tmp_path: Path) -> None:
    text = TEXT.replace("BUDGET", "150000") + "sweep: {seeds: {start: 0, count: 3}}\n"
    (tmp_path / "sweep.yaml").write_text(text)
    root = tmp_path / "runs"
    at = AppTest.from_function(
        draw_page, args=(str(root), "sweep"), default_timeout=60
    ).run()  # what it imports takes time
    process = line("sweep", tmp_path / "sweep.yaml", "--out", root / "s", "--executor", "serial", cwd=tmp_path)
    try:
        wait(lambda: list((root / "s" / "members").glob("*/checkpoints/LATEST.json")) or process.poll() is not None)
        at.run().button(key="stop").click().run()
        assert not at.exception
        wait(lambda: process.poll() is not None)
    finally:
        process.kill()
    at.run()
    at.button(key="resume").click().run()
    job = jobs_of(str(root)).find("s")
    assert job is not None
    wait(lambda: ended(job))
    assert job.exit_code == 0, job.tail()
    found = open_sweep(root / "s").members
    assert [m.state for m in found if isinstance(m, Run)] == ["complete"] * 3


def test_a_started_sweep_is_complete_and_can_be_resumed(tmp_path: Path) -> None:
    text = TEXT.replace("BUDGET", "100") + "sweep: {seeds: {start: 0, count: 2}}\n"
    jobs = Jobs(tmp_path)
    job = jobs.start(text, "s", sweep=True)
    wait(lambda: ended(job))
    assert job.exit_code == 0, job.tail()
    assert len(list((tmp_path / "s" / "members").iterdir())) == 2
    again = jobs.resume("s", tmp_path / "s")
    wait(lambda: ended(again))
    assert again.exit_code == 0, again.tail()


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "x" * 101, "a b", "a\0"])
def test_names_that_are_no_plain_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue, match="cannot be used"):
        Jobs(tmp_path).start("", name)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_is_refused_and_foreign_files_are_left_alone(tmp_path: Path, runs: Path) -> None:
    with pytest.raises(InvalidValue, match="exists already"):
        Jobs(runs).place("cfr_kuhn")
    with pytest.raises(InvalidValue, match="exists already"):
        Jobs(runs).place("sweep")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(NotARun):
        Jobs(tmp_path).place("mine")


def test_an_invalid_scenario_ends_with_the_message_of_the_command_line(tmp_path: Path) -> None:
    job = Jobs(tmp_path).start("version: 1\nname: x\n", "x")
    wait(lambda: ended(job))
    assert job.exit_code == 2
    assert "game" in job.tail()
    assert not (tmp_path / "x").exists()
    assert not Jobs(tmp_path).stop("x")


def test_a_run_in_progress_is_shown_with_its_progress_and_can_be_stopped_on_its_page(
    tmp_path: Path, runs: Path
) -> None:
    shutil.copytree(runs / "cfr_kuhn", tmp_path / "a")
    jobs = jobs_of(str(tmp_path))
    job = jobs.start(TEXT.replace("BUDGET", "10000000"), "x")
    try:
        wait(lambda: (tmp_path / "x" / "live.json").is_file() or ended(job))
        at = AppTest.from_function(draw_page, args=(str(tmp_path), "run"), default_timeout=60)
        at.query_params["run"] = "x"  # a link to a run holds whatever its state
        at.run()
        assert not at.exception
        assert not at.error
        assert at.selectbox(key="run").value == "x"
        assert any("per second" in c.value for c in at.caption)
        overview = AppTest.from_function(draw_page, args=(str(tmp_path), "overview"), default_timeout=60).run()
        assert "running" in overview.dataframe[0].value["state"][1]
        at.button(key="stop").click().run()
        wait(lambda: ended(job))
    finally:
        if not ended(job):
            job.process.kill()
    assert job.exit_code == 128 + signal.SIGTERM
    at.run()
    assert "resume" in {b.key for b in at.button}
