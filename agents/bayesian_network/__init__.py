"""Bayesian-network joint policies: agents condition on what their parents do; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "BNMAPPO": "deep.learner",
    "BNMAPPOSettings": "deep.settings",
    "BNPolicy": "policy",
    "BNPolicyGradient": "solver",
    "BNSettings": "settings",
    "Layout": "layout",
    "dag_matrix": "dag",
    "subteams": "dag",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.bayesian_network", _PUBLIC)
