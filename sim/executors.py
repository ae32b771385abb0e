"""Executors: where the members of a sweep are executed; a member is a run directory in any case.

``serial`` runs them one after the other in this process; ``process`` in spawned workers.  When a
worker dies (killed, out of memory), the members that were under way are suspects: each one is tried
once more, alone; if its worker dies again, the member is marked failed (``WorkerDied``).  The rest
goes on with half the workers.  Results never depend on the executor or on the number of workers.

This module stays light: workers import it before the numeric libraries.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from equilibria.sim.errors import EquilibriaError, WorkerDied, unknown_name
from equilibria.sim.stop_signals import StopSignals
from equilibria.sim.worker_limits import worker_environment

if TYPE_CHECKING:
    from equilibria.sim.scenario import Plan

_POLL_SECONDS: Final = 0.5
Status = Literal["complete", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Job:
    """One member to execute; travels to workers.

    Attributes:
        label: Name of the member's folder.
        path: Run directory; it is resumed when it exists.
        resolved: The member's resolved scenario.
        source: The scenario file as given.
        argv: Command line for the manifest.
    """

    label: str
    path: str
    resolved: dict[str, Any]
    source: bytes
    argv: tuple[str, ...] = ()

    def plan(self) -> Plan:
        """Return the member's plan."""
        from equilibria.sim.scenario import Plan

        return Plan.from_resolved(self.resolved, source=self.source)


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a member ended; ``message`` says why it failed."""

    label: str
    status: Status
    message: str = ""


Done = Callable[[JobResult], None]


class Executor(Protocol):
    """Executes jobs, each at most twice, and reports every one that began."""

    def run(self, jobs: Sequence[Job], done: Done, stop: StopSignals) -> None:
        """Execute jobs; ``done`` is called in this process, in the order of completion.

        Args:
            jobs: What to execute.
            done: Receives each result.
            stop: When it has received a signal, no job is begun and those under way save and stop.
        """
        ...


class SerialExecutor:
    """One member after the other, in this process."""

    def run(self, jobs: Sequence[Job], done: Done, stop: StopSignals) -> None:
        """Execute jobs (see ``Executor``)."""
        for job in jobs:
            if stop.received:
                return
            done(execute(job, stop))


class ProcessExecutor:
    """Members in ``workers`` spawned processes, one thread of the numeric libraries in each.

    Args:
        workers: Number of processes, at least 1.
    """

    def __init__(self, workers: int) -> None:
        self._workers = max(1, workers)

    def run(self, jobs: Sequence[Job], done: Done, stop: StopSignals) -> None:
        """Execute jobs (see ``Executor``)."""
        waiting, suspects = deque(jobs), deque[Job]()
        workers = self._workers
        while (waiting or suspects) and not stop.received:
            alone = bool(suspects)
            queue = deque([suspects.popleft()]) if alone else waiting
            lost = _drain(queue, 1 if alone else workers, done, stop)
            if stop.received:
                for job in lost:
                    done(JobResult(job.label, "interrupted"))
            elif alone:
                for job in lost:
                    done(_died(job))
            elif lost:
                suspects.extend(lost)
                workers = max(1, workers // 2)


def make_executor(name: str, workers: int) -> Executor:
    """Return an executor by name.

    Raises:
        UnknownName: If there is none of this name.
    """
    if name == "serial":
        return SerialExecutor()
    if name == "process":
        return ProcessExecutor(workers)
    raise unknown_name("executor", name, ("process", "serial"))


def execute(job: Job, stop: StopSignals) -> JobResult:
    """Run or resume one member in this process; errors become results."""
    from equilibria.sim.run import mark_failed, resume_run, start_run
    from equilibria.sim.store import layout

    path = Path(job.path)
    try:
        plan = job.plan()
        if (path / layout.MANIFEST).is_file():
            outcome = resume_run(path, plan, signals=stop)
        else:
            outcome = start_run(plan, path, argv=job.argv, signals=stop)
    except EquilibriaError as error:
        if not (path / layout.MANIFEST).is_file():  # it failed before it had a directory
            with suppress(EquilibriaError):
                mark_failed(path, job.plan(), error)
        return JobResult(job.label, "failed", str(error))
    return JobResult(job.label, "interrupted" if outcome.signal else "complete", "; ".join(outcome.messages))


def _died(job: Job) -> JobResult:
    """Mark a member whose worker died twice."""
    from equilibria.sim.run import mark_failed

    error = WorkerDied(f"{job.path}: the worker process died twice (killed or out of memory)")
    try:
        mark_failed(Path(job.path), job.plan(), error)
    except EquilibriaError as second:
        return JobResult(job.label, "failed", f"{error}; {second}")
    return JobResult(job.label, "failed", str(error))


def _drain(queue: deque[Job], workers: int, done: Done, stop: StopSignals) -> list[Job]:
    """Execute jobs from the queue in one pool; returns those that were under way when it broke."""
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    running: dict[Future[JobResult], Job] = {}
    told = False
    with worker_environment(workers):
        pool = ProcessPoolExecutor(min(workers, len(queue)), mp_context=context, initializer=_prepare_worker)
        try:
            while queue or running:
                while queue and len(running) < workers and not stop.received:
                    running[pool.submit(_work, queue[0])] = queue[0]
                    queue.popleft()  # only now: a pool that refuses must not lose the job
                if stop.received and not told:
                    told = True
                    _terminate(others)
                if not running:
                    break
                finished, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in finished:
                    result = future.result()
                    del running[future]
                    done(result)
        except BrokenProcessPool:
            return _salvage(running, done) if running else [queue.popleft()]
        except KeyboardInterrupt:
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return []


def _salvage(running: dict[Future[JobResult], Job], done: Done) -> list[Job]:
    """Report what finished before the pool broke; return the rest."""
    lost: list[Job] = []
    wait(running)
    for future, job in running.items():
        try:
            done(future.result())
        except BrokenProcessPool:
            lost.append(job)
    return lost


def _terminate(others: set[Any]) -> None:
    """Ask this pool's workers to save and stop."""
    for child in set(multiprocessing.active_children()) - others:
        child.terminate()


def _prepare_worker() -> None:
    """Leave SIGINT to the parent, and stop (saved) when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, name="equilibria-parent", daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _work(job: Job) -> JobResult:
    """Execute a job in a worker; after SIGTERM the worker saves and ends."""
    with StopSignals(escalate=False) as stop:
        result = execute(job, stop)
        if stop.received:
            # The pool waits for its workers without end when they neither die nor answer.
            os._exit(128 + stop.received)
    return result
