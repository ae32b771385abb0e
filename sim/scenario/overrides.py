"""Changes to a scenario before it is checked: ``--set key=value`` and the grid of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.sim.errors import Problem, ScenarioError
from equilibria.sim.scenario.nodes import Node, Place, from_plain
from equilibria.sim.scenario.reader import compose


def apply_option(root: Node, text: str, problems: list[Problem]) -> None:
    """Apply one ``a.b.c=value``; the value is read by the rules of scenario files.

    Args:
        root: Top-level node, changed in place.
        text: The option's argument.
        problems: Receives what is wrong; its file is ``--set <text>``.
    """
    option = f"--set {text[:200]}"
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        problems.append(Problem(option, 0, 0, "", "must read key=value, for example run.budget=100"))
        return
    path = path.strip()
    try:
        node, found = compose(value if value.strip() else "null", option)
    except ScenarioError as error:
        problems += [Problem(option, 0, 0, path, p.message) for p in error.problems]
        return
    problems += [Problem(option, 0, 0, path, p.message) for p in found]
    if not found:
        message = set_path(root, path, from_plain(node.plain(), (option, 0, 0)))
        if message:
            problems.append(Problem(option, 0, 0, path, message))


def set_path(root: Node, path: str, value: Node, key_place: Place | None = None) -> str:
    """Put a value at a dotted path, changing ``root`` in place.

    Missing mappings on the way are created; list indices must exist.

    Args:
        root: Top-level node.
        path: Dotted keys and list indices.
        value: The value.
        key_place: Where the path stands; the value's place if left out.

    Returns:
        Empty when done, otherwise what is wrong and what to do.
    """
    parts = path.split(".")
    if not all(parts):
        return "empty part in the path; write keys and list indices separated by single dots"
    node, place = root, key_place or value.place
    for depth, part in enumerate(parts[:-1]):
        below, message = _enter(node, part, parts[:depth], place)
        if below is None:
            return message
        node = below
    if isinstance(node.value, list):
        index = _index(node, parts[-1])
        if index is None:
            return _no_index(node, parts[-1], parts[:-1])
        node.value[index] = value
    elif isinstance(node.value, dict):
        node.value[parts[-1]] = value
        node.keys[parts[-1]] = place
    else:
        return f"{'.'.join(parts[:-1])} is a single value and has no parts; shorten the path"
    return ""


def _enter(node: Node, part: str, before: Sequence[str], place: Place) -> tuple[Node | None, str]:
    if isinstance(node.value, dict):
        if part not in node.value:
            node.value[part] = Node({}, place)
            node.keys[part] = place
        return node.value[part], ""
    if isinstance(node.value, list):
        index = _index(node, part)
        return (node.value[index], "") if index is not None else (None, _no_index(node, part, before))
    return None, f"{'.'.join(before)} is a single value and has no parts; shorten the path"


def _index(node: Node, part: str) -> int | None:
    if not (part.isascii() and part.isdigit()) or len(part) > 9:
        return None
    return int(part) if int(part) < len(node.value) else None


def _no_index(node: Node, part: str, before: Sequence[str]) -> str:
    size = len(node.value)
    allowed = f"write an index in 0..{size - 1}" if size else "the list is empty"
    return f"{'.'.join(before)} is a list of {size} entries and has no entry {part!r}; {allowed}"
