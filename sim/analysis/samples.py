"""Runs and sweeps as samples: which run, under which overrides, with which seed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from equilibria.sim.analysis.facts import RunLike, facts


class SweepLike(Protocol):
    """The part of ``sim.store.Sweep`` that the analysis reads."""

    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def members(self) -> Sequence[Any]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Sample:
    """One readable run of a sweep, or a run on its own.

    Attributes:
        label: Name of the member or run directory.
        overrides: What the sweep set, without the seed; values are JSON values.
        seed: Root seed, ``None`` when unknown.
        run: The run.
    """

    label: str
    overrides: Mapping[str, Any]
    seed: int | None
    run: RunLike

    @property
    def group(self) -> str:
        """The overrides as one phrase, for example ``agents.0.use=cfr``; empty without any."""
        return overrides_phrase(self.overrides)


@dataclass(frozen=True, slots=True)
class Failure:
    """A member without a usable result.

    Attributes:
        label: Name of the member.
        state: ``failed``, ``interrupted``, ``running``, ``missing`` or ``broken``.
        error: What went wrong, one line.
        overrides: What the sweep set, as far as it is known.
    """

    label: str
    state: str
    error: str
    overrides: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A run or sweep given to a command.

    Attributes:
        label: Short name.
        path: Its directory.
        samples: Complete runs in member order.
        failures: Members that are not complete.
        is_sweep: Whether it is a sweep.
    """

    label: str
    path: Path
    samples: tuple[Sample, ...]
    failures: tuple[Failure, ...]
    is_sweep: bool

    def groups(self) -> dict[str, list[Sample]]:
        """Return the samples by their overrides, in member order."""
        found: dict[str, list[Sample]] = {}
        for sample in self.samples:
            found.setdefault(sample.group, []).append(sample)
        return found


def from_run(run: RunLike) -> Source:
    """Make a source of one run; a run that is not complete still is its sample."""
    sample = Sample(run.path.name, {}, facts(run).seed, run)
    return Source(run.path.name, run.path, (sample,), (), is_sweep=False)


def from_sweep(sweep: SweepLike) -> Source:
    """Make a source of a sweep; members that are not complete become failures."""
    samples: list[Sample] = []
    failures: list[Failure] = []
    for member in sweep.members:
        label = Path(member.path).name
        broken = getattr(member, "error", None)
        if broken is not None or not hasattr(member, "metrics"):
            failures.append(Failure(label, "broken", one_line(broken), {}))
            continue
        about, overrides = facts(member), member_overrides(member)
        if about.state == "complete":
            samples.append(Sample(label, overrides, about.seed, member))
        else:
            failures.append(Failure(label, about.state, _reason(member, about.state), overrides))
    return Source(sweep.path.name, sweep.path, tuple(samples), tuple(failures), is_sweep=True)


def member_overrides(run: RunLike) -> dict[str, Any]:
    """Return what the sweep set for this member, without the seed."""
    manifest = run.manifest if isinstance(run.manifest, Mapping) else {}
    member = manifest.get("member")
    for place in (member, manifest):
        if isinstance(place, Mapping) and isinstance(place.get("overrides"), Mapping):
            return {str(k): v for k, v in place["overrides"].items() if k not in ("run.seed", "seed")}
    return {}


def overrides_phrase(overrides: Mapping[str, Any]) -> str:
    """Write overrides as ``key=value, key=value`` in key order."""
    return ", ".join(f"{key}={_plain(overrides[key])}" for key in sorted(overrides))


def varying_keys(samples: Iterable[Sample]) -> list[str]:
    """Return the override keys that take more than one value, in order of first appearance."""
    seen: dict[str, set[str]] = {}
    for sample in samples:
        for key, value in sample.overrides.items():
            seen.setdefault(key, set()).add(_plain(value))
    return [key for key, values in seen.items() if len(values) > 1]


def one_line(error: object) -> str:
    """Return an error as one line of at most 300 characters."""
    text = " ".join(str(error or "unreadable").split())
    return text if len(text) <= 300 else text[:297] + "..."


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _reason(run: RunLike, state: str) -> str:
    file = run.path / "error.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{state} at {facts(run).progress()}"
    if not isinstance(content, Mapping):
        return state
    kind = content.get("class") or content.get("type") or content.get("error") or "error"
    return one_line(f"{kind}: {content.get('message', '')}")
