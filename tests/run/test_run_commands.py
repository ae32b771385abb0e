"""The commands run, resume, sweep, verify and replay in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from equilibria.sim.cli.app import build_app, main
from equilibria.sim.run import start_run
from equilibria.sim.scenario import Plan
from equilibria.sim.store import layout, open_run

Cli = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., subprocess.Popen[str]]
MakeScenario = Callable[..., Path]
MakePlan = Callable[..., Plan]
TableBytes = Callable[[Path], dict[str, bytes]]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs the command line in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


def test_run_prints_metrics_certificate_and_place(call: Call, make_scenario: MakeScenario, tmp_path: Path) -> None:
    code, out, err = call("run", make_scenario(), "--out", tmp_path / "r", "--set", "run.budget=50", "--seed", 3)
    assert (code, err) == (0, "")
    assert "toy: 50 periods, seed 3" in out
    assert "mean_position" in out
    assert "Certificate: drift = " in out
    assert f"Run: {tmp_path / 'r'}" in out
    code, out, err = call("run", make_scenario(), "--out", tmp_path / "r", "--set", "run.budget=50", "--seed", 3)
    assert code == 0
    assert "already complete" in err
    assert "Certificate: drift = " in out


def test_run_prints_the_summary_as_json(call: Call, make_scenario: MakeScenario, tmp_path: Path) -> None:
    code, out, _ = call("run", make_scenario(), "--out", tmp_path / "r", "--json")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "r" / layout.SUMMARY).read_bytes())


def test_the_default_place_names_plan_and_seed(
    call: Call, make_scenario: MakeScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("run", make_scenario())[0] == 0
    (run,) = (tmp_path / "runs").iterdir()
    manifest = open_run(run).manifest
    assert run.name == f"toy-{manifest['plan_hash'][:8]}-s7"


def test_each_kind_of_failure_has_its_exit_code(call: Call, make_scenario: MakeScenario, tmp_path: Path) -> None:
    scenario = make_scenario()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes").touch()
    cases: list[tuple[tuple[object, ...], int, str]] = [
        (("run", tmp_path / "absent.yaml"), 2, "absent.yaml"),
        (("run", scenario, "--set", "run.budget=-1"), 2, "run.budget"),
        (("run", scenario, "--out", tmp_path / "f", "--set", "game.params.fail_at=5"), 3, "wrong by intent"),
        (("run", scenario, "--out", tmp_path / "f"), 4, "holds another run"),
        (("run", scenario, "--out", foreign), 4, "not empty and not ours"),
        (("resume", foreign), 4, "not a run directory"),
        (("resume", tmp_path / "absent"), 4, "does not exist"),
        (("verify", foreign), 4, "not a run directory"),
        (("replay", tmp_path / "f"), 4, "only a complete run can be replayed"),
        (("sweep", scenario, "--out", tmp_path / "s"), 2, "no sweep section"),
        (("sweep", scenario, "--seeds", "5:2"), 2, "START:STOP"),
        (("sweep", scenario, "--seeds", "0:2", "--executor", "x", "--out", tmp_path / "s"), 2, "unknown executor"),
        (("run", scenario, "--out", scenario / "below"), 5, "cannot write"),
    ]
    for arguments, expected, message in cases:
        code, out, err = call(*arguments)
        assert (code, out) == (expected, ""), (arguments, err)
        assert message in err
        assert "Traceback" not in err
    assert not (tmp_path / "s").exists()
    assert [p.name for p in foreign.iterdir()] == ["notes"]


def test_a_sweep_prints_a_row_per_member(call: Call, make_scenario: MakeScenario, tmp_path: Path) -> None:
    scenario = make_scenario(sweep='sweep: {grid: {"game.params.fail_at": [0, 5]}}', failure="named")
    code, out, err = call("sweep", scenario, "--out", tmp_path / "s", "--executor", "serial")
    assert code == 3
    assert "game.params.fail_at=0  complete  drift" in out
    assert "game.params.fail_at=5  failed    the walk cannot pass unit 5" in out
    assert "try the failed members again" in err
    code, out, _ = call("resume", tmp_path / "s", "--executor", "serial", "--json")
    assert [member["status"] for member in json.loads(out)["members"]] == ["complete", "failed"]
    code, out, _ = call("verify", tmp_path / "s")
    assert (code, "sound" in out) == (0, True)


def test_verify_names_damage(call: Call, make_plan: MakePlan, tmp_path: Path) -> None:
    start_run(make_plan(), tmp_path / "r")
    code, out, _ = call("verify", tmp_path / "r")
    assert (code, "sound, 12 files checked" in out) == (0, True)
    part = layout.part_files(tmp_path / "r" / "metrics")[0]
    part.write_bytes(part.read_bytes()[:-1])
    code, out, err = call("verify", tmp_path / "r")
    assert (code, out) == (4, "")
    assert part.name in err
    code, out, _ = call("verify", tmp_path / "r", "--json")
    assert code == 4
    assert part.name in json.loads(out)["problems"][0]


def test_replay_compares_tables(call: Call, make_plan: MakePlan, tmp_path: Path) -> None:
    start_run(make_plan(), tmp_path / "r")
    code, out, err = call("replay", tmp_path / "r")
    assert (code, out) == (0, f"{tmp_path / 'r'}: identical (agents, metrics, certificate)\n"), err


def test_replay_says_where_tables_differ(call: Call, make_plan: MakePlan, tmp_path: Path) -> None:
    import polars as pl

    start_run(make_plan(), tmp_path / "r")
    part = layout.part_files(tmp_path / "r" / "tables" / "agents")[1]
    frame = pl.read_parquet(part)
    frame[3, "position"] = 0.25
    frame.write_parquet(part)
    summary = json.loads((tmp_path / "r" / layout.SUMMARY).read_bytes())
    summary["tables"]["agents"]["sha256"] = "0" * 64
    summary["certificate"]["value"] = 1.0
    (tmp_path / "r" / layout.SUMMARY).write_text(json.dumps(summary))
    code, out, err = call("replay", tmp_path / "r")
    assert (code, out) == (3, "")
    assert "table agents: row 306 (unit 102), column position: was 0.25, is" in err
    assert "certificate: value was 1.0, is" in err


def test_help_lists_the_commands() -> None:
    result = CliRunner().invoke(build_app(), ["--help"])
    for name in ("run", "resume", "sweep", "verify", "replay"):
        assert name in result.output


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_run(
    spawn: Spawn, make_scenario: MakeScenario, tmp_path: Path, number: signal.Signals
) -> None:
    process = spawn("run", make_scenario(delay=0.01), "--out", tmp_path / "r")
    wait_for(tmp_path / "r" / layout.STATUS, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert out == ""
    assert "state saved; go on with `equilibria resume" in err
    assert open_run(tmp_path / "r").state == "interrupted"


def test_a_second_signal_does_not_wait_for_compiled_code(
    spawn: Spawn, make_scenario: MakeScenario, tmp_path: Path
) -> None:
    computing = tmp_path / "computing"
    process = spawn("run", make_scenario(block=10**9, kill_once=computing), "--out", tmp_path / "r")
    wait_for(computing, process)
    for _ in range(2):
        time.sleep(0.2)  # equal signals that are pending together count once
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert open_run(tmp_path / "r").state == "killed"


def test_of_two_runs_in_one_directory_one_is_refused(
    spawn: Spawn, cli: Cli, make_scenario: MakeScenario, tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes
) -> None:
    scenario = make_scenario(delay=0.005)
    first = spawn("run", scenario, "--out", tmp_path / "r")
    second = spawn("run", scenario, "--out", tmp_path / "r")
    codes = set()
    for process in (first, second):
        _, err = process.communicate(timeout=60)
        codes.add(process.returncode)
        if process.returncode:
            assert "another process is writing here" in err or "unfinished" in err
    assert codes == {0, 4}
    start_run(make_plan(), tmp_path / "a")
    assert table_bytes(tmp_path / "r") == table_bytes(tmp_path / "a")


LIMIT_BYTES = 20_000
LIMITED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT_BYTES}, {LIMIT_BYTES}))
from equilibria.sim.cli.app import main
main(sys.argv[1:])
"""


def test_a_file_that_cannot_grow_is_exit_code_5_and_resume_goes_on(
    cli: Cli, make_scenario: MakeScenario, tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes
) -> None:
    import sys

    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "data" / "run_toys")}
    arguments = ["run", str(make_scenario(walkers=60)), "--out", str(tmp_path / "r")]
    limited = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert limited.returncode == 5, limited.stderr
    assert "cannot write: File too large; free some space" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert open_run(tmp_path / "r").state == "failed"
    assert not list((tmp_path / "r").rglob(".*.tmp"))
    assert cli("resume", tmp_path / "r").returncode == 0
    start_run(make_plan(walkers=60), tmp_path / "a")
    assert table_bytes(tmp_path / "r") == table_bytes(tmp_path / "a")


def test_a_full_disk_is_exit_code_5_and_resume_goes_on(
    cli: Cli, make_scenario: MakeScenario, tmp_path: Path, make_plan: MakePlan, table_bytes: TableBytes
) -> None:
    """Use a file system of 400 kB where mounting is allowed; elsewhere the one above stands for it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not mounted:
        (disk / "filler").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            _fail_after(patch, 400_000)
            code = _main_code("run", make_scenario(walkers=200), "--out", disk / "r")
        assert code == 5
        _check_resumed(cli, disk / "r", tmp_path / "a", make_plan, table_bytes)
        return
    try:
        failed = cli("run", make_scenario(walkers=200), "--out", disk / "r")
        assert failed.returncode == 5, failed.stderr
        assert "No space left on device; free some space" in failed.stderr
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        _check_resumed(cli, disk / "r", tmp_path / "a", make_plan, table_bytes)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _check_resumed(cli: Cli, run: Path, fresh: Path, make_plan: MakePlan, table_bytes: TableBytes) -> None:
    resumed = cli("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    start_run(make_plan(walkers=200), fresh)
    assert table_bytes(run) == table_bytes(fresh)


def _main_code(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return int(end.value.code or 0)


def _fail_after(patch: pytest.MonkeyPatch, limit: int) -> None:
    """Let ``os.fsync`` report a full disk once ``limit`` bytes were written."""
    import errno

    written = 0
    genuine = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal written
        written += os.fstat(descriptor).st_size
        if written > limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        genuine(descriptor)

    patch.setattr(os, "fsync", fsync)


def test_a_read_only_place_is_exit_code_5_and_nothing_is_left(
    call: Call, make_scenario: MakeScenario, tmp_path: Path
) -> None:
    """Root may write anywhere, so the place is one where not even root can create a folder."""
    code, out, err = call("run", make_scenario(), "--out", "/proc/equilibria/run")
    assert (code, out) == (5, "")
    assert "/proc/equilibria/run: cannot write" in err


def test_a_locked_folder_of_ours_is_refused(call: Call, make_plan: MakePlan, tmp_path: Path) -> None:
    from equilibria.sim.store.lock import RunLock

    start_run(make_plan(), tmp_path / "r")
    (tmp_path / "r" / layout.SUMMARY).unlink()
    with RunLock(tmp_path / "r"):
        code, _, err = call("resume", tmp_path / "r")
    assert code == 4
    assert "another process is writing here" in err
