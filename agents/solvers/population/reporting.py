"""Evaluation meta-solvers: which mixture of the populations is reported.

``best`` is an extra and labelled as such: of ``shor``, ``pm``, ``rm+`` (and ``nash`` in two-player
constant-sum games) it takes the mixture of least exact exploitability.
"""

from __future__ import annotations

from equilibria.agents.solvers.population.evaluation import distance
from equilibria.agents.solvers.population.meta_game import MetaGame, MetaStrategy
from equilibria.agents.solvers.population.meta_solvers.base import MetaSolver
from equilibria.agents.solvers.population.meta_solvers.registry import meta_solver
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.agents.solvers.population.settings import PSROSettings
from equilibria.sim.seeds import SeedTree

BEST = "best"


def candidates(meta: PlanMetaGame) -> tuple[str, ...]:
    """Return the candidates of ``eval="best"`` for this game."""
    zero_sum = meta.players == 2 and meta.constant_sum is not None
    return ("shor", "pm", "rm+", "nash") if zero_sum else ("shor", "pm", "rm+")


class Evaluation:
    """The evaluation side of PSRO; keeps no state, so reporting never changes a run."""

    def __init__(self, settings: PSROSettings, train: MetaSolver, seeds: SeedTree) -> None:
        self._seeds = seeds
        self._single: MetaSolver | None = None
        if settings.eval == BEST:
            return
        name, params = settings.eval, settings.eval_params
        if name is None:
            name, params = settings.meta_solver, settings.meta_solver_params
        single = meta_solver(name, params, purpose="eval", seeds=seeds)
        same = single.name == train.name and single.settings == train.settings
        self._single = train if train.shared and same else single

    @property
    def name(self) -> str:
        """Name of the evaluation meta-solver; ``best`` for the labelled extra."""
        return self._single.name if self._single is not None else BEST

    def solve(self, meta: PlanMetaGame, payoffs: MetaGame) -> MetaStrategy:
        """Return the reported meta-strategy.

        Args:
            meta: Populations with exact payoffs (for exact exploitability).
            payoffs: The meta-game that solvers see; ``meta`` itself or the sampled one.
        """
        if self._single is not None:
            return self._single.solve(payoffs)
        tried = [meta_solver(name, purpose="eval", seeds=self._seeds).solve(payoffs) for name in candidates(meta)]
        best = min(tried, key=lambda strategy: distance(meta, strategy).nash_conv)
        return MetaStrategy(best.marginals, best.joint, f"{BEST}({best.solver})")
