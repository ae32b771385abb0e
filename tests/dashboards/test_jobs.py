"""Launch, stop and resume leave the run directory of the command line."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from equilibria.dashboards.jobs import Job, Jobs
from equilibria.sim.errors import InvalidValue, NotARun
from equilibria.sim.run import start_run
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.store import open_run

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


@pytest.mark.heavy
def test_stop_and_resume_end_where_an_uninterrupted_run_ends(tmp_path: Path) -> None:
    text = TEXT.replace("BUDGET", "40000")
    jobs = Jobs(tmp_path / "page")
    job = jobs.start(text, "x")
    folder = tmp_path / "page" / "x"
    wait(lambda: (folder / "checkpoints" / "LATEST.json").is_file() or ended(job))
    assert jobs.stop("x")
    wait(lambda: ended(job))
    assert job.exit_code == 128 + signal.SIGTERM
    assert open_run(folder).state == "interrupted"
    assert 0 < open_run(folder).unit < 40_000
    again = jobs.resume("x", folder)
    wait(lambda: ended(again))
    assert again.exit_code == 0, again.tail()
    start_run(plan_from_bytes(text.encode(), "x"), tmp_path / "line")
    one, other = open_run(folder).summary, open_run(tmp_path / "line").summary
    assert one is not None
    assert one == other


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


def test_a_run_in_progress_is_shown_with_its_progress_and_can_be_stopped_on_its_page(tmp_path: Path) -> None:
    from streamlit.testing.v1 import AppTest

    def draw(root: str, name: str) -> None:
        from pathlib import Path

        from equilibria.dashboards.frame import Options, draw_page, load_pages

        draw_page(Options(Path(root)), name, load_pages()[0][name])

    from equilibria.dashboards.frame import jobs_of

    jobs = jobs_of(str(tmp_path))
    job = jobs.start(TEXT.replace("BUDGET", "10000000"), "x")
    try:
        wait(lambda: (tmp_path / "x" / "live.json").is_file() or ended(job))
        at = AppTest.from_function(draw, args=(str(tmp_path), "run"), default_timeout=60).run()
        assert not at.exception
        assert not at.error
        assert any("per second" in c.value for c in at.caption)
        overview = AppTest.from_function(draw, args=(str(tmp_path), "overview"), default_timeout=60).run()
        assert "running" in overview.dataframe[0].value["state"][0]
        at.button(key="stop").click().run()
        wait(lambda: ended(job))
    finally:
        if not ended(job):
            job.process.kill()
    assert job.exit_code == 128 + signal.SIGTERM
    at.run()
    assert "resume" in {b.key for b in at.button}
