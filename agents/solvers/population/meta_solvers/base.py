"""What every meta-solver is: settings, ``solve``, and a state that survives checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from equilibria.agents.solvers.population.meta_game import MetaGame, MetaStrategy, check_sizes, split
from equilibria.sim.contract import State
from equilibria.sim.errors import NumericalError
from equilibria.sim.plugin import Settings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

if TYPE_CHECKING:
    from equilibria.agents.solvers.population.arrays import MetaArrays

Purpose = Literal["train", "eval"]
_SUM_TOLERANCE = 1e-9


class MetaSolver:
    """A rule that turns a meta-game into a meta-strategy.

    Sub-classes set ``settings_model`` and implement ``solve``.  ``purpose`` is ``"train"`` for the
    solver that oracles respond to and ``"eval"`` for the one whose mixture is reported; an
    evaluation solver must not keep state, so that reporting never changes a run.  ``shared`` says
    that ``solve`` may be asked any number of times for one meta-game without any effect; the
    training instance then also reports, so that a certified equilibrium is what is reported even
    where equilibria are not unique.

    Args:
        settings: Parameters, an instance of ``settings_model``.
        purpose: ``"train"`` or ``"eval"``.
        seeds: Seed node of this solver; only random solvers use it.
    """

    settings_model: ClassVar[type[Settings]]
    shared: ClassVar[bool] = False

    def __init__(self, name: str, settings: Settings, *, purpose: Purpose = "train", seeds: SeedTree) -> None:
        self.name = name
        self.settings = settings
        self.purpose: Purpose = purpose
        self.seeds = seeds

    def solve(self, meta: MetaGame) -> MetaStrategy:
        """Return the meta-strategy of the present meta-game."""
        raise NotImplementedError

    def save(self, meta: MetaGame) -> State:
        """Return the state beyond settings; empty for stateless solvers.

        It must not depend on whether ``meta``, the present meta-game, has been solved for a report.
        """
        return State()

    def load(self, state: State, meta: MetaGame) -> None:
        """Restore a state made by ``save``; ``meta`` is the meta-game of that moment."""

    def finished(self, flat: FloatArray, meta: MetaGame) -> MetaStrategy:
        """Check and cut a flat vector [K] into marginals.

        Raises:
            NumericalError: If an entry is not finite (the payoffs overflow the solver's arithmetic).
        """
        if not np.isfinite(flat).all():
            bad = int(np.flatnonzero(~np.isfinite(flat))[0])
            raise NumericalError(f"meta-strategy of {self.name!r}", float(flat[bad]), where=f"entry {bad}")
        return MetaStrategy(tuple(_distribution(part) for part in split(flat, meta.sizes)), None, self.name)


class IterativeSolver(MetaSolver):
    """A meta-solver whose whole work is one compiled call on ``MetaArrays``."""

    def solve(self, meta: MetaGame) -> MetaStrategy:
        """Return the meta-strategy; all-empty populations give empty marginals."""
        check_sizes(meta.sizes)
        if meta.sizes.sum() == 0:
            return MetaStrategy(tuple(np.zeros(0) for _ in range(meta.players)), None, self.name)
        return self.finished(self.iterate(meta.arrays()), meta)

    def iterate(self, arrays: MetaArrays) -> FloatArray:
        """Return the flat meta-strategy [K]."""
        raise NotImplementedError


def _distribution(part: FloatArray) -> FloatArray:
    clean = np.maximum(part, 0.0)
    total = float(clean.sum())
    # dividing by a sum that is 1 up to rounding would only move the last bit
    return clean if abs(total - 1.0) <= _SUM_TOLERANCE else clean / total
