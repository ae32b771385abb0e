"""Iterative meta-solvers: fictitious play, regret matching, regret matching+, projected replicator.

All return averages.  Sources: Brown (1951) for ``fp``; Hart and Mas-Colell (2000) for ``rm``;
Tammelin (2014) for ``rm+``; Lanctot et al. (2017), arXiv 1711.00832, for ``prd``.  ``rm`` and
``prd`` follow the conventions of OpenSpiel: simultaneous updates, the average includes the initial
uniform point.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from equilibria.agents.solvers.population.arrays import MetaArrays
from equilibria.agents.solvers.population.meta_solvers.base import IterativeSolver
from equilibria.sim.plugin import Settings
from equilibria.sim.types import FloatArray


class FpSettings(Settings):
    """Parameters of fictitious play."""

    iterations: int = Field(default=2000, ge=1, description="iterations")


class Fp(IterativeSolver):
    """Fictitious play in the meta-game: simultaneous best responses (lowest index) to the averages."""

    settings_model: ClassVar[type[Settings]] = FpSettings
    settings: FpSettings

    def iterate(self, arrays: MetaArrays) -> FloatArray:
        """Return the average of the uniform start and all best responses."""
        from equilibria.agents.solvers.population.meta_solvers.dynamics_kernels import fictitious_play

        return np.asarray(fictitious_play(arrays, self.settings.iterations))


class RmSettings(Settings):
    """Parameters of regret matching."""

    iterations: int = Field(default=100_000, ge=1, description="iterations")
    gamma: float = Field(default=1e-6, ge=0, le=1, description="exploration: weight of the uniform distribution")
    initial_regret: float = Field(default=1e-6, ge=0, description="regret of every policy before the first iteration")


class Rm(IterativeSolver):
    """Regret matching with simultaneous updates and a plain average."""

    settings_model: ClassVar[type[Settings]] = RmSettings
    settings: RmSettings

    def iterate(self, arrays: MetaArrays) -> FloatArray:
        """Return the average strategy."""
        from equilibria.agents.solvers.population.meta_solvers.dynamics_kernels import regret_matching

        s = self.settings
        return np.asarray(regret_matching(arrays, s.iterations, s.gamma, s.initial_regret))


class RmPlusSettings(Settings):
    """Parameters of regret matching+."""

    iterations: int = Field(default=5000, ge=1, description="iterations")


class RmPlus(IterativeSolver):
    """Regret matching+: alternating updates, regrets clipped after adding, linear average."""

    settings_model: ClassVar[type[Settings]] = RmPlusSettings
    settings: RmPlusSettings

    def iterate(self, arrays: MetaArrays) -> FloatArray:
        """Return the linearly weighted average."""
        from equilibria.agents.solvers.population.meta_solvers.dynamics_kernels import regret_matching_plus

        return np.asarray(regret_matching_plus(arrays, self.settings.iterations))


class PrdSettings(Settings):
    """Parameters of projected replicator dynamics."""

    iterations: int = Field(default=100_000, ge=1, description="Euler steps")
    step: float = Field(default=1e-3, gt=0, description="step size (dt)")
    gamma: float = Field(default=1e-6, ge=0, lt=1, description="smallest probability of a policy")


class Prd(IterativeSolver):
    """Projected replicator dynamics; not scale-invariant: the step is in units of payoff."""

    settings_model: ClassVar[type[Settings]] = PrdSettings
    settings: PrdSettings

    def iterate(self, arrays: MetaArrays) -> FloatArray:
        """Return the average of the trajectory."""
        from equilibria.agents.solvers.population.meta_solvers.dynamics_kernels import projected_replicator

        s = self.settings
        return np.asarray(projected_replicator(arrays, s.iterations, s.step, s.gamma))
