"""Mistakes that only show when the parts are built, led back to the line of the scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from equilibria.sim.errors import InvalidValue, Problem, ScenarioError, UnknownName, Unsupported, UnsupportedGame
from equilibria.sim.scenario.nodes import Node
from equilibria.sim.scenario.reader import compose
from equilibria.sim.scenario.source import read_text

MISTAKES = (InvalidValue, UnknownName, UnsupportedGame, Unsupported)
"""Errors of build functions that mean: this scenario asks for something that is not possible."""


@contextmanager
def blaming(resolved: Mapping[str, Any], source: bytes, origin: str, path: str = "") -> Iterator[None]:
    """Turn a part's refusal into a ``ScenarioError`` with the position of the entry.

    Args:
        resolved: The resolved scenario.
        source: Its file, empty when unknown.
        origin: Name of the file for messages.
        path: Entry that is being built; empty for the engine, which builds agents, metrics and
            tables: the entry whose name the message quotes is blamed, if there is exactly one.
    """
    try:
        yield
    except ScenarioError:
        raise
    except MISTAKES as error:
        key = path or _quoted(resolved, str(error))
        file, line, column = _place(source, origin, key)
        raise ScenarioError([Problem(file, line, column, key, str(error))]) from error


def _quoted(resolved: Mapping[str, Any], message: str) -> str:
    found = []
    for section, name in (("agents", "use"), ("metrics", "use"), ("tables", "name"), ("mechanisms", "use")):
        for index, entry in enumerate(resolved[section]):
            if repr(entry[name]) in message:
                found.append(f"{section}.{index}.{name}")
    return found[0] if len(found) == 1 else ""


def _place(source: bytes, origin: str, key: str) -> tuple[str, int, int]:
    """Return where a key stands in the file; line 0 when it does not (defaults, overrides, no file)."""
    nowhere = (origin, 0, 0)
    if not source or not key:
        return nowhere
    try:
        node, _ = compose(read_text(source, origin), origin)
    except ScenarioError:
        return nowhere
    for part in key.split("."):
        below: Node | None = None
        if isinstance(node.value, dict):
            below = node.value.get(part)
        elif isinstance(node.value, list) and part.isdigit() and int(part) < len(node.value):
            below = node.value[int(part)]
        if below is None:
            return nowhere
        node = below
    return node.place
