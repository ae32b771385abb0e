"""Scalars by the core schema of YAML 1.2; what it does not know is refused with a hint."""

from __future__ import annotations

import math
import re
from typing import Any, Final

MAX_DIGITS: Final = 100

_PREFIX = "tag:yaml.org,2002:"
_SCALAR_TAGS = {f"{_PREFIX}{t}": t for t in ("str", "int", "float", "bool", "null")}
COLLECTION_TAGS = (f"{_PREFIX}map", f"{_PREFIX}seq", None, "!")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")


class Refused(Exception):
    """A scalar is not accepted; the text says why and what to do."""


def visible(text: str) -> str:
    """Replace what a terminal would not show."""
    return "".join(c if c.isprintable() else "?" for c in text)


def tag_of(event: Any) -> str | None:
    """Return the explicit tag of an event."""
    tag = getattr(event, "tag", None)
    return None if tag is None else str(tag)


def show_tag(tag: str | None) -> str:
    """Return a tag as people write it."""
    return (tag or "").replace(_PREFIX, "!!")[:80]


def scalar(event: Any) -> bool | int | float | str | None:
    """Resolve a scalar by the core schema of YAML 1.2."""
    text, tag = event.value, tag_of(event)
    if any("\ud800" <= c <= "\udfff" for c in text) or "\0" in text:
        raise Refused("the text holds a lone surrogate or a NUL character; remove it")
    if tag is not None and tag != "!":
        if tag not in _SCALAR_TAGS:
            raise Refused(f"tag {show_tag(tag)} is not allowed; remove it, only plain values are read")
        wanted = _SCALAR_TAGS[tag]
        if wanted == "str":
            return str(text)
        value = _plain_scalar(text)
        found = {bool: "bool", int: "int", float: "float", type(None): "null"}.get(type(value), "str")
        if found != wanted and not (wanted == "float" and found == "int"):
            raise Refused(f"{text[:80]!r} is not of type {wanted}; remove the tag !!{wanted} or change the value")
        return float(value) if wanted == "float" and value is not None else value
    if tag == "!" or not event.implicit[0]:
        return str(text)
    return _plain_scalar(text)


def _plain_scalar(text: str) -> bool | int | float | str | None:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise Refused(f"a whole number of {len(text)} digits; the limit is {MAX_DIGITS}, write a smaller one")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise Refused(f"{text[:80]} is too large for a number; write a finite one (below 1.8e308)")
        return number
    if _NON_FINITE.fullmatch(text):
        raise Refused(f"{text} is not a finite number; write a finite one, or leave the key out")
    if _DATE.fullmatch(text):
        raise Refused(f'{text[:80]} reads as a date, which scenarios do not have; put it in quotes: "{text[:80]}"')
    return text
