"""Correlated meta-solvers of JPSRO: maximum Gini, maximum welfare and random-vertex CE and CCE.

The name says which: ``mg``, ``mw`` or ``rv``, followed by ``ce`` or ``cce``.

Reference: Marris, Muller, Lanctot, Tuyls, Graepel (2021), Multi-Agent Training beyond Zero-Sum with
Correlated Equilibrium Meta-Solvers, arXiv 2106.09435.
"""

from __future__ import annotations

from typing import ClassVar, Literal, cast

import numpy as np

from equilibria.agents.solvers.population.meta_game import MetaGame, MetaStrategy, check_sizes
from equilibria.agents.solvers.population.meta_solvers.base import MetaSolver
from equilibria.sim.plugin import NoSettings, Settings

_OBJECTIVES = {"mg": "gini", "mw": "welfare", "rv": "random"}


class Correlated(MetaSolver):
    """A (coarse) correlated equilibrium of the meta-game, chosen by the solver's name."""

    settings_model: ClassVar[type[Settings]] = NoSettings
    shared: ClassVar[bool] = True

    def solve(self, meta: MetaGame) -> MetaStrategy:
        """Return the joint distribution and its marginals."""
        from equilibria.games.analysis.correlated import correlated_equilibrium

        check_sizes(meta.sizes)
        if meta.sizes.sum() == 0:
            return MetaStrategy(tuple(np.zeros(0) for _ in range(meta.players)), None, self.name)
        if meta.sizes.max() == 1:
            return MetaStrategy.from_joint(np.ones(tuple(meta.sizes)), self.name)
        objective = cast(Literal["gini", "welfare", "random"], _OBJECTIVES[self.name[:2]])
        concept = cast(Literal["ce", "cce"], self.name[2:])
        # the objective of `rv` depends on the meta-game's size alone, so a resumed run draws the same
        seeds = self.seeds.child(self.name, int(meta.sizes.sum()))
        rng = seeds.generator() if objective == "random" else None
        joint = correlated_equilibrium(meta.payoffs(), concept=concept, objective=objective, rng=rng)
        return MetaStrategy.from_joint(joint, self.name)
