"""What differs between two sides of a comparison besides their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equilibria.sim.analysis.facts import facts, plural
from equilibria.sim.analysis.samples import Sample, Source


def scenario_notes(first: Sample, second: Sample, *, at: int | None) -> list[str]:
    """Say how two runs differ in what they are: game, units, budget, state, seed, settings."""
    a, b = facts(first.run), facts(second.run)
    notes = []
    if a.game != b.game:
        notes.append(f"the games differ: A {a.game}, B {b.game}; values of different games are rarely comparable")
    if a.unit != b.unit:
        notes.append(f"the units of progress differ: A counts {plural(a.unit)}, B counts {plural(b.unit)}")
    if a.done != b.done and at is None:
        notes.append(
            f"the sides reached different units: A {a.progress()}, B {b.progress()}; "
            f"--at {min(a.done, b.done)} compares both at one unit"
        )
    for label, about in (("A", a), ("B", b)):
        if about.state != "complete":
            notes.append(f"{label} is {about.state} at {about.progress()}; its last value is not a result")
    if a.seed != b.seed:
        notes.append(f"the seeds differ: A {a.seed}, B {b.seed}; such runs are not paired")
    changed = _changed(a.resolved, b.resolved)
    if changed:
        more = f" and {len(changed) - 8} more" if len(changed) > 8 else ""
        notes.append(f"the scenarios differ in {', '.join(changed[:8])}{more}")
    return notes


def _changed(first: Any, second: Any, prefix: str = "") -> list[str]:
    """Return the dotted keys at which two resolved scenarios differ, with both values when they are short."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        keys = list(dict.fromkeys([*first, *second]))
        skip = {"name", "description", "versions", "sweep", "source", "version"} if not prefix else set()
        found: list[str] = []
        for key in keys:
            if key not in skip:
                found += _changed(first.get(key), second.get(key), f"{prefix}{key}.")
        return found
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [
            hit for i, (x, y) in enumerate(zip(first, second, strict=True)) for hit in _changed(x, y, f"{prefix}{i}.")
        ]
    if first == second:
        return []
    key = prefix.rstrip(".")
    if isinstance(first, (Mapping, list)) or isinstance(second, (Mapping, list)):
        return [key]
    return [f"{key} ({first} / {second})"]


def failure_notes(side: Source) -> list[str]:
    """Say which members of a sweep are left out."""
    if not side.failures:
        return []
    names = ", ".join(f"{f.label} ({f.state})" for f in side.failures[:4])
    more = f" and {len(side.failures) - 4} more" if len(side.failures) > 4 else ""
    return [f"{side.label}: left out for want of a result: {names}{more}"]
