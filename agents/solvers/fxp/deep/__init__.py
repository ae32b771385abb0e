"""Fictitious cross-play with learned team policies; needs the extra ``learn``.  Names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "DeepFXP": "solver",
    "DeepFXPSettings": "settings",
    "Match": "matches",
    "PopulationPlayer": "opponents",
    "TeamArchive": "archive",
    "play_match": "matches",
    "round_robin": "matches",
    "trained_exploitability": "exploitability",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.solvers.fxp.deep", _PUBLIC)
