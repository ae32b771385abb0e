"""Agents: who decides. Solvers, learners, rules; class names are resolved on first use."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC: dict[str, str] = {
    "PSRO": "equilibria.agents.solvers.population.psro:PSRO",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'equilibria.agents' has no attribute {name!r}")
