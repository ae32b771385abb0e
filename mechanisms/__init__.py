"""Mechanisms: rules that a designer chooses, as pure functions on arrays."""

from __future__ import annotations

import importlib
from typing import Any

_BUILD = "equilibria.mechanisms.build"
_PUBLIC: dict[str, str] = {
    **{
        name: f"{_BUILD}:{name}"
        for name in (
            "all_pay", "combinatorial", "discriminatory", "dutch", "english", "first_price", "gfp", "gsp",
            "k_double_auction", "llg", "mcafee", "myerson", "posted_price", "second_price", "third_price",
            "uniform_price", "vcg_double", "vcg_position", "vickrey_multiunit", "war_of_attrition",
        )
    },
    "Outcome": "equilibria.mechanisms.outcome:Outcome",
    "Rule": "equilibria.mechanisms.base:Rule",
    "PROBES": "equilibria.mechanisms.conformance:PROBES",
}  # fmt: skip

__all__ = sorted(_PUBLIC)  # noqa: PLE0605 - a sorted list of literal names


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'equilibria.mechanisms' has no attribute {name!r}")
