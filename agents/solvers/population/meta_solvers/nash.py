"""Zero-sum Nash meta-solvers by linear programming: ``nash``, ``nash_maxent``, ``rectified``.

``nash`` in training keeps one HiGHS program that grows with the population (see ``incremental``) and
also reports when it is the evaluation solver; evaluating populations that another solver trained it
solves a fresh program, so that reporting leaves no trace.  ``rectified`` is the
same meta-strategy; its rectified training (respond only to opponents one beats or ties) is a matter
of the oracle step (Balduzzi et al. 2019, arXiv 1901.08106).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from equilibria.agents.solvers.population.meta_game import MetaGame, MetaStrategy, check_sizes
from equilibria.agents.solvers.population.meta_solvers.base import MetaSolver, Purpose
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, UnsupportedGame
from equilibria.sim.plugin import NoSettings, Settings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


def zero_sum_matrix(meta: MetaGame, solver: str) -> FloatArray:
    """Return the row player's payoffs [k_0, k_1] of a two-player constant-sum meta-game.

    Raises:
        UnsupportedGame: For other meta-games; the message names meta-solvers that apply.
    """
    check_sizes(meta.sizes)
    if meta.players != 2 or meta.constant_sum is None:
        kind = f"{meta.players}-player" if meta.players != 2 else "general-sum"
        raise UnsupportedGame(
            f"meta-solver {solver!r} needs a two-player zero-sum game, got a {kind} one; "
            "use shor, pm, rm, rm+, prd, alpharank, mgcce or mwce"
        )
    return meta.payoffs()[0]


class Nash(MetaSolver):
    """A Nash equilibrium of the two-player zero-sum meta-game (a vertex, not unique)."""

    settings_model: ClassVar[type[Settings]] = NoSettings
    shared: ClassVar[bool] = True

    def __init__(self, name: str, settings: Settings, *, purpose: Purpose = "train", seeds: SeedTree) -> None:
        from equilibria.agents.solvers.population.incremental import IncrementalNash

        super().__init__(name, settings, purpose=purpose, seeds=seeds)
        self._program = IncrementalNash()

    def solve(self, meta: MetaGame) -> MetaStrategy:
        """Return the equilibrium; re-solves from the last basis in training."""
        from equilibria.agents.solvers.population.incremental import IncrementalNash

        matrix = zero_sum_matrix(meta, self.name)
        if matrix.size == 0:
            return MetaStrategy((np.zeros(0), np.zeros(0)), None, self.name)
        program = self._program if self.purpose == "train" else IncrementalNash()
        row, column, _ = program.solve(matrix)
        return MetaStrategy((row, column), None, self.name)

    def save(self, meta: MetaGame) -> State:
        """Return the sizes at every re-solve; replaying them restores the basis.

        A solve of the present meta-game is left out: it is repeated, with the same result, when asked for.
        """
        history = self._program.history
        if history and history[-1] == tuple(meta.sizes.tolist()):
            history = history[:-1]
        return State(arrays={"history": np.array(history, np.int64).reshape(-1, 2)})

    def load(self, state: State, meta: MetaGame) -> None:
        """Replay the re-solves on the payoffs of ``meta``."""
        from equilibria.agents.solvers.population.incremental import IncrementalNash

        history = np.asarray(state.arrays.get("history"))
        if history.ndim != 2 or history.shape[1] != 2 or not np.issubdtype(history.dtype, np.integer):
            raise CorruptRun("state of meta-solver 'nash' has no table of sizes with two columns")
        self._program = IncrementalNash()
        self._program.replay(zero_sum_matrix(meta, self.name), history)


class NashMaxent(MetaSolver):
    """The zero-sum equilibrium with maximum entropy; unique."""

    settings_model: ClassVar[type[Settings]] = NoSettings

    def solve(self, meta: MetaGame) -> MetaStrategy:
        """Return the maximum-entropy equilibrium."""
        from equilibria.games.analysis.matrix_nash import max_entropy_nash

        matrix = zero_sum_matrix(meta, self.name)
        if matrix.size == 0:
            return MetaStrategy((np.zeros(0), np.zeros(0)), None, self.name)
        nash = max_entropy_nash(matrix)
        return MetaStrategy((nash.row, nash.column), None, self.name)
