"""The run loop: drives an engine through its budget and commits what it records.

1. Build the engine, create the directory (or take it over at its newest usable checkpoint).
2. Call ``advance`` with as many units as take about ``CHUNK_SECONDS``, never beyond the next
   checkpoint.  The size of a chunk depends on time, the results do not (contract of ``Engine``).
3. At multiples of ``checkpoint_every``: parts, state file, ``LATEST.json``.
4. On SIGINT or SIGTERM: save an extra checkpoint that holds the buffered rows, so that the parts
   end where they would have ended without it.
5. At the end: last parts, last state, certificate, ``summary.json``, status ``complete``.

Cost: a few microseconds per call of ``advance``.
"""

from __future__ import annotations

import operator
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, SupportsIndex

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import Engine
from equilibria.sim.errors import CorruptRun, EquilibriaError, PluginError, RunExists, StorageFailed
from equilibria.sim.progress import Progress
from equilibria.sim.seeds import SeedTree
from equilibria.sim.stop_signals import StopSignals
from equilibria.sim.store import layout
from equilibria.sim.store.checkpoint import Checkpoint, save_checkpoint
from equilibria.sim.store.directory import RunDirectory, check_place, existing_parts, read_status
from equilibria.sim.store.files import write_json
from equilibria.sim.store.manifest import PlanLike, read_manifest
from equilibria.sim.store.recorder import RunRecorder
from equilibria.sim.store.writer import Part, table_hash
from equilibria.sim.types import JSON

CHUNK_SECONDS: Final = 0.075
HEARTBEAT_SECONDS: Final = 1.0
PROGRESS_SECONDS: Final = 0.2
MAX_CHUNK: Final = 2**40


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended (a failed one raises its error instead).

    Attributes:
        path: The run directory.
        status: ``"complete"`` or ``"interrupted"``.
        unit: Units done.
        signal: Signal that interrupted it, else 0.
        messages: What the user should know, for example that a damaged checkpoint was passed over.
    """

    path: Path
    status: str
    unit: int
    signal: int = 0
    messages: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, 130 or 143."""
        return 128 + self.signal if self.signal else 0


def start_run(
    plan: PlanLike,
    path: Path,
    *,
    argv: Sequence[str] = (),
    progress: bool = False,
    signals: StopSignals | None = None,
) -> Outcome:
    """Run a plan in a new directory, or say that it already is complete there.

    Args:
        plan: What to run.
        path: The run directory; absent, empty, or the finished run of the same plan and seed.
        argv: Command line for the manifest.
        progress: Draw a progress line when standard error is a terminal.
        signals: Handlers already installed by the caller (sweeps); by default the run installs its own.

    Raises:
        NotARun: If the folder holds foreign files; nothing is written.
        RunExists: If it holds another run or an unfinished one.
        EquilibriaError: What the engine or the disk raised; the directory's status is ``failed``.
    """
    if check_place(path):
        return _already_there(plan, path)
    engine = build_engine(plan)
    with RunDirectory.create(path, plan, unit=engine.unit, argv=argv) as directory:
        directory.log("start", seed=plan.seed)
        return _Drive(directory, engine, plan, None, (), show=progress).run(signals)


def resume_run(path: Path, plan: PlanLike, *, progress: bool = False, signals: StopSignals | None = None) -> Outcome:
    """Go on with an unfinished run; a complete one is left as it is.

    Args:
        path: The run directory.
        plan: The plan of its manifest.
        progress: Draw a progress line when standard error is a terminal.
        signals: Handlers already installed by the caller (sweeps); by default the run installs its own.

    Raises:
        RunStoreError: If the folder is no run, in use, too new or damaged beyond repair.
        EquilibriaError: What the engine or the disk raised.
    """
    manifest = read_manifest(path)
    if plan.hash != manifest["plan_hash"] or plan.seed != manifest["seed"]:
        raise CorruptRun(f"{path / layout.MANIFEST}: the resolved scenario does not have the recorded plan hash")
    status = read_status(path)
    if status.get("status") == "complete" and (path / layout.SUMMARY).is_file():
        return Outcome(path, "complete", int(status.get("unit", 0)), messages=(f"{path}: already complete",))
    engine = build_engine(plan)
    with RunDirectory.open(path) as directory:
        checkpoint, messages = directory.restore_point()
        directory.log("resume", unit=checkpoint.unit if checkpoint else 0, messages=list(messages))
        return _Drive(directory, engine, plan, checkpoint, tuple(messages), show=progress).run(signals)


def mark_failed(path: Path, plan: PlanLike, error: EquilibriaError) -> None:
    """Mark a run failed whose process cannot do so itself; creates the directory if it never began."""
    exists = check_place(path)
    with RunDirectory.open(path) if exists else RunDirectory.create(path, plan, unit="") as directory:
        unit = int(read_status(path).get("unit", 0))
        directory.write_error({"class": type(error).__name__, "message": str(error), "unit": unit})
        directory.write_status("failed", unit)
        directory.log("failed", message=str(error), unit=unit)


def build_engine(plan: PlanLike) -> Engine:
    """Build a plan's engine and give compiled kernels their threads.

    Raises:
        PluginError: If a part raises something else than an error of ours.
    """
    try:
        engine: Engine = plan.build()
    except (EquilibriaError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise PluginError(f"{plan.name}: cannot be built: {type(error).__name__}: {error}") from error
    limit_threads(plan.threads)
    return engine


def limit_threads(threads: int) -> None:
    """Limit the threads of compiled kernels, if any are loaded (numba is never imported for this)."""
    if "numba" in sys.modules:
        from equilibria.sim.jit import set_threads

        set_threads(threads)


def _already_there(plan: PlanLike, path: Path) -> Outcome:
    manifest = read_manifest(path)
    if manifest["plan_hash"] != plan.hash or manifest["seed"] != plan.seed:
        raise RunExists(
            f"{path}: holds another run ({manifest['name']}, plan {str(manifest['plan_hash'])[:8]}, "
            f"seed {manifest['seed']}); choose another --out"
        )
    status = read_status(path)
    if status.get("status") == "complete" and (path / layout.SUMMARY).is_file():
        return Outcome(path, "complete", int(status.get("unit", 0)), messages=(f"{path}: already complete",))
    raise RunExists(f"{path}: holds this run, unfinished; use `equilibria resume {path}` or another --out")


class _Drive:
    """One process's share of a run."""

    def __init__(
        self,
        directory: RunDirectory,
        engine: Engine,
        plan: PlanLike,
        checkpoint: Checkpoint | None,
        messages: tuple[str, ...],
        *,
        show: bool,
    ) -> None:
        self._directory, self._engine, self._plan, self._messages = directory, engine, plan, messages
        self._checkpoint = checkpoint
        self._unit = checkpoint.unit if checkpoint else 0
        self._finished = checkpoint is not None and checkpoint.finished
        self._saved = self._unit if checkpoint else -1
        self._recorder = RunRecorder(directory.path, existing_parts(checkpoint))
        self._progress = Progress(plan.name, plan.budget, engine.unit, start=self._unit)
        self._progress.enabled &= show
        self._since = self._last_beat = time.perf_counter()
        self._first_unit = self._unit

    def run(self, given: StopSignals | None) -> Outcome:
        """Drive to the end, to a signal or to an error."""
        try:
            with nullcontext(given) if given is not None else StopSignals() as signals:
                self._start()
                self._loop(signals)
                if signals.received and not self._done():
                    return self._interrupt(signals.received)
                self._complete()
        except Exception as error:
            named = self._named(error)
            self._fail(named, error)
            if named is error:
                raise
            raise named from error
        finally:
            self._progress.close()
            self._recorder.close()
        return Outcome(self._directory.path, "complete", self._unit, messages=self._messages)

    def _done(self) -> bool:
        return self._finished or self._unit >= self._plan.budget

    def _start(self) -> None:
        self._directory.write_status("running", self._unit)
        if self._checkpoint is None:
            self._engine.start(SeedTree(self._plan.seed))
        else:
            self._engine.load(self._checkpoint.engine)
            self._recorder.load(self._checkpoint.recorder)
            self._checkpoint = None  # frees the arrays
        limit_threads(self._plan.threads)

    def _loop(self, signals: StopSignals) -> None:
        engine, recorder, budget = self._engine, self._recorder, self._plan.budget
        every = self._plan.checkpoint_every or budget
        clock = time.perf_counter
        step = PROGRESS_SECONDS if self._progress.enabled else HEARTBEAT_SECONDS
        chunk, before = 1, clock()
        event = before + step
        stop = min(budget, (self._unit // every + 1) * every)
        while self._unit < budget and not self._finished and not signals.received:
            wanted = min(chunk, stop - self._unit)
            done = _units(engine.advance(wanted, recorder), wanted)
            self._unit += done
            recorder.mark(self._unit)
            if done == 0:
                self._finished = True
            now = clock()
            chunk = _next_chunk(chunk, wanted, now - before)
            if self._unit == stop and self._unit < budget and done:
                self._save(flush=True)
                stop = min(budget, stop + every)
                now = clock()
            if now >= event:
                self._tell(now)
                event = now + step
            before = now

    def _save(self, *, flush: bool) -> dict[str, list[Part]]:
        """Commit a checkpoint; only scheduled ones may close parts."""
        if flush:
            self._recorder.flush()
        parts = self._recorder.drain()
        state = Checkpoint(self._unit, self._engine.save(), self._recorder.save(), parts, self._finished)
        save_checkpoint(self._directory.path, state)
        self._saved = self._unit
        return parts

    def _tell(self, now: float) -> None:
        """Draw progress; about once per second also the heartbeat and the last values."""
        values = self._recorder.last_values()
        if self._progress.enabled:
            self._progress.update(self._unit, _headline(self._plan.resolved, values))
        if now - self._last_beat < HEARTBEAT_SECONDS:
            return
        self._last_beat = now
        rate = (self._unit - self._first_unit) / max(now - self._since, 1e-9)
        live: dict[str, JSON] = {"unit": self._unit, "metrics": _by_metric(values)}
        write_json(self._directory.path / layout.LIVE, live, durable=False)
        self._directory.write_status("running", self._unit, durable=False, units_per_second=round(rate, 6))

    def _interrupt(self, signal: int) -> Outcome:
        if self._saved != self._unit:
            self._save(flush=False)
        self._directory.write_status("interrupted", self._unit)
        self._directory.log("interrupted", unit=self._unit, signal=signal)
        return Outcome(self._directory.path, "interrupted", self._unit, signal, self._messages)

    def _complete(self) -> None:
        parts = self._save(flush=True)
        certificate = self._engine.certificate()
        if not isinstance(certificate, Certificate):
            raise PluginError(f"engine returned a {type(certificate).__name__} as certificate")
        self._directory.write_summary(self._summary(parts, certificate))
        with suppress(FileNotFoundError, PermissionError):
            (self._directory.path / layout.LIVE).unlink()
        self._directory.write_status("complete", self._unit, seconds=round(time.perf_counter() - self._since, 3))
        self._directory.log("complete", unit=self._unit)

    def _summary(self, parts: dict[str, list[Part]], certificate: Certificate) -> dict[str, JSON]:
        tables: dict[str, JSON] = {
            name: {
                "rows": sum(part.rows for part in entries),
                "sha256": table_hash(entries),
                "parts": {part.file: part.sha256 for part in entries},
            }
            for name, entries in parts.items()
        }
        return {
            "format": layout.FORMAT,
            "name": self._plan.name,
            "plan_hash": self._plan.hash,
            "seed": self._plan.seed,
            "budget": self._plan.budget,
            "units": self._unit,
            "unit": self._engine.unit,
            "metrics": _by_metric(self._recorder.last_values()),
            "certificate": certificate.to_json(),
            "tables": tables,
        }

    def _named(self, error: Exception) -> EquilibriaError:
        if isinstance(error, EquilibriaError):
            return error
        where = f"{type(self._engine).__name__} failed at unit {self._unit}"
        return PluginError(f"{where}: {type(error).__name__}: {error}")

    def _fail(self, named: EquilibriaError, error: Exception) -> None:
        """Commit what was recorded and say why; on a full disk as much of it as is possible."""
        record: dict[str, JSON] = {"class": type(named).__name__, "message": str(named), "unit": self._unit}
        trace = "" if named is error else "".join(traceback.format_exception(error))
        with suppress(EquilibriaError, OSError):
            if not isinstance(named, StorageFailed):
                self._recorder.flush()
                self._recorder.drain()
        with suppress(StorageFailed):
            self._directory.write_error(record)
        with suppress(StorageFailed):
            self._directory.write_status("failed", self._unit)
        with suppress(StorageFailed):
            self._directory.log("failed", **record, traceback=trace)


def _headline(resolved: Any, values: dict[tuple[str, str], tuple[int, float]]) -> str:
    """Return the last value of the scenario's first metric, or of any when that has none."""
    listed = [entry["use"] for entry in resolved.get("metrics", [])]
    for name in [*listed, *(series[0] for series in values)]:
        if (name, "") in values:
            return f"{name} {values[name, ''][1]:.4g}"
    return ""


def _units(done: object, wanted: int) -> int:
    """Check what ``advance`` returned; numpy's integers become Python's (they are no JSON)."""
    if isinstance(done, SupportsIndex) and 0 <= (count := operator.index(done)) <= wanted:
        return count
    raise PluginError(f"engine returned {done!r} units from advance({wanted}), expected an integer in 0..{wanted}")


def _next_chunk(chunk: int, wanted: int, seconds: float) -> int:
    """Return the units of the next call, so that one lasts about ``CHUNK_SECONDS``."""
    if seconds > 2 * CHUNK_SECONDS:
        return max(1, int(wanted * CHUNK_SECONDS / seconds))
    if seconds < 0.5 * CHUNK_SECONDS and wanted == chunk:
        return min(2 * chunk, MAX_CHUNK)
    return chunk


def _by_metric(values: dict[tuple[str, str], tuple[int, float]]) -> dict[str, JSON]:
    """Return last values as ``{metric: value}``, or ``{metric: {key: value}}`` where keys are used."""
    grouped: dict[str, dict[str, Any]] = {}
    for (name, key), (_, value) in values.items():
        grouped.setdefault(name, {})[key] = value
    return {name: by_key[""] if set(by_key) == {""} else dict(by_key) for name, by_key in grouped.items()}
