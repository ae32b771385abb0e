"""Empirical game analysis: from match results and payoff tensors to equilibria, ratings and dynamics.

Everything here is a function of arrays; names are resolved on first use::

    from equilibria.games import analysis
    analysis.zero_sum_nash([[2, -1], [-1, 1]]).value       # 0.2
    analysis.alpha_rank([row_payoffs, column_payoffs]).marginals
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "AlphaRank": "alpharank",
    "alpha_rank": "alpharank",
    "alpha_rank_single": "alpharank",
    "MatrixNash": "matrix_nash",
    "zero_sum_nash": "matrix_nash",
    "max_entropy_nash": "matrix_nash",
    "exploitability_of": "matrix_nash",
    "correlated_equilibrium": "correlated",
    "correlated_gap": "correlated",
    "CorrelatedGap": "correlated",
    "Trajectory": "dynamics",
    "replicator": "dynamics",
    "multi_replicator": "dynamics",
    "q_learning": "dynamics",
    "Ratings": "ratings",
    "bradley_terry": "ratings",
    "nash_averaging": "ratings",
    "NashAveraging": "ratings",
    "agent_task_averaging": "ratings",
    "Decomposition": "decomposition",
    "decompose": "decomposition",
    "MatchResults": "results",
    "read_results": "results",
    "results_from_frame": "results",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.analysis", _PUBLIC)
