"""PM: projection matching, a minimal meta-solver distilled from SHOR (reconstruction).

Centring a payoff vector by its arithmetic mean is the orthogonal projection onto the tangent space
of the simplex; PM keeps that and optimistic regret matching+, and nothing else: no blend, bonus,
softmax, normalisation or annealing.  1000 + 20 (k_0 - 1) training and 8000 + 50 (k_0 - 1)
evaluation rounds, momentum 0.5, plain average of all rounds for both.

The name, the role and the minimality are from Li, Schultz, Hennes, Lanctot (2026), arXiv 2602.16928
v3; its exact listing was not available, so this rule is a reconstruction and is reported as such.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from equilibria.agents.solvers.population.arrays import MetaArrays
from equilibria.agents.solvers.population.meta_solvers.base import IterativeSolver
from equilibria.sim.plugin import Settings
from equilibria.sim.types import FloatArray


class PmSettings(Settings):
    """Parameters of PM."""

    momentum: float = Field(default=0.5, ge=0, le=10, description="optimism (mu)")
    normalize: bool = Field(default=False, description="divide gains by their largest magnitude")
    eval_last_iterate: bool = Field(default=False, description="evaluate with the last iterate instead of the average")
    rounds: int = Field(default=1000, ge=1, description="training rounds with one policy")
    rounds_per_policy: int = Field(default=20, ge=0, description="further training rounds per further policy")
    eval_rounds: int = Field(default=8000, ge=1, description="evaluation rounds with one policy")
    eval_rounds_per_policy: int = Field(default=50, ge=0, description="further evaluation rounds per further policy")


class Pm(IterativeSolver):
    """Projection matching (reconstruction)."""

    settings_model: ClassVar[type[Settings]] = PmSettings
    settings: PmSettings

    def iterate(self, arrays: MetaArrays) -> FloatArray:
        """Return the flat meta-strategy."""
        from equilibria.agents.solvers.population.meta_solvers.hybrid import hybrid

        s, more, evaluating = self.settings, int(arrays.sizes[0]) - 1, self.purpose == "eval"
        rounds = (
            s.eval_rounds + s.eval_rounds_per_policy * more if evaluating else s.rounds + s.rounds_per_policy * more
        )
        average = not (evaluating and s.eval_last_iterate)
        return np.asarray(hybrid(arrays, rounds, 0.0, 1.0, s.momentum, 0.0, s.normalize, average))
