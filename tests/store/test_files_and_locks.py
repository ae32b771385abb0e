from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from equilibria.sim.errors import CorruptRun, RunInUse, StorageFailed
from equilibria.sim.store import files
from equilibria.sim.store.lock import RunLock, is_locked


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"b": 1, "a": [1.5, "é"]})
    files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "--out"), (errno.EIO, "check the disk")]
)
def test_a_failed_write_keeps_the_old_content(tmp_path: Path, number: int, advice: str) -> None:
    path = tmp_path / "a.json"
    files.write_bytes(path, b"old")

    def torn(file: IO[bytes]) -> None:
        file.write(b"ne")
        raise OSError(number, os.strerror(number))

    with pytest.raises(StorageFailed, match=advice) as failed:
        files.replace_file(path, torn)
    assert str(path) in str(failed.value)
    assert failed.value.exit_code == 5
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        files.write_bytes(tmp_path / "absent" / "a", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no valid JSON"),
        (b'{"a":', "no valid JSON"),
        (b"[1]", "expected a JSON object, found list"),
        (b"\xff", "no valid JSON"),
    ],
)
def test_a_damaged_json_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(CorruptRun, match=message) as failed:
        files.read_json(path)
    assert str(path) in str(failed.value)


def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptRun, match=r"x.json: missing"):
        files.read_json(tmp_path / "x.json")
    with pytest.raises(CorruptRun, match="cannot be read"):
        files.read_json(tmp_path)


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with RunLock(tmp_path) as first:
        assert is_locked(tmp_path)
        with pytest.raises(RunInUse, match="another process is writing here"):
            RunLock(tmp_path)
        first.release()
        first.release()
        RunLock(tmp_path).release()
    assert not is_locked(tmp_path)


def test_asking_creates_no_lock_file(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from equilibria.sim.store.lock import RunLock
held = RunLock(Path({str(tmp_path)!r}))
print("held", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        stdout: Any = process.stdout
        assert stdout.readline() == "held\n"
        with pytest.raises(RunInUse):
            RunLock(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    RunLock(tmp_path).release()
