"""Fictitious cross-play and the methods it is compared with, on symmetric team games."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "FXP": "cross_play",
    "TeamPSRO": "population",
    "TeamODO": "population",
    "SelfPlay": "self_play",
    "OpponentSampler": "opponents",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.solvers.fxp", _PUBLIC)
