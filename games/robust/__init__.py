"""Decision problems of one agent: robust, of unknown opponents, designed by somebody; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "Design": "design",
    "DesignProblem": "design",
    "LafferCurve": "design",
    "ModelSet": "models",
    "PolicyPayoffs": "payoffs",
    "PostedPrice": "design",
    "RobustMDP": "robust",
    "inventory": "store",
    "models_of": "models",
    "random_rectangular_mdp": "robust",
    "windy_walk": "robust",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.robust", _PUBLIC)
