"""Robust policies, adaptive ensembles and bilevel design; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "DeepIWOCS": "deep",
    "DeepIWOCSSettings": "deep_settings",
    "Designer": "designer",
    "Exp3IX": "bandit",
    "Exp3IXSolver": "bandit",
    "IWOCS": "iwocs",
    "PolicyEnsemble": "ensemble",
    "discover": "policy_sets",
    "discover_by": "policy_sets",
    "dominance": "policy_sets",
    "hypergradient": "bilevel",
    "nondominated": "policy_sets",
    "sampled_hypergradient": "sampled",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.robust", _PUBLIC)
