"""Alpha-rank as a meta-solver: the marginals of its stationary distribution over joint policies.

Reference: Omidshafiei et al. (2019), alpha-Rank, Scientific Reports 9; Muller et al. (2020), A
Generalized Training Approach for Multiagent Learning, arXiv 1909.12823.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from equilibria.agents.solvers.population.meta_game import MetaGame, MetaStrategy, check_sizes
from equilibria.agents.solvers.population.meta_solvers.base import MetaSolver
from equilibria.sim.plugin import Settings


class AlphaRankSettings(Settings):
    """Parameters of alpha-rank."""

    alpha: float | None = Field(default=None, gt=0, description="selection intensity; null means the limit to infinity")
    population: int = Field(default=50, ge=2, description="individuals per population, used with finite alpha")


class AlphaRankSolver(MetaSolver):
    """Marginals of multi-population alpha-rank."""

    settings_model: ClassVar[type[Settings]] = AlphaRankSettings
    settings: AlphaRankSettings

    def solve(self, meta: MetaGame) -> MetaStrategy:
        """Return the marginals; payoff ties are exact up to 1e-14."""
        from equilibria.games.analysis.alpharank import alpha_rank

        check_sizes(meta.sizes)
        ranked = alpha_rank(meta.payoffs(), alpha=self.settings.alpha, population=self.settings.population)
        return MetaStrategy(tuple(m / m.sum() for m in ranked.marginals), None, self.name)
