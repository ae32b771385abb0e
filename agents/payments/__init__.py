"""Contextual bandits with regression oracles for payments; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "GradientTrees": "trees",
    "LogisticByAction": "logistic",
    "PaymentBandit": "bandit",
    "distribution": "exploration",
    "theory_gamma": "exploration",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.payments", _PUBLIC)
