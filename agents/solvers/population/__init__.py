"""Population solvers: PSRO, its meta-games, meta-solvers and oracles.

Public names are resolved on first use, so importing this package compiles and loads nothing heavy.
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "PSRO": "equilibria.agents.solvers.population.psro:PSRO",
    "PSROSettings": "equilibria.agents.solvers.population.settings:PSROSettings",
    "DenseMetaGame": "equilibria.agents.solvers.population.meta_game:DenseMetaGame",
    "PlanMetaGame": "equilibria.agents.solvers.population.plan_game:PlanMetaGame",
    "MetaStrategy": "equilibria.agents.solvers.population.meta_game:MetaStrategy",
    "META_SOLVERS": "equilibria.agents.solvers.population.meta_solvers.registry:META_SOLVERS",
    "meta_solver": "equilibria.agents.solvers.population.meta_solvers.registry:meta_solver",
    "solve_meta_game": "equilibria.agents.solvers.population.meta_solvers.registry:solve_meta_game",
    "OracleRequest": "equilibria.agents.solvers.population.oracle:OracleRequest",
    "ExactOracle": "equilibria.agents.solvers.population.oracle:ExactOracle",
    "SampledPayoffs": "equilibria.agents.solvers.population.payoffs:SampledPayoffs",
    "bootstrap_exploitability": "equilibria.agents.solvers.population.payoffs:bootstrap_exploitability",
    "correlated_gap": "equilibria.agents.solvers.population.evaluation:correlated_gap",
    "verify_symmetric": "equilibria.agents.solvers.population.symmetric:verify_symmetric",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.solvers.population", _PUBLIC)
