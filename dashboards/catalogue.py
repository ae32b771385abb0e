"""What lies in the runs folder: one entry per run, sweep and broken folder, under names that are safe in a URL.

An entry's name is its path relative to the runs folder.  A name from outside (the URL) is opened only
when its real path lies inside the real runs folder, so neither ``..`` nor a link leads out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from equilibria.sim.analysis.facts import agents_phrase, certificate_sentence, facts, finite
from equilibria.sim.analysis.samples import failure_text, one_line
from equilibria.sim.errors import EquilibriaError, NotARun
from equilibria.sim.store import BrokenRun, Run, Sweep, find_runs, open_any

Kind = Literal["run", "sweep", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the overview.

    Attributes:
        name: Path relative to the runs folder, with ``/``; ``.`` for the folder itself.
        kind: ``run``, ``sweep`` or ``broken``.
        state: State of the run; of a sweep ``complete`` or ``3 of 8 complete``; ``broken``.
        scenario: Name of the scenario.
        game: Game and its parameters.
        agents: Agents.
        seed: Root seed, ``None`` for sweeps.
        progress: Share of the budget done, 0..1.
        done: Progress in words.
        measure: What the certificate measures, empty without one.
        value: Its value.
        sentence: The certificate in a sentence, or why there is none, or the error.
        tables: Names of the wide tables (of a sweep: of its first complete member).
        metrics: Names of the metrics that the scenario records.
        gains: Whether gains per player are known: in the certificate (of a sweep: of its first complete member), or as
            the metric ``gains``.
        path: The folder.
    """

    name: str
    kind: Kind
    state: str
    scenario: str = ""
    game: str = ""
    agents: str = ""
    seed: int | None = None
    progress: float = 0.0
    done: str = ""
    measure: str = ""
    value: float | None = None
    sentence: str = ""
    tables: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    gains: bool = False
    path: Path = Path()

    @property
    def title(self) -> str:
        """What a picker shows."""
        return self.name if self.name != "." else self.path.resolve().name


def entries(root: Path) -> list[Entry]:
    """Describe everything in the runs folder, sorted by path; never raises because of what lies there."""
    return [_entry(root, item) for item in find_runs(root)] if root.is_dir() else []


def open_named(root: Path, name: str) -> Run | Sweep:
    """Open a run, a sweep or a member of one by its name.

    Raises:
        NotARun: If the name leads out of the runs folder, or to something that is no run.
        RunStoreError: If the run is damaged.
    """
    parts = PurePosixPath(name)
    if not name or "\0" in name or "\\" in name or parts.is_absolute() or ".." in parts.parts:
        raise NotARun(f"{name!r} is not the name of a run; choose one from the list")
    path = root / parts
    if not _inside(root, path):
        raise NotARun(f"{name!r} lies outside the runs folder; choose a run from the list")
    return open_any(path)


def entry_of(root: Path, run: Run) -> Entry:
    """Describe one run of the runs folder, also a member of a sweep."""
    return _run_entry(name_of(root, run.path), run)


def name_of(root: Path, path: Path) -> str:
    """Return the name of a folder inside the runs folder."""
    return path.relative_to(root).as_posix()


def _inside(root: Path, path: Path) -> bool:
    try:
        real, home = path.resolve(), root.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return False
    return real == home or home in real.parents


def _entry(root: Path, item: Run | Sweep | BrokenRun) -> Entry:
    name = name_of(root, item.path)
    if not _inside(root, item.path):
        return Entry(name=name, kind="broken", state="broken", sentence="a link out of the runs folder", path=item.path)
    if isinstance(item, BrokenRun):
        return Entry(name=name, kind="broken", state="broken", sentence=one_line(item.error), path=item.path)
    try:
        return _sweep_entry(name, item) if isinstance(item, Sweep) else _run_entry(name, item)
    except (EquilibriaError, OSError, TypeError, ValueError, KeyError, AttributeError) as error:
        text = f"{type(error).__name__}: {error}"  # a manifest of the right format with nonsense inside
        return Entry(name=name, kind="broken", state="broken", sentence=one_line(text), path=item.path)


def _run_entry(name: str, run: Run) -> Entry:
    about = facts(run)
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    return Entry(
        name=name,
        kind="run",
        state=about.state,
        scenario=about.name,
        game=about.game,
        agents=agents_phrase(about.resolved),
        seed=about.seed,
        progress=1.0 if about.state == "complete" else min(1.0, about.done / about.budget) if about.budget else 0.0,
        done=about.progress(),
        measure=str(certificate.get("measure", "")),
        value=finite(certificate.get("value")),
        sentence=failure_text(run) or certificate_sentence(run),
        tables=tuple(run.tables()),
        metrics=_metric_names(about.resolved),
        gains=_has_gains(run, about.resolved),
        path=run.path,
    )


def _sweep_entry(name: str, sweep: Sweep) -> Entry:
    total = len(sweep.manifest["members"])
    complete = [m for m in sweep.members if isinstance(m, Run) and m.state == "complete"]
    failed = sum(isinstance(m, BrokenRun) or m.state == "failed" for m in sweep.members)
    first = complete[0] if complete else next((m for m in sweep.members if isinstance(m, Run)), None)
    about = facts(first) if first else None
    done = f"{len(complete)} of {total} members complete" + (f", {failed} failed" if failed else "")
    running = any(isinstance(m, Run) and m.state == "running" for m in sweep.members)
    return Entry(
        name=name,
        kind="sweep",
        state="complete" if len(complete) == total else "running" if running else "incomplete",
        scenario=sweep.name,
        game=about.game if about else "",
        agents=_swept_agents(sweep) or (agents_phrase(about.resolved) if about else ""),
        progress=len(complete) / total if total else 1.0,
        done=done,
        sentence=done,
        tables=tuple(first.tables()) if first else (),
        metrics=_metric_names(about.resolved) if about else (),
        gains=first is not None and about is not None and _has_gains(first, about.resolved),
        path=sweep.path,
    )


def _swept_agents(sweep: Sweep) -> str:
    found = [m["overrides"].get("agents.0.use") for m in sweep.manifest["members"] if isinstance(m["overrides"], dict)]
    return ", ".join(dict.fromkeys(str(use) for use in found if use))


def _has_gains(run: Run, resolved: Mapping[str, Any]) -> bool:
    details = run.certificate.get("details") if isinstance(run.certificate, Mapping) else None
    return bool(isinstance(details, Mapping) and details.get("gains")) or "gains" in _metric_names(resolved)


def _metric_names(resolved: Mapping[str, Any]) -> tuple[str, ...]:
    listed = resolved.get("metrics")
    return tuple(str(m.get("use")) for m in listed if isinstance(m, Mapping)) if isinstance(listed, list) else ()
