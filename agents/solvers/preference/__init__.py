"""Self-play solvers of general-preference games: SPPO, SPO, INPO."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {"PreferenceSolver": "solver", "inpo_fixed_point": "updates"}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.solvers.preference", _PUBLIC)
