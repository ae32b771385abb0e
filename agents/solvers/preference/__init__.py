"""Self-play solvers of general-preference games: SPPO, SPO, INPO."""

from __future__ import annotations

import importlib
from typing import Any

_HERE = "equilibria.agents.solvers.preference"
_PUBLIC = {"PreferenceSolver": "solver", "inpo_fixed_point": "updates"}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{_HERE}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {_HERE!r} has no attribute {name!r}")
