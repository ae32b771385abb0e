"""SHOR: smoothed hybrid optimistic regret, with its own training and evaluation configuration.

Training (call t = 1, 2, ...): progress = min(1, t / 75); blend 0.30 -> 0.05, temperature 0.50 ->
0.01, bonus 0.05 -> 0.001 (linear in progress), momentum 0.5, clip(1000 + 20 (k_0 - 1), 1000, 5000)
rounds, plain average.  Evaluation: blend 0.01, temperature 0.001, momentum 0.2, no bonus,
clip(8000 + 50 (k_0 - 1), 8000, 15000) rounds, last iterate.  k_0 is the population of player 0.

SHOR is not a Nash solver of the meta-game: centring by the arithmetic mean favours full support
among above-average policies, and the evaluation's last iterate may cycle (the report therefore
always names the evaluation solver).

Source: Li, Schultz, Hennes, Lanctot (2026), arXiv 2602.16928, appendix (full source listing; the
paper's short listing omits the -1 and the caps).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from equilibria.agents.solvers.population.arrays import MetaArrays
from equilibria.agents.solvers.population.meta_game import MetaGame
from equilibria.agents.solvers.population.meta_solvers.base import IterativeSolver
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun
from equilibria.sim.plugin import Settings
from equilibria.sim.types import FloatArray


class ShorSettings(Settings):
    """Parameters of SHOR; the defaults are the published ones."""

    anneal_calls: int = Field(default=75, ge=1, description="calls until the schedules reach their end")
    blend_start: float = Field(default=0.30, ge=0, le=1, description="weight of the softmax at call 0 (lambda)")
    blend_end: float = Field(default=0.05, ge=0, le=1, description="weight of the softmax after annealing")
    temperature_start: float = Field(default=0.50, gt=0, description="softmax temperature at call 0 (tau)")
    temperature_end: float = Field(default=0.01, gt=0, description="softmax temperature after annealing")
    bonus_start: float = Field(default=0.05, ge=0, description="diversity bonus at call 0 (b)")
    bonus_end: float = Field(default=0.001, ge=0, description="diversity bonus after annealing")
    momentum: float = Field(default=0.5, ge=0, le=10, description="optimism of the training solver (mu)")
    rounds: int = Field(default=1000, ge=1, description="training rounds with one policy")
    rounds_per_policy: int = Field(default=20, ge=0, description="further training rounds per further policy")
    rounds_max: int = Field(default=5000, ge=1, description="cap on training rounds")
    eval_blend: float = Field(default=0.01, ge=0, le=1, description="weight of the softmax in evaluation")
    eval_temperature: float = Field(default=0.001, gt=0, description="softmax temperature in evaluation")
    eval_momentum: float = Field(default=0.2, ge=0, le=10, description="optimism of the evaluation solver")
    eval_rounds: int = Field(default=8000, ge=1, description="evaluation rounds with one policy")
    eval_rounds_per_policy: int = Field(default=50, ge=0, description="further evaluation rounds per further policy")
    eval_rounds_max: int = Field(default=15000, ge=1, description="cap on evaluation rounds")

    def schedule(self, call: int) -> tuple[float, float, float]:
        """Return (blend, temperature, bonus) of training call ``call`` = 1, 2, ..."""
        progress = min(1.0, call / self.anneal_calls)
        return (
            self.blend_start * (1 - progress) + self.blend_end * progress,
            self.temperature_start * (1 - progress) + self.temperature_end * progress,
            self.bonus_start * (1 - progress) + self.bonus_end * progress,
        )

    def training_rounds(self, policies: int) -> int:
        """Return the training rounds for ``policies`` policies of player 0."""
        return _clip(self.rounds + self.rounds_per_policy * (policies - 1), self.rounds, self.rounds_max)

    def evaluation_rounds(self, policies: int) -> int:
        """Return the evaluation rounds for ``policies`` policies of player 0."""
        wanted = self.eval_rounds + self.eval_rounds_per_policy * (policies - 1)
        return _clip(wanted, self.eval_rounds, self.eval_rounds_max)


class Shor(IterativeSolver):
    """SHOR; the training solver counts its calls, and the count is part of the checkpoint."""

    settings_model: ClassVar[type[Settings]] = ShorSettings
    settings: ShorSettings
    calls: int = 0

    def iterate(self, arrays: MetaArrays) -> FloatArray:
        """Return the flat meta-strategy; in training this advances the schedules."""
        from equilibria.agents.solvers.population.meta_solvers.hybrid import hybrid

        s, policies = self.settings, int(arrays.sizes[0])
        if self.purpose == "eval":
            rounds = s.evaluation_rounds(policies)
            return np.asarray(
                hybrid(arrays, rounds, s.eval_blend, s.eval_temperature, s.eval_momentum, 0.0, True, False)
            )
        self.calls += 1
        blend, temperature, bonus = s.schedule(self.calls)
        return np.asarray(
            hybrid(arrays, s.training_rounds(policies), blend, temperature, s.momentum, bonus, True, True)
        )

    def save(self, meta: MetaGame) -> State:
        """Return the call count."""
        return State(meta={"calls": self.calls})

    def load(self, state: State, meta: MetaGame) -> None:
        """Restore the call count."""
        calls = state.meta.get("calls")
        if not isinstance(calls, int) or calls < 0:
            raise CorruptRun(f"state of meta-solver 'shor' has calls={calls!r}, expected a non-negative integer")
        self.calls = calls


def _clip(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))
