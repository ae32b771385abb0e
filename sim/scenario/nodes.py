"""Values with positions: what the reader makes of YAML text and every check looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from equilibria.sim.errors import Problem
from equilibria.sim.types import JSON

Place = tuple[str, int, int]
"""File, 1-based line, 1-based column; line 0 when the value has no position."""


def problem_at(place: Place, key: str, message: str) -> Problem:
    """Return the problem of a place."""
    return Problem(*place, key, message)


@dataclass(slots=True)
class Node:
    """A value with its place.

    Attributes:
        value: Scalar, ``dict[str, Node]`` or ``list[Node]``; ``None`` when ``bad``.
        place: Where the value stands.
        keys: Where each key of a mapping stands.
        bad: The value was refused (already reported), so nothing more is said about it.
        nodes: Nodes below and including this one, aliases expanded.
        text: Characters of text below, aliases expanded.
        height: Levels of nesting, 1 for scalars.
    """

    value: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    bad: bool = False
    nodes: int = 1
    text: int = 0
    height: int = 1

    def plain(self) -> JSON:
        """Return the value without positions; refused values become ``None``."""
        if isinstance(self.value, dict):
            return {k: v.plain() for k, v in self.value.items()}
        if isinstance(self.value, list):
            return [v.plain() for v in self.value]
        return self.value  # type: ignore[no-any-return]

    def copy(self) -> Node:
        """Return a copy whose mappings and lists can be changed without touching this one."""
        value = self.value
        if isinstance(value, dict):
            value = {k: v.copy() for k, v in value.items()}
        elif isinstance(value, list):
            value = [v.copy() for v in value]
        return Node(value, self.place, dict(self.keys), self.bad, self.nodes, self.text, self.height)


def from_plain(value: JSON, place: Place) -> Node:
    """Wrap a plain value; every part gets the same place."""
    if isinstance(value, dict):
        return Node({k: from_plain(v, place) for k, v in value.items()}, place, dict.fromkeys(value, place))
    if isinstance(value, list):
        return Node([from_plain(v, place) for v in value], place)
    return Node(value, place)
