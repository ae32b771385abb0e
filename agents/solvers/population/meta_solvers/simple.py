"""Meta-solvers that look at population sizes only: uniform, biased uniform, last."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from equilibria.agents.solvers.population.meta_game import MetaGame, MetaStrategy, check_sizes
from equilibria.agents.solvers.population.meta_solvers.base import MetaSolver
from equilibria.sim.plugin import NoSettings, Settings
from equilibria.sim.types import FloatArray


class _BySize(MetaSolver):
    def solve(self, meta: MetaGame) -> MetaStrategy:
        """Return one distribution per player from the population sizes."""
        check_sizes(meta.sizes)
        return MetaStrategy(tuple(self.weights(int(k)) if k else np.zeros(0) for k in meta.sizes), None, self.name)

    def weights(self, policies: int) -> FloatArray:
        """Return the distribution over ``policies`` policies, oldest first."""
        raise NotImplementedError


class Uniform(_BySize):
    """1 / k_p: fictitious play, when oracles are exact and the population starts with one policy."""

    settings_model: ClassVar[type[Settings]] = NoSettings

    def weights(self, policies: int) -> FloatArray:
        """Return the uniform distribution."""
        return np.full(policies, 1.0 / policies)


class BiasedSettings(Settings):
    """Parameters of ``uniform_biased``."""

    temperature: float = Field(default=1.0, gt=0, description="temperature of the softmax over policy indices")


class UniformBiased(_BySize):
    """Softmax over the policy index: the newest policy has the highest probability."""

    settings_model: ClassVar[type[Settings]] = BiasedSettings
    settings: BiasedSettings

    def weights(self, policies: int) -> FloatArray:
        """Return the softmax over indices."""
        weights: FloatArray = np.exp((np.arange(policies) - (policies - 1.0)) / self.settings.temperature)
        return np.asarray(weights / weights.sum())


class Last(_BySize):
    """All mass on the newest policy: iterated best response."""

    settings_model: ClassVar[type[Settings]] = NoSettings

    def weights(self, policies: int) -> FloatArray:
        """Return the unit vector of the newest policy."""
        weights = np.zeros(policies)
        weights[-1] = 1.0
        return weights
