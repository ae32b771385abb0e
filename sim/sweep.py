"""Sweeps: a folder with ``sweep.json`` and one run directory per grid point and seed.

The members' resolved scenarios are stored in ``sweep.json``, so that a sweep can be resumed without
its scenario file.  Members that fail are marked and the others go on; ``resume_sweep`` runs what is
not complete.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equilibria.sim.errors import RunExists
from equilibria.sim.executors import Executor, Job, JobResult, make_executor
from equilibria.sim.stop_signals import StopSignals
from equilibria.sim.store import layout
from equilibria.sim.store.directory import check_place, read_status
from equilibria.sim.store.files import make_folder, write_bytes, write_json
from equilibria.sim.store.lock import RunLock
from equilibria.sim.store.manifest import versions
from equilibria.sim.store.reader import read_sweep_manifest
from equilibria.sim.types import JSON

if TYPE_CHECKING:
    from equilibria.sim.scenario import Member, Plan


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """How a sweep ended.

    Attributes:
        path: The sweep's folder.
        results: Result per member that was executed now or was complete before, in member order.
        pending: Labels of members not begun or interrupted.
        signal: Signal that stopped the sweep, else 0.
        messages: What the user should know.
    """

    path: Path
    results: tuple[JobResult, ...]
    pending: tuple[str, ...] = ()
    signal: int = 0
    messages: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Exit code: 130 or 143 when interrupted, 3 when a member failed, else 0."""
        if self.signal:
            return 128 + self.signal
        return 3 if any(result.status == "failed" for result in self.results) else 0


def start_sweep(
    plan: Plan,
    path: Path,
    *,
    executor: str = "process",
    jobs: int = 1,
    seeds: tuple[int, int] | None = None,
    argv: Sequence[str] = (),
    progress: bool = False,
) -> SweepOutcome:
    """Run the members of a plan's sweep in a new folder.

    Args:
        plan: A plan with a sweep section, or any plan when ``seeds`` is given.
        path: The sweep's folder; absent, empty, or the finished sweep of the same plan.
        executor: ``"process"`` or ``"serial"``.
        jobs: Number of workers of ``process``.
        seeds: First seed number and count, instead of the scenario's.
        argv: Command line for the manifests.
        progress: Draw a progress line when standard error is a terminal.

    Raises:
        ScenarioError: If a grid point is not a valid scenario; nothing is written.
        RunStoreError: If the folder cannot be used.
    """
    runner = make_executor(executor, jobs)
    start, count = seeds if seeds is not None else (None, None)
    entries = [_entry(member) for member in plan.members(start=start, count=count)]
    manifest: dict[str, JSON] = {
        "format": layout.FORMAT,
        "name": plan.name,
        "plan_hash": plan.hash,
        "seed": plan.seed,
        "sweep": plan.resolved["sweep"],
        "members": [*entries],
        "versions": versions(),
        "argv": list(argv),
    }
    if check_place(path, marker=layout.SWEEP):
        return _already_there(path, manifest)
    make_folder(path)
    with RunLock(path):
        if check_place(path, marker=layout.SWEEP):
            return _already_there(path, manifest)
        write_bytes(path / layout.SCENARIO, plan.source)
        write_json(path / layout.SWEEP, manifest)
        return _execute(path, manifest, runner, progress=progress)


def resume_sweep(path: Path, *, executor: str = "process", jobs: int = 1, progress: bool = False) -> SweepOutcome:
    """Run the members of a sweep that are not complete.

    Raises:
        RunStoreError: If the folder is no sweep, in use, too new or damaged.
    """
    runner = make_executor(executor, jobs)
    manifest = read_sweep_manifest(path)
    with RunLock(path):
        return _execute(path, manifest, runner, progress=progress)


def member_path(sweep: Path, label: str) -> Path:
    """Return a member's run directory."""
    return sweep / layout.MEMBERS / label


def _entry(member: Member) -> dict[str, JSON]:
    plan = member.plan()
    return {
        "label": _folder_name(member.index, member.label),
        "title": member.label,
        "overrides": dict(member.overrides),
        "seed_number": member.seed_number,
        "seed": member.seed,
        "plan_hash": plan.hash,
        "resolved": plan.resolved,
    }


def _folder_name(index: int, title: str) -> str:
    """Return a folder name that sorts in member order and tells what the member is."""
    slug = re.sub(r"[^A-Za-z0-9._=+]+", "-", title).strip("-.")[:60]
    return f"{index:04d}-{slug}" if slug else f"{index:04d}"


def _already_there(path: Path, manifest: dict[str, JSON]) -> SweepOutcome:
    existing = read_sweep_manifest(path)
    if _identity(existing) != _identity(manifest):
        raise RunExists(f"{path}: holds another sweep ({existing.get('name')}); choose another --out")
    complete = [entry["label"] for entry in existing["members"] if _is_complete(member_path(path, entry["label"]))]
    if len(complete) < len(existing["members"]):
        left = len(existing["members"]) - len(complete)
        raise RunExists(
            f"{path}: holds this sweep with {left} of {len(existing['members'])} members unfinished; "
            f"use `equilibria resume {path}` or another --out"
        )
    results = tuple(JobResult(label, "complete") for label in complete)
    return SweepOutcome(path, results, messages=(f"{path}: already complete",))


def _identity(manifest: dict[str, Any]) -> list[tuple[Any, Any, Any]]:
    return [(entry["label"], entry.get("plan_hash"), entry.get("seed")) for entry in manifest["members"]]


def _is_complete(member: Path) -> bool:
    return (member / layout.SUMMARY).is_file() and read_status(member).get("status") == "complete"


def _execute(path: Path, manifest: dict[str, Any], runner: Executor, *, progress: bool) -> SweepOutcome:
    labels = [str(entry["label"]) for entry in manifest["members"]]
    results: dict[str, JobResult] = {}
    pending: list[Job] = []
    source = (path / layout.SCENARIO).read_bytes() if (path / layout.SCENARIO).is_file() else b""
    argv = tuple(manifest.get("argv", ()))
    for entry in manifest["members"]:
        member = member_path(path, entry["label"])
        if _is_complete(member):
            results[entry["label"]] = JobResult(entry["label"], "complete")
        else:
            pending.append(Job(entry["label"], str(member), entry.get("resolved", {}), source, argv))
    line = _Line(manifest["name"], len(labels), show=progress)

    def done(result: JobResult) -> None:
        results[result.label] = result
        line.update(results)

    line.update(results)
    try:
        with StopSignals() as stop:
            runner.run(pending, done, stop)
    finally:
        line.close()
    ordered = tuple(results[label] for label in labels if label in results)
    ended = {result.label for result in ordered if result.status != "interrupted"}
    left = tuple(label for label in labels if label not in ended)
    return SweepOutcome(path, ordered, left, stop.received if left else 0)


class _Line:
    """Progress of a sweep on a terminal."""

    def __init__(self, name: str, total: int, *, show: bool) -> None:
        self._name, self._total = name, total
        self._show = show and sys.stderr is not None and sys.stderr.isatty()

    def update(self, results: dict[str, JobResult]) -> None:
        """Redraw."""
        if self._show:
            failed = sum(result.status == "failed" for result in results.values())
            sys.stderr.write(f"\r{self._name}  {len(results)}/{self._total} members, {failed} failed ")
            sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        if self._show:
            sys.stderr.write("\n")
