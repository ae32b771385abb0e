"""Limit-order-book markets with populations of traders; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "OrderMarket": "world",
    "OrderMarketEnv": "environment",
    "facts": "facts",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.markets", _PUBLIC)
