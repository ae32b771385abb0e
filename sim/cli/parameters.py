"""Settings models as parameter tables and example values, from their JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from equilibria.sim.types import JSON


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: Key; dotted for keys of nested mappings.
        type: Type in words.
        default: Default as written in YAML, ``"required"`` without one.
        range: Bounds in words, empty if none.
        description: Description of the field.
    """

    name: str
    type: str
    default: str
    range: str
    description: str


def parameters(model: type[BaseModel]) -> list[Parameter]:
    """Return the parameters of a settings model; nested models are unfolded."""
    schema = model.model_json_schema()
    return list(_walk(schema, schema.get("$defs", {}), ""))


def example(model: type[BaseModel]) -> dict[str, JSON]:
    """Return valid-looking values for the required parameters."""
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return {name: _sample(schema["properties"][name], schema.get("$defs", {})) for name in required}


def _walk(schema: dict[str, Any], definitions: dict[str, Any], prefix: str, depth: int = 0) -> Iterator[Parameter]:
    required = schema.get("required", [])
    for name, raw in schema.get("properties", {}).items():
        field = _deref(raw, definitions)
        default = "required" if name in required else _short(raw.get("default"))
        description = str(raw.get("description") or field.get("description") or "")
        yield Parameter(f"{prefix}{name}", _type(raw, definitions), default, _range(field), description)
        if depth < 3:
            for branch in _branches(field, definitions):
                yield from _walk(branch, definitions, f"{prefix}{name}.", depth + 1)


def _deref(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = field.get("$ref")
    if reference is None and len(field.get("allOf", ())) == 1:
        reference = field["allOf"][0].get("$ref")
    return dict(definitions.get(str(reference).rsplit("/", 1)[-1], {})) if reference else field


def _branches(field: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the object schemas that a field's value, or the entries of its list, may have."""
    options = field.get("anyOf") or field.get("oneOf") or [field]
    found = []
    for option in options:
        inner = _deref(option, definitions)
        if inner.get("type") == "array" and isinstance(inner.get("items"), dict):
            found += _branches(inner["items"], definitions) if "$ref" not in inner["items"] else []
            inner = _deref(inner["items"], definitions)
        if inner.get("properties"):
            found.append(inner)
    return found


_WORDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true/false",
    "null": "null",
    "object": "mapping",
}


def _type(raw: dict[str, Any], definitions: dict[str, Any]) -> str:
    field = _deref(raw, definitions)
    options = field.get("anyOf") or field.get("oneOf")
    if options:
        return " or ".join(dict.fromkeys(_type(o, definitions) for o in options))
    if "const" in field:
        return _short(field["const"])
    if "enum" in field:
        return "one of " + ", ".join(_short(v) for v in field["enum"])
    kind = field.get("type")
    if kind == "array":
        items = field.get("items")
        return f"list of {_type(items, definitions)}" if isinstance(items, dict) and items else "list"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'], definitions)}"
    return _WORDS.get(str(kind), "any value")


def _range(field: dict[str, Any]) -> str:
    options = [o for o in field.get("anyOf") or field.get("oneOf") or [] if o.get("type") != "null"]
    if len(options) == 1:
        field = options[0]
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    found = [f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field]
    lengths = {"minLength": "at least", "minItems": "at least", "maxLength": "at most", "maxItems": "at most"}
    found += [f"{word} {field[key]} long" for key, word in lengths.items() if key in field]
    if "pattern" in field:
        found.append(f"matches {field['pattern']}")
    return ", ".join(found)


def _sample(raw: dict[str, Any], definitions: dict[str, Any]) -> JSON:
    field = _deref(raw, definitions)
    for key in ("examples", "enum"):
        for source in (raw, field):
            if source.get(key):
                return source[key][0]  # type: ignore[no-any-return]
    if "const" in field:
        return field["const"]  # type: ignore[no-any-return]
    options = field.get("anyOf") or field.get("oneOf")
    if options:
        return _sample(options[0], definitions)
    if field.get("properties"):
        return {name: _sample(field["properties"][name], definitions) for name in field.get("required", [])}
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    if field.get("type") == "integer":
        low_int = low if low is not None else (min(1, high) if high is not None else 1)
        return int(low_int) + ("exclusiveMinimum" in field)
    if field.get("type") == "number":
        if low is not None and high is not None:
            return float(low + high) / 2
        return float(low) + 1.0 if low is not None else (float(high) - 1.0 if high is not None else 1.0)
    if field.get("type") == "array":
        items = field.get("items", {})
        return [_sample(items, definitions)] * int(field.get("minItems", 1)) if isinstance(items, dict) else []
    others: dict[str, JSON] = {"boolean": True, "object": {}, "null": None}
    return others.get(str(field.get("type")), "...")


def _short(value: JSON) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 48 else f"{text[:45]}..."
