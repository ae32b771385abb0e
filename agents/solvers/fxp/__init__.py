"""Fictitious cross-play and the methods it is compared with, on symmetric team games."""

from __future__ import annotations

import importlib
from typing import Any

_HERE = "equilibria.agents.solvers.fxp"
_PUBLIC = {
    "FXP": "cross_play",
    "TeamPSRO": "population",
    "TeamODO": "population",
    "SelfPlay": "self_play",
    "OpponentSampler": "opponents",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{_HERE}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {_HERE!r} has no attribute {name!r}")
