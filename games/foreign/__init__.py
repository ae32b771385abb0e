"""Environments of other libraries as batches of worlds (slow path); names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "ForeignWorld": "world",
    "MAgentBattle": "battle",
    "openspiel_world": "build",
    "pettingzoo_world": "build",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.foreign", _PUBLIC)
