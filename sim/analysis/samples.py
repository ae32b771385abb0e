"""Runs and sweeps as samples: which run, under which overrides, with which seed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from equilibria.sim.analysis.facts import RunLike, facts


class SweepLike(Protocol):
    """The part of ``sim.store.Sweep`` that the analysis reads."""

    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def members(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def missing(self) -> Sequence[str]: ...  # noqa: D102
    def overrides(self, run: Any) -> dict[str, Any]: ...  # noqa: D102


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
        state: ``failed``, ``interrupted``, ``running``, ``killed``, ``missing`` or ``broken``.
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

    def group_labels(self) -> tuple[str, dict[str, str]]:
        """Return a heading and a short label per group: the value alone when a single key tells them apart."""
        keys = list(dict.fromkeys(key for sample in self.samples for key in sample.overrides))
        if len(keys) == 1:
            return keys[0], {s.group: _plain(s.overrides.get(keys[0])) for s in self.samples}
        return "group", {s.group: s.group or "all" for s in self.samples}


def from_run(run: RunLike) -> Source:
    """Make a source of one run; a run that is not complete still is its sample."""
    sample = Sample(run.path.name, {}, facts(run).seed, run)
    return Source(run.path.name, run.path, (sample,), (), is_sweep=False)


def from_sweep(sweep: SweepLike) -> Source:
    """Make a source of a sweep; members that are not complete become failures."""
    samples: list[Sample] = []
    failures: list[Failure] = []
    for member in sweep.members:
        label, overrides = member.path.name, _without_seed(sweep.overrides(member))
        problem = _problem(member)
        if problem is None:
            samples.append(Sample(label, overrides, facts(member).seed, member))
        else:
            failures.append(Failure(label, problem[0], problem[1], overrides))
    failures += [Failure(label, "missing", "not begun", {}) for label in sweep.missing]
    return Source(sweep.path.name, sweep.path, tuple(samples), tuple(failures), is_sweep=True)


def _problem(member: Any) -> tuple[str, str] | None:
    """Return state and reason of a member without a usable result, ``None`` for a good one."""
    if not hasattr(member, "metrics"):
        return "broken", one_line(member.error)
    if member.state != "complete":
        return member.state, failure_text(member) or f"at {facts(member).progress()}"
    try:
        member.metrics().select(pl.len()).collect()  # reads the footers: finds truncated parts
    except (pl.exceptions.PolarsError, OSError) as error:
        return "broken", one_line(error)
    return None


def failure_text(run: RunLike) -> str:
    """Return the error of a failed run in one line, empty if it has none."""
    error = run.error
    return one_line(f"{error.get('class', 'error')}: {error.get('message', '')}") if isinstance(error, Mapping) else ""


def _without_seed(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {str(k): v for k, v in overrides.items() if k not in ("run.seed", "seed")}


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
