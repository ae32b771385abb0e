"""A settings model against a node: every mistake as a ``Problem`` with its position and a hint.

Validation is strict (text is no number, 1 is no truth value) with one kindness: a float without a
fraction counts as a whole number, so ``budget: 1e6`` means 1000000.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from equilibria.sim.errors import Problem
from equilibria.sim.scenario.nodes import Node, Place, problem_at
from equilibria.sim.types import JSON

M = TypeVar("M", bound=BaseModel)
Loc = Sequence[int | str]


def check(model: type[M], node: Node, path: str, problems: list[Problem]) -> M | None:
    """Validate a node; mistakes are appended to ``problems``.

    Args:
        model: Settings model.
        node: Value with positions; floats that stand for whole numbers are replaced in place.
        path: Dotted path of the node in the scenario.
        problems: Receives the mistakes.

    Returns:
        The settings, or ``None`` when there are mistakes or refused values.
    """
    errors = _errors(model, node)
    if not isinstance(errors, list):
        return None if _holds_bad(node) else errors
    found = [_problem(model, node, path, error) for error in errors if not _is_misspelt(error, errors)]
    problems += _distinct(p for p in found if p is not None)
    return None


def _errors(model: type[M], node: Node) -> M | list[dict[str, Any]]:
    """Return the validated settings or pydantic's errors, whole-number floats converted first."""
    while True:
        try:
            return model.model_validate_json(json.dumps(node.plain()), strict=True)
        except ValidationError as error:
            errors = typing.cast(list[dict[str, Any]], error.errors(include_url=False))
        changed = False
        for e in errors:
            target, _ = locate(node, e["loc"])
            if e["type"] == "int_type" and isinstance(target.value, float) and target.value.is_integer():
                target.value = int(target.value)
                changed = True
        if not changed:
            return errors


def _is_misspelt(error: dict[str, Any], errors: list[dict[str, Any]]) -> bool:
    """Say whether a key counts as missing only because it is misspelt (which is reported)."""
    if error["type"] != "missing":
        return False
    *parent, name = error["loc"]
    unknown = (str(e["loc"][-1]) for e in errors if e["type"] == "extra_forbidden" and [*e["loc"][:-1]] == parent)
    return any(difflib.get_close_matches(key, [str(name)], cutoff=0.6) for key in unknown)


def locate(node: Node, loc: Loc) -> tuple[Node, list[str]]:
    """Follow an error location; parts that are no keys (names of union branches) are passed over."""
    path: list[str] = []
    for part in loc:
        below = node.value.get(part) if isinstance(node.value, dict) else None
        if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            below = node.value[part]
        if below is not None:
            node = below
            path.append(str(part))
    return node, path


def dotted(*parts: str) -> str:
    """Join path parts, leaving out empty ones."""
    return ".".join(p for p in parts if p)


def unknown_key(key: str, allowed: Iterable[str]) -> str:
    """Say that a key is unknown, with the nearest allowed ones and the whole list."""
    known = sorted(allowed)
    near = difflib.get_close_matches(key, known, n=2, cutoff=0.6)
    guess = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"unknown key {key!r}; {guess}allowed: {', '.join(known) or 'none'}"


def show(value: JSON) -> str:
    """Show a value as short YAML-like text."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _holds_bad(node: Node) -> bool:
    if node.bad:
        return True
    children = node.value.values() if isinstance(node.value, dict) else node.value
    return isinstance(node.value, dict | list) and any(_holds_bad(c) for c in children)


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Drop repeats: the branches of a union report the same place several times."""
    return list({(p.file, p.line, p.column, p.key, p.message): p for p in problems}.values())


def _problem(model: type[BaseModel], root: Node, path: str, error: dict[str, Any]) -> Problem | None:
    kind, loc = str(error["type"]), tuple(error["loc"])
    if kind == "missing":
        parent, parts = locate(root, loc[:-1])
        key = str(loc[-1])
        wanted = _describe(model, loc)
        text = f"required key {key!r} is missing; add `{key}: ...`{wanted}"
        return None if parent.bad else problem_at(parent.place, dotted(path, *parts, key), text)
    if kind == "extra_forbidden":
        parent, parts = locate(root, loc[:-1])
        key = str(loc[-1])
        text = unknown_key(key, _allowed(model, loc[:-1]))
        return problem_at(parent.keys.get(key, parent.place), dotted(path, *parts, key), text)
    node, parts = locate(root, loc)
    if _holds_bad(node):
        return None
    place: Place = node.place
    if parts and loc and loc[-1] == "[key]":
        place = locate(root, loc[:-2])[0].keys.get(parts[-1], place)
    return problem_at(place, dotted(path, *parts), _say(kind, error.get("ctx", {}), str(error["msg"]), node.plain()))


def _say(kind: str, ctx: dict[str, Any], message: str, value: JSON) -> str:
    """Word an error: what was expected, what was found, what to do."""
    got = f"got {show(value)}"
    if kind in _BOUNDS:
        sign, bound = _BOUNDS[kind], next(iter(ctx.values()))
        return f"must be {sign} {bound}, {got}; choose a value {sign} {bound}"
    if kind in ("literal_error", "enum"):
        return f"must be one of {ctx.get('expected', '')}, {got}; choose one of them"
    if kind in _EXPECTED:
        wanted, hint = _EXPECTED[kind]
        return f"must be {wanted}, {got}; {_quoted_hint(wanted, value) or hint}"
    if kind == "string_pattern_mismatch":
        return f"{got} does not match the pattern {ctx.get('pattern')}; use letters, digits and '_' as it allows"
    if kind in ("too_short", "string_too_short"):
        return f"must have at least {ctx.get('min_length')} entries or characters, {got}; add what is missing"
    if kind in ("too_long", "string_too_long"):
        return f"must have at most {ctx.get('max_length')} entries or characters, {got}; shorten it"
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")
    text = text[:1].lower() + text[1:]
    return f"{text}, {got}; correct the value"


_BOUNDS = {"greater_than_equal": ">=", "greater_than": ">", "less_than_equal": "<=", "less_than": "<"}
_MAPPING = ("a mapping", "write `key: value` lines, or {} for none")
_EXPECTED = {
    "int_type": ("a whole number", "write a whole number"),
    "int_parsing": ("a whole number", "write a whole number"),
    "int_from_float": ("a whole number", "write a whole number"),
    "float_type": ("a number", "write a number"),
    "float_parsing": ("a number", "write a number"),
    "finite_number": ("a finite number", "write a finite number"),
    "bool_type": ("true or false", "write true or false"),
    "bool_parsing": ("true or false", "write true or false"),
    "string_type": ("text", "put the value in quotes if it is meant as text"),
    "list_type": ("a list", "write [...] or lines that start with '- '"),
    "tuple_type": ("a list", "write [...] or lines that start with '- '"),
    "set_type": ("a list", "write [...] or lines that start with '- '"),
    "none_required": ("empty", "leave the key out"),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
}


def _quoted_hint(wanted: str, value: JSON) -> str:
    if not isinstance(value, str) or "number" not in wanted:
        return ""
    try:
        float(value)
    except ValueError:
        return ""
    return f"write {value.replace('_', '')} without quotes or underscores"


def _describe(model: type[BaseModel], loc: Loc) -> str:
    """Return the description of a missing field, if it has one."""
    for owner in _models_at(model, loc[:-1]):
        field = owner.model_fields.get(str(loc[-1]))
        if field is not None and field.description:
            return f" ({field.description.rstrip('.')})"
    return ""


def _allowed(model: type[BaseModel], loc: Loc) -> set[str]:
    """Return the keys allowed at a location."""
    found: set[str] = set()
    for owner in _models_at(model, loc):
        found |= {field.alias or name for name, field in owner.model_fields.items()}
    return found


def _models_at(model: type[BaseModel], loc: Loc) -> list[type[BaseModel]]:
    """Return the models that may stand at a location."""
    here: list[Any] = [model]
    for part in loc:
        here = [step for annotation in here for step in _step(annotation, part)]
    return [m for annotation in here for m in _unions(annotation) if isinstance(m, type) and issubclass(m, BaseModel)]


def _unions(annotation: Any) -> list[Any]:
    """Return the branches of an annotation, ``Annotated`` and ``Union`` removed."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _unions(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [b for a in typing.get_args(annotation) for b in _unions(a)]
    return [annotation]


def _step(annotation: Any, part: int | str) -> list[Any]:
    """Return the annotations one location part below; a part that is no key names a union branch."""
    below: list[Any] = []
    branches = _unions(annotation)
    for branch in branches:
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            fields = {field.alias or name: field for name, field in branch.model_fields.items()}
            if part in fields:
                below.append(fields[str(part)].annotation)
        elif isinstance(part, int) and typing.get_origin(branch) in (list, tuple, set, frozenset, Sequence):
            below += [a for a in typing.get_args(branch) if a is not Ellipsis]
        elif typing.get_origin(branch) is dict:
            below.append(typing.get_args(branch)[1])
    if below:
        return below
    tagged = [b for b in branches if isinstance(b, type) and issubclass(b, BaseModel) and _is_branch(b, part)]
    return tagged or branches


def _is_branch(model: type[BaseModel], part: int | str) -> bool:
    literals = (typing.get_args(f.annotation) for f in model.model_fields.values())
    return model.__name__ == part or any(part in values for values in literals)
