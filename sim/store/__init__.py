"""The run store: what a run directory holds, how it is written and how it is read.

Readers use ``open_run``, ``open_sweep`` and ``find_runs``; ``layout`` names the files.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "BrokenRun": "equilibria.sim.store.reader:BrokenRun",
    "Run": "equilibria.sim.store.reader:Run",
    "Sweep": "equilibria.sim.store.reader:Sweep",
    "find_runs": "equilibria.sim.store.reader:find_runs",
    "open_any": "equilibria.sim.store.reader:open_any",
    "open_run": "equilibria.sim.store.reader:open_run",
    "open_sweep": "equilibria.sim.store.reader:open_sweep",
}

__all__ = ["BrokenRun", "Run", "Sweep", "find_runs", "open_any", "open_run", "open_sweep"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'equilibria.sim.store' has no attribute {name!r}")
