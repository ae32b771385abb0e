"""Equilibria: multi-agent and economic simulation with certified equilibria.

Importing this package is cheap; names are resolved on first use::

    import equilibria as eq
    game = eq.openspiel("leduc_poker")
    solver = eq.agents.VADCFR(game)
    solver.step(1000)
    eq.exploitability(game, solver.average_policy())
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "run": "equilibria.sim.api:run",
    "open_run": "equilibria.sim.api:open_run",
    "openspiel": "equilibria.games.extensive:openspiel",
    "load_efg": "equilibria.games.extensive:load_efg",
    "load_nfg": "equilibria.games.extensive:load_nfg",
    "nash_conv": "equilibria.games.extensive:nash_conv",
    "exploitability": "equilibria.games.extensive:exploitability",
    "expected_values": "equilibria.games.extensive:expected_values",
    "best_response": "equilibria.games.extensive:best_response",
}
_SUBPACKAGES = ("agents", "dashboards", "games", "mechanisms", "sim")

__all__ = ["__version__", *sorted(_PUBLIC), *_SUBPACKAGES]  # noqa: PLE0604 - names of the table above


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"equilibria.{name}")
    raise AttributeError(f"module 'equilibria' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
