"""The run store: what a run directory holds, how it is written and how it is read.

Readers use ``open_run``, ``open_sweep`` and ``find_runs``; ``layout`` names the files.
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "BrokenRun": "equilibria.sim.store.reader:BrokenRun",
    "Run": "equilibria.sim.store.reader:Run",
    "Sweep": "equilibria.sim.store.reader:Sweep",
    "find_runs": "equilibria.sim.store.reader:find_runs",
    "open_any": "equilibria.sim.store.reader:open_any",
    "open_run": "equilibria.sim.store.reader:open_run",
    "open_sweep": "equilibria.sim.store.reader:open_sweep",
}

__all__ = ["BrokenRun", "Run", "Sweep", "find_runs", "open_any", "open_run", "open_sweep"]
__getattr__ = exports("equilibria.sim.store", _PUBLIC)
