"""Body-reservoir governance: an echo-state agent for repeated games."""

from __future__ import annotations

import importlib
from typing import Any

_HERE = "equilibria.agents.reservoir"
_PUBLIC = {
    "BodyReservoir": "solver",
    "Body": "body",
    "make_body": "body",
    "self_consistent_state": "body",
    "gaussian_divergence": "divergence",
    "neighbour_divergence": "divergence",
    "brg_player": "axelrod_player",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{_HERE}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {_HERE!r} has no attribute {name!r}")
