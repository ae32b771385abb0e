"""The learning core: advantages, value normalisation, action heads and losses; names are resolved on first use.

``heads`` and ``losses`` need the extra ``learn`` (torch); the rest works without it.
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "ValueNorm": "value_norm",
    "advantages": "advantages",
    "discrete_head": "heads",
    "gaussian_head": "heads",
    "mdpo_loss": "losses",
    "normalised": "advantages",
    "policy_loss": "losses",
    "value_loss": "losses",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.learning", _PUBLIC)
