"""The grid of a sweep: its points as scenario trees, checked with positions in the sweep section."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Final

from equilibria.sim.errors import Problem
from equilibria.sim.scenario.models import MAX_MEMBERS
from equilibria.sim.scenario.nodes import Node, Place, problem_at
from equilibria.sim.scenario.overrides import set_path
from equilibria.sim.scenario.resolve import resolve
from equilibria.sim.types import JSON

CHECKED_POINTS: Final = 256
"""Grids up to this size are checked point by point, larger ones axis by axis; the rest when a member runs."""

FIXED: Final = {
    "version": "it is the schema's",
    "name": "members share it",
    "sweep": "a sweep cannot change itself",
    "run.seed": "use sweep.seeds",
}


def axes(root: Node) -> dict[str, list[Node]]:
    """Return the grid's axes in file order, as far as the types allow."""
    sweep = root.value.get("sweep") if isinstance(root.value, dict) else None
    grid = sweep.value.get("grid") if sweep is not None and isinstance(sweep.value, dict) else None
    if grid is None or not isinstance(grid.value, dict):
        return {}
    return {path: values.value for path, values in grid.value.items() if isinstance(values.value, list)}


def check_sweep(root: Node, problems: list[Problem]) -> None:
    """Check the sweep section of a scenario whose base is valid.

    Args:
        root: Top-level node; the base without the sweep has no mistakes.
        problems: Receives every mistake, positions point into the sweep section.
    """
    sweep = root.value.get("sweep")
    if sweep is None or not isinstance(sweep.value, dict):
        return
    grid, seeds = sweep.value.get("grid"), sweep.value.get("seeds")
    if grid is None and seeds is None:
        problems.append(problem_at(sweep.place, "sweep", "has neither grid nor seeds; add one of them or remove it"))
        return
    if grid is not None and not grid.value:
        problems.append(problem_at(grid.place, "sweep.grid", "is empty; add `path: [values]` lines or remove it"))
        return
    found = axes(root)
    if not _axes_are_sound(root, found, problems):
        return
    points = math.prod(len(v) for v in found.values())
    count = _count(seeds)
    if points * count > MAX_MEMBERS:
        text = f"the sweep has {points * count} members, the limit is {MAX_MEMBERS}; shorten the grid or the seeds"
        problems.append(problem_at(sweep.place, "sweep", text))
        return
    _check_points(root, found, points, problems)


def _count(seeds: Node | None) -> int:
    count = seeds.value.get("count") if seeds is not None and isinstance(seeds.value, dict) else None
    return count.value if count is not None and isinstance(count.value, int) else 1


def _axes_are_sound(root: Node, found: Mapping[str, list[Node]], problems: list[Problem]) -> bool:
    before = len(problems)
    keys = root.value["sweep"].value["grid"].keys if found else {}
    for path, values in found.items():
        place, key = keys[path], f"sweep.grid.{path}"
        fixed = next((f for f in FIXED if path == f or path.startswith(f"{f}.")), None)
        if fixed is not None:
            problems.append(problem_at(place, key, f"a grid cannot change {fixed}: {FIXED[fixed]}; remove the line"))
            continue
        if not values:
            problems.append(problem_at(place, key, "has no values; list at least one, or remove the line"))
            continue
        message = set_path(root.copy(), path, values[0])
        if message:
            problems.append(problem_at(place, key, message))
        seen: dict[str, int] = {}
        for index, value in enumerate(values):
            first = seen.setdefault(json.dumps(value.plain(), sort_keys=True), index)
            if first != index:
                text = f"the same value stands already at index {first}; remove one of them"
                problems.append(problem_at(value.place, f"{key}.{index}", text))
    return len(problems) == before


def _check_points(root: Node, found: Mapping[str, list[Node]], points: int, problems: list[Problem]) -> None:
    bare = without_sweep(root)
    places = root.value["sweep"].value["grid"].keys if found else {}
    reported: set[tuple[int, int, str]] = set()
    every = points <= CHECKED_POINTS
    chosen = combinations(found) if every else ({path: v} for path, values in found.items() for v in values)
    for point in chosen:
        mistakes: list[Problem] = []
        resolve(graft(bare, point, places), mistakes)
        for mistake in mistakes:
            moved = _at_the_grid(mistake, point, found, places)
            mark = (moved.line, moved.column, moved.message)
            if mark not in reported:
                reported.add(mark)
                problems.append(moved)


def _at_the_grid(
    mistake: Problem, point: Mapping[str, Node], found: Mapping[str, list[Node]], places: Mapping[str, Place]
) -> Problem:
    """Move a member's mistake to the grid path or value that causes it."""

    def nearness(path: str) -> tuple[int, bool]:
        shared = 0
        for ours, theirs in zip(path.split("."), mistake.key.split("."), strict=False):
            if ours != theirs:
                break
            shared += 1
        return shared, path.endswith(".use")

    path = max(point, key=nearness)
    if (mistake.line, mistake.column) == places[path][1:]:
        return problem_at(places[path], f"sweep.grid.{path}", mistake.message)
    node = point[path]
    index = next(i for i, value in enumerate(found[path]) if value is node)
    own = any((mistake.line, mistake.column) == place[1:] for place in _places(node))
    place = (mistake.file, mistake.line, mistake.column) if own else node.place
    text = f"with {path} = {_short(node.plain())}: {mistake.key}: {mistake.message}"
    if path.endswith(".use") and not own:
        text += f" (set {path.removesuffix('use')}params in the grid too)"
    return problem_at(place, f"sweep.grid.{path}.{index}", text)


def _places(node: Node) -> Iterator[Place]:
    yield node.place
    yield from node.keys.values()
    children = node.value.values() if isinstance(node.value, dict) else node.value
    if isinstance(node.value, dict | list):
        for child in children:
            yield from _places(child)


def without_sweep(root: Node) -> Node:
    """Return a copy of the scenario without its sweep section."""
    bare = root.copy()
    bare.value.pop("sweep", None)
    bare.keys.pop("sweep", None)
    return bare


def graft(bare: Node, point: Mapping[str, Node], places: Mapping[str, Place] | None = None) -> Node:
    """Return a copy of the base with a grid point's values in place, in file order."""
    member = bare.copy()
    for path, value in point.items():
        set_path(member, path, value.copy(), (places or {}).get(path))
    return member


def combinations(found: Mapping[str, list[Node]]) -> Iterator[dict[str, Node]]:
    """Yield the grid's points; the last axis runs fastest."""
    for values in itertools.product(*found.values()):
        yield dict(zip(found, values, strict=True))


def _short(value: JSON) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


def label(overrides: Mapping[str, JSON]) -> str:
    """Name a grid point in one line, for example ``agents.0.use=cfr, run.budget=10``."""
    return ", ".join(f"{path}={_short(value)}" for path, value in overrides.items())
