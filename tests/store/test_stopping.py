"""Who holds a folder is known, and only that process is asked to stop."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from equilibria.sim.errors import InvalidValue
from equilibria.sim.store import layout, stopping
from equilibria.sim.store.lock import RunLock, holder
from equilibria.sim.store.stopping import request_stop, writer_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists who holds a lock: stop is not covered")
HOLD = """
import sys, time
from pathlib import Path
from equilibria.sim.store.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@linux
def test_the_holder_of_a_lock_is_found_and_asked_once(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            with RunLock(tmp_path / "other"):
                assert holder(tmp_path / "other") == os.getpid()
            with (tmp_path / layout.LOCK).open("rb"):  # a reader of the file is not its holder
                assert holder(tmp_path) == writer_of(tmp_path) == process.pid
            assert request_stop(tmp_path) == process.pid
            assert process.wait(timeout=20) == -signal.SIGTERM
        finally:
            process.kill()
    assert writer_of(tmp_path) is None


@linux
def test_nothing_is_sent_where_nobody_writes_or_to_this_process(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="nobody is writing"):
        request_stop(tmp_path)
    (tmp_path / layout.STATUS).write_text(f'{{"status": "running", "pid": {os.getppid()}}}')
    with pytest.raises(InvalidValue, match="nobody is writing"):
        request_stop(tmp_path)
    with RunLock(tmp_path), pytest.raises(InvalidValue, match="this very process"):
        request_stop(tmp_path)


@linux
def test_a_lock_held_from_elsewhere_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "holder", lambda folder: None)
    with RunLock(tmp_path), pytest.raises(InvalidValue, match="where it was started"):
        request_stop(tmp_path)


def test_without_proc_the_status_names_the_process_of_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    status = tmp_path / layout.STATUS
    here = platform.node()
    with RunLock(tmp_path):
        for text, wanted in {
            f'{{"status": "running", "pid": {os.getpid()}, "host": "{here}"}}': os.getpid(),
            f'{{"status": "running", "pid": {os.getpid()}, "host": "elsewhere"}}': None,
            f'{{"status": "complete", "pid": {os.getpid()}, "host": "{here}"}}': None,
            f'{{"status": "running", "pid": 0, "host": "{here}"}}': None,
            f'{{"status": "running", "host": "{here}"}}': None,
        }.items():
            status.write_text(text)
            assert writer_of(tmp_path) == wanted
