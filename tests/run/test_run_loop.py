from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equilibria.sim import run as run_module
from equilibria.sim.api import default_out
from equilibria.sim.api import run as run_scenario
from equilibria.sim.contract import Recorder
from equilibria.sim.errors import (
    CorruptRun,
    NotARun,
    NumericalError,
    PluginError,
    RunExists,
    RunInUse,
    SolverError,
    StorageFailed,
)
from equilibria.sim.run import mark_failed, resume_run, start_run
from equilibria.sim.scenario import Plan
from equilibria.sim.store import files, layout, open_run
from equilibria.sim.store.directory import RunDirectory
from equilibria.sim.store.verify import verify_run

MakePlan = Callable[..., Plan]
TableBytes = Callable[[Path], dict[str, bytes]]


class Altered:
    """A plan whose engine's ``advance`` is replaced; everything else is the real plan."""

    def __init__(self, plan: Plan, advance: Callable[[Any, int, Recorder], Any]) -> None:
        self._plan, self._advance = plan, advance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plan, name)

    def build(self) -> Any:
        engine = self._plan.build()
        original = engine.advance
        engine.advance = lambda n, out: self._advance(original, n, out)  # type: ignore[method-assign]
        return engine


def units(path: Path) -> list[int]:
    frame = open_run(path).metrics().filter(pl.col("metric") == "mean_position").collect()
    return list(frame["unit"])


def test_a_run_ends_with_a_certificate_and_sound_files(tmp_path: Path, make_plan: MakePlan) -> None:
    outcome = start_run(make_plan(), tmp_path / "a")
    assert (outcome.status, outcome.unit, outcome.exit_code) == ("complete", 300, 0)
    run = open_run(tmp_path / "a")
    assert units(run.path) == list(range(301))
    assert run.table("agents").collect().height == 3 * 301
    assert run.certificate is not None
    assert run.certificate["value"] == run.summary["metrics"]["mean_position"]
    assert set(run.summary["metrics"]["extreme"]) == {"low", "high"}
    assert verify_run(run.path).problems == []
    assert verify_run(run.path).notes == []
    assert sorted(p.name for p in run.path.iterdir()) == sorted(layout.RUN_ENTRIES - {layout.ERROR, layout.LIVE})


@pytest.mark.parametrize("seed", range(3))
def test_results_do_not_depend_on_the_size_of_chunks(
    tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    import random

    start_run(make_plan(), tmp_path / "a")
    numbers = random.Random(seed)
    monkeypatch.setattr(run_module, "_next_chunk", lambda *_: numbers.randint(1, 60))
    start_run(make_plan(), tmp_path / "b")
    assert table_bytes(tmp_path / "b") == table_bytes(tmp_path / "a")


@pytest.mark.parametrize("budget", [1, 99, 100, 101])
def test_the_budget_is_counted_in_units(tmp_path: Path, make_plan: MakePlan, budget: int) -> None:
    start_run(make_plan(budget=budget), tmp_path / "a")
    assert units(tmp_path / "a") == list(range(budget + 1))


@pytest.mark.parametrize("finish_at", [50, 100, 250])
def test_an_engine_may_finish_early(
    tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes, finish_at: int
) -> None:
    outcome = start_run(make_plan(finish_at=finish_at), tmp_path / "a")
    assert outcome.unit == finish_at
    run = open_run(tmp_path / "a")
    assert run.summary is not None
    assert run.summary["metrics"]["final"] == finish_at
    assert verify_run(run.path).problems == []
    # the last row is recorded by the call that finds nothing left to do; a run killed before the
    # summary was written must come to the same end
    (run.path / layout.SUMMARY).unlink()
    resume_run(run.path, make_plan(finish_at=finish_at))
    start_run(make_plan(finish_at=finish_at), tmp_path / "b")
    assert table_bytes(tmp_path / "a") == table_bytes(tmp_path / "b")
    assert (tmp_path / "a" / layout.SUMMARY).read_bytes() == (tmp_path / "b" / layout.SUMMARY).read_bytes()


FAILURES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"fail_at": 250, "failure": "named"}, SolverError, "the walk cannot pass unit 250"),
    ({"fail_at": 250, "failure": "value"}, PluginError, "failed at unit .*: ValueError: wrong by intent"),
    ({"fail_at": 250, "failure": "memory"}, PluginError, "MemoryError"),
    ({"fail_at": 250, "failure": "nan"}, NumericalError, "metric mean_position became nan at unit 250"),
]


@pytest.mark.parametrize(("settings", "kind", "message"), FAILURES)
def test_a_failing_engine_keeps_what_was_recorded(
    tmp_path: Path, make_plan: MakePlan, settings: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        start_run(make_plan(**settings), tmp_path / "a")
    run = open_run(tmp_path / "a")
    assert run.state == "failed"
    assert run.error is not None
    assert run.error["class"] == kind.__name__
    assert 200 <= run.error["unit"] < 250
    assert units(run.path) == list(range(250))
    assert verify_run(run.path).problems == []
    assert run.log()[-1]["event"] == "failed"
    with pytest.raises(kind, match=message):  # deterministic: it fails again, from the checkpoint
        resume_run(tmp_path / "a", make_plan(**settings))
    assert units(run.path) == list(range(250))
    assert [e["unit"] for e in run.log() if e["event"] == "resume"] == [200]


def test_a_failing_certificate_leaves_a_run_that_can_be_resumed(tmp_path: Path, make_plan: MakePlan) -> None:
    with pytest.raises(SolverError, match="no certificate today"):
        start_run(make_plan(failure="certificate"), tmp_path / "a")
    run = open_run(tmp_path / "a")
    assert (run.state, run.summary) == ("failed", None)
    assert units(run.path) == list(range(301))


@pytest.mark.parametrize("answer", [-1, 10**9, 0.5, None])
def test_an_engine_that_miscounts_is_named(tmp_path: Path, make_plan: MakePlan, answer: Any) -> None:
    with pytest.raises(PluginError, match=r"engine returned .* units from advance"):
        start_run(Altered(make_plan(), lambda advance, n, out: answer), tmp_path / "a")


def test_an_engine_may_count_with_numpy_integers(tmp_path: Path, make_plan: MakePlan) -> None:
    start_run(Altered(make_plan(), lambda advance, n, out: np.int64(advance(n, out))), tmp_path / "a")
    assert open_run(tmp_path / "a").unit == 300


def test_a_failing_build_leaves_no_directory(tmp_path: Path, make_plan: MakePlan) -> None:
    class Unbuildable(Altered):
        def build(self) -> Any:
            raise SolverError("cannot")

    with pytest.raises(SolverError):
        start_run(Unbuildable(make_plan(), lambda *_: 0), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [0, 1, 100, 157])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes, number: signal.Signals, at: int
) -> None:
    start_run(make_plan(), tmp_path / "a")
    done = 0

    def interrupting(advance: Callable[[int, Recorder], int], n: int, out: Recorder) -> int:
        nonlocal done
        count = advance(min(n, max(at - done, 1)) if done < at else n, out)
        done += count
        if at - count < done <= max(at, 1) and done >= at:
            os.kill(os.getpid(), number)
        return count

    outcome = start_run(Altered(make_plan(), interrupting), tmp_path / "b")
    assert outcome.exit_code == 128 + number
    run = open_run(tmp_path / "b")
    assert (run.state, run.unit) == ("interrupted", max(at, 1))
    assert verify_run(run.path).problems == []
    assert resume_run(tmp_path / "b", make_plan()).status == "complete"
    assert table_bytes(tmp_path / "b") == table_bytes(tmp_path / "a")
    assert (tmp_path / "b" / layout.SUMMARY).read_bytes() == (tmp_path / "a" / layout.SUMMARY).read_bytes()


def test_a_second_signal_ends_at_once(tmp_path: Path, make_plan: MakePlan) -> None:
    def twice(advance: Callable[[int, Recorder], int], n: int, out: Recorder) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return advance(n, out)

    with pytest.raises(KeyboardInterrupt):
        start_run(Altered(make_plan(), twice), tmp_path / "a")
    assert open_run(tmp_path / "a").state == "killed"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert resume_run(tmp_path / "a", make_plan()).status == "complete"


def test_the_finished_run_of_the_same_plan_is_returned_as_it_is(tmp_path: Path, make_plan: MakePlan) -> None:
    start_run(make_plan(), tmp_path / "a")
    before = (tmp_path / "a" / layout.STATUS).read_bytes()
    again = start_run(make_plan(), tmp_path / "a")
    assert again.messages == (f"{tmp_path / 'a'}: already complete",)
    assert resume_run(tmp_path / "a", make_plan()).status == "complete"
    assert (tmp_path / "a" / layout.STATUS).read_bytes() == before


def test_the_place_of_another_run_is_refused(tmp_path: Path, make_plan: MakePlan) -> None:
    start_run(make_plan(), tmp_path / "a")
    for other in (make_plan(seed=8), make_plan(budget=301)):
        with pytest.raises(RunExists, match=r"holds another run \(toy"):
            start_run(other, tmp_path / "a")
        with pytest.raises(CorruptRun, match="does not have the recorded plan hash"):
            resume_run(tmp_path / "a", other)


def test_an_unfinished_run_is_not_started_again(tmp_path: Path, make_plan: MakePlan) -> None:
    with pytest.raises(SolverError):
        start_run(make_plan(fail_at=5, failure="named"), tmp_path / "a")
    with pytest.raises(RunExists, match="unfinished; use `equilibria resume"):
        start_run(make_plan(fail_at=5, failure="named"), tmp_path / "a")


def test_a_run_in_use_is_refused(tmp_path: Path, make_plan: MakePlan) -> None:
    with pytest.raises(SolverError):
        start_run(make_plan(fail_at=5, failure="named"), tmp_path / "a")
    with RunDirectory.open(tmp_path / "a"), pytest.raises(RunInUse):
        resume_run(tmp_path / "a", make_plan(fail_at=5, failure="named"))


def test_foreign_files_stop_a_run_before_anything_is_built(tmp_path: Path, make_plan: MakePlan) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    plan = Altered(make_plan(), lambda *_: 0)
    plan.build = None  # type: ignore[method-assign, assignment]
    with pytest.raises(NotARun, match=r"notes\.txt"):
        start_run(plan, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("damage", ["newest state", "both states", "latest file", "old part"])
def test_a_damaged_run_goes_on_from_the_newest_usable_state(
    tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes, damage: str
) -> None:
    start_run(make_plan(), tmp_path / "a")
    plan = make_plan(fail_at=250, failure="named")
    with pytest.raises(SolverError):
        start_run(plan, tmp_path / "b")
    states = tmp_path / "b" / layout.CHECKPOINTS
    expected = {"newest state": 100, "both states": 0, "latest file": 200, "old part": 0}[damage]
    if damage in ("newest state", "both states"):
        (states / layout.state_name(200)).write_bytes(b"PK\x03\x04 torn")
    if damage == "both states":
        (states / layout.state_name(100)).unlink()
    if damage == "latest file":
        (states / layout.LATEST).write_bytes(b"{")
    if damage == "old part":
        part = layout.part_files(tmp_path / "b" / "metrics")[0]
        part.write_bytes(part.read_bytes()[:-9])
    (tmp_path / "b" / "metrics" / ".part-000000000123.parquet.tmp").write_bytes(b"torn")

    class Mended(Altered):
        def build(self) -> Any:
            engine = self._plan.build()
            engine.settings = engine.settings.model_copy(update={"fail_at": 0})  # type: ignore[attr-defined]
            return engine

    outcome = resume_run(tmp_path / "b", Mended(plan, lambda *_: 0))
    assert outcome.messages
    assert f"going on from unit {expected}" in outcome.messages[-1]
    entry = next(e for e in open_run(tmp_path / "b").log() if e["event"] == "resume")
    assert entry["unit"] == expected
    assert entry["messages"] == list(outcome.messages)
    assert table_bytes(tmp_path / "b") == table_bytes(tmp_path / "a")
    report = verify_run(tmp_path / "b")
    assert (report.problems, report.notes) == ([], [])


def test_a_full_disk_is_reported_and_resumed(
    tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_run(make_plan(), tmp_path / "a")
    genuine = files.write_bytes

    def full(path: Path, data: bytes) -> None:
        if "part-000000000200" in path.name:
            raise StorageFailed(f"{path}: cannot write: No space left on device; free some space")
        genuine(path, data)

    with monkeypatch.context() as patch:
        patch.setattr("equilibria.sim.store.writer.write_bytes", full)
        with pytest.raises(StorageFailed, match="free some space"):
            start_run(make_plan(), tmp_path / "b")
    assert open_run(tmp_path / "b").state == "failed"
    resume_run(tmp_path / "b", make_plan())
    assert table_bytes(tmp_path / "b") == table_bytes(tmp_path / "a")


def test_a_run_whose_process_died_can_be_marked_failed(tmp_path: Path, make_plan: MakePlan) -> None:
    mark_failed(tmp_path / "a", make_plan(), SolverError("gone"))
    run = open_run(tmp_path / "a")
    assert (run.state, run.error) == ("failed", {"class": "SolverError", "message": "gone", "unit": 0})
    assert resume_run(tmp_path / "a", make_plan()).status == "complete"


@pytest.mark.parametrize(("number", "end"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_the_library_saves_and_raises_when_interrupted(
    tmp_path: Path, make_plan: MakePlan, number: signal.Signals, end: type[BaseException]
) -> None:
    def interrupting(advance: Callable[[int, Recorder], int], n: int, out: Recorder) -> int:
        os.kill(os.getpid(), number)
        return advance(n, out)

    plan: Any = Altered(make_plan(), interrupting)
    with pytest.raises(end):
        run_scenario(plan, tmp_path / "a")
    assert open_run(tmp_path / "a").state == "interrupted"


def test_the_library_runs_a_scenario_file(
    tmp_path: Path, make_scenario: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, make_plan: MakePlan
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario = make_scenario()
    run = run_scenario(scenario, seed=9, overrides=["run.budget=40"])
    plan = Plan.from_resolved(run.manifest["resolved"])
    assert (run.state, run.seed, run.unit) == ("complete", 9, 40)
    assert run.path == default_out(plan)
    assert run.path.name.startswith("toy-")
    assert (run.path / layout.SCENARIO).read_bytes() == scenario.read_bytes()
    import equilibria

    assert equilibria.open_run(run.path).summary == run.summary
