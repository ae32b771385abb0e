"""Runs started from a page: the same command as in a terminal, in a process of its own.

A job is ``equilibria run`` (``sweep``, ``resume``) detached from the server: it goes on when the browser
or the server goes away, and its run directory is that of the command line.  The texts that were given
and what the commands printed lie in the hidden folder ``.launch`` of the runs folder.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from equilibria.sim.errors import InvalidValue, StorageFailed
from equilibria.sim.store import layout
from equilibria.sim.store.directory import check_place
from equilibria.sim.store.lock import is_locked
from equilibria.sim.store.stopping import request_stop, writer_of

FOLDER: Final = ".launch"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Job:
    """A started command.

    Attributes:
        name: Name of its run directory in the runs folder.
        command: ``run``, ``sweep`` or ``resume``.
        process: The process.
        output: File that receives what the command prints.
    """

    name: str
    command: str
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def exit_code(self) -> int | None:
        """Exit code, ``None`` while it runs."""
        return self.process.poll()

    def tail(self, lines: int = 12) -> str:
        """Return the last lines that the command printed."""
        try:
            text = self.output.read_bytes()[-20_000:].decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])


class Jobs:
    """The jobs of one server.

    Args:
        root: The runs folder; made when the first job starts.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._jobs: dict[str, Job] = {}
        self._asked: dict[str, int] = {}  # process that was asked to stop, by run
        self._lock = threading.Lock()

    def all(self) -> list[Job]:
        """Return the jobs, the latest first."""
        return list(reversed(self._jobs.values()))

    def find(self, name: str) -> Job | None:
        """Return the job of a run directory, if this server started it."""
        return self._jobs.get(name)

    def start(self, scenario: str, name: str, *, seed: int | None = None, sweep: bool = False, workers: int = 1) -> Job:
        """Start a run or a sweep.

        Args:
            scenario: Text of the scenario (YAML).
            name: Name of the new run directory.
            seed: Replaces ``run.seed``.
            sweep: Run the members of the scenario's sweep.
            workers: Parallel members of a sweep.

        Raises:
            InvalidValue: If the name cannot be used.
            NotARun: If foreign files lie there.
            StorageFailed: If the runs folder is not writable.
        """
        path = self.place(name)
        given = self._folder() / f"{name}.yaml"
        try:
            given.write_bytes(scenario.encode())
        except OSError as error:
            raise StorageFailed(f"{given}: cannot be written: {error}; free space or change its rights") from error
        options = ["--out", str(path)]
        if sweep:
            return self._begin("sweep", name, [str(given), *options, "--jobs", str(workers)])
        return self._begin("run", name, [str(given), *options, *(["--seed", str(seed)] if seed is not None else [])])

    def resume(self, name: str, path: Path) -> Job:
        """Go on with an unfinished run or sweep in the runs folder."""
        return self._begin("resume", name, [str(path)])

    def stop(self, name: str) -> bool:
        """Ask whoever writes a run or sweep of the runs folder to save and stop.

        It does not matter who started it.  A process is asked once: a second request would end it at once.

        Returns:
            Whether a process was asked, now or before.

        Raises:
            InvalidValue: If it is written from another machine or by another user.
        """
        job = self._jobs.get(name)
        path = self._root / name
        with self._lock:
            writer = writer_of(path)
            if writer is None and job is not None and job.exit_code is None:
                writer = job.process.pid  # it has not taken the lock yet
                if self._asked.get(name) != writer:
                    job.process.send_signal(signal.SIGTERM)
            elif writer is None and not is_locked(path):
                return False
            elif writer is None or self._asked.get(name) != writer:
                writer = request_stop(path)
            self._asked[name] = writer
        return True

    def can_stop(self, name: str) -> bool:
        """Say whether ``stop`` can reach who writes a run or sweep, and has not asked yet."""
        job = self._jobs.get(name)
        if job is not None and job.exit_code is None:
            return self._asked.get(name) not in (job.process.pid, writer_of(self._root / name) or -1)
        writer = writer_of(self._root / name)
        return writer is not None and self._asked.get(name) != writer

    def place(self, name: str) -> Path:
        """Return the folder for a new run.

        Raises:
            InvalidValue: If the name is not plain, or taken.
            NotARun: If foreign files lie there.
        """
        if not _NAME.fullmatch(name):
            raise InvalidValue(
                f"the name {name[:100]!r} cannot be used: letters, digits, '.', '_' and '-', starting with a letter "
                "or digit, at most 100"
            )
        path = self._root / name
        if (path / layout.SWEEP).is_file() or check_place(path):
            raise InvalidValue(f"{name!r} exists already; resume it, or choose another name")
        return path

    def _folder(self) -> Path:
        folder = self._root / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailed(f"{folder}: cannot be made: {error}; choose another runs folder") from error
        return folder

    def _begin(self, command: str, name: str, arguments: Sequence[str]) -> Job:
        with self._lock:
            running = self._jobs.get(name)
            if running is not None and running.exit_code is None:
                raise InvalidValue(f"{name!r} is being written by a job of this server; stop it first")
            output = self._folder() / f"{name.replace('/', '__')}.log"
            with output.open("wb") as stream:
                process = subprocess.Popen(
                    [sys.executable, "-m", "equilibria.sim.cli.app", command, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            job = Job(name, command, process, output)
            self._jobs.pop(name, None)
            self._jobs[name] = job
            return job
