"""Learners from logged transitions, one class per algorithm; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "BatchConstrained": "batch_constrained",
    "Cloning": "cloning",
    "Combo": "model_based",
    "Conservative": "conservative",
    "DynamicsEnsemble": "dynamics",
    "ImplicitQ": "implicit",
    "Mopo": "model_based",
    "RegularisedTD3": "actor_critic",
    "Transitions": "data",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.bidding.autobidding.learners", _PUBLIC)
