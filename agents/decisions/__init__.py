"""Agents for decision environments; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "CascadingLearner": "cascading",
    "RestlessRule": "restless",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.decisions", _PUBLIC)
