"""Views of our games in the interfaces of other libraries; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "OpenSpielEnv": "openspiel",
    "ParallelView": "pettingzoo",
    "aec_env": "pettingzoo",
    "VectorView": "gymnasium",
    "environment": "registration",
    "gymnasium_env": "gymnasium",
    "parallel_env": "pettingzoo",
    "register_environments": "registration",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.adapters", _PUBLIC)
