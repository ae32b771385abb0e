"""Conservative equilibrium discovery from offline data (COffeE-PSRO); largely our own design, see ``solver``."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "CoffeePSRO": "solver",
    "OfflineData": "data",
    "generate": "data",
    "behaviour_cloning": "baselines",
    "best_pure_profile": "baselines",
    "mixed_with_cloning": "baselines",
    "pessimistic_meta_strategy": "pessimism",
    "pessimistic_regret": "pessimism",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.solvers.coffee", _PUBLIC)
