"""The learning core: advantages, value normalisation, action heads and losses; names are resolved on first use.

``advantages``, ``ValueNorm`` and the settings work without the extra ``learn`` (torch); the rest needs it.
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "Action": "batches",
    "Batch": "batches",
    "Buffer": "buffer",
    "CentralCritic": "critics",
    "Evaluation": "batches",
    "FrozenPlayer": "players",
    "IPPOSettings": "settings",
    "Learner": "learner",
    "MAPPOSettings": "settings",
    "MDPOSettings": "settings",
    "OwnCritic": "critics",
    "PPOSettings": "settings",
    "ProductPolicy": "policies",
    "Rollout": "rollout",
    "ValueNorm": "value_norm",
    "advantages": "advantages",
    "decoupled_loss": "losses",
    "diagnose": "scaling",
    "discrete_head": "heads",
    "evaluate_returns": "rollout",
    "export_policy": "saved",
    "import_policy": "saved",
    "load_learner": "saved",
    "gaussian_head": "heads",
    "mdpo_loss": "losses",
    "normalised": "advantages",
    "policy_loss": "losses",
    "trained_best_response": "response",
    "trained_certificate": "response",
    "value_loss": "losses",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.learning", _PUBLIC)
