"""Fictitious cross-play (FXP) on matrix games.

Each generation
1. solves the meta-game over the whole population (main and counter teams);
2. goes on training the main team against itself (weight eta) and that meta-strategy (1 - eta);
3. solves the meta-game of main teams against counter teams;
4. trains a fresh counter team against the main teams' meta-strategy, for at most as many iterations.

What converges is the meta-strategy over all teams; in games with cycles the last main team stays
exploitable, so both are reported.  Cost per generation: at most 2 ``limit`` iterations of 2 K A^N
multiply-adds, and two small linear programs.

Reference: Xu, Liang, Yu, Wang and Wu (2023), arXiv 2310.03354; order of a generation as in their matrix
experiments (m = 10, eta = 0.3).
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.fxp.base import TeamSolver, train
from equilibria.agents.solvers.fxp.meta import meta_strategy
from equilibria.agents.solvers.fxp.settings import FXPSettings
from equilibria.games.matrix.team import TeamGame, TeamMixture
from equilibria.sim.contract import State
from equilibria.sim.types import FloatArray, IntArray


class FXP(TeamSolver):
    """Fictitious cross-play; one step is one generation.

    Args:
        game: A symmetric team game.
        settings: See ``FXPSettings``.

    Attributes:
        main: [N, A] the main team.
        counter: [N, A] the latest counter team.
        population: All teams: the first counter, then main and counter of each generation in turn.
        iterations_used: Training iterations of (main, counter) in each generation.

    Example:
        >>> from equilibria.games.matrix import climb
        >>> solver = FXP(climb())
        >>> solver.step(3)
        >>> solver.main.argmax(axis=1).tolist(), solver.exploitability() < 5e-3
        ([0, 0, 0], True)
    """

    name = "fxp"

    def __init__(self, game: TeamGame, settings: FXPSettings | None = None) -> None:
        self.settings = settings or FXPSettings()
        super().__init__(game)
        self.main = game.uniform()
        self.iterations_used: list[tuple[int, int]] = []

    @property
    def counter(self) -> FloatArray:
        """The latest counter team [N, A]."""
        return np.asarray(self.population.policies[-1])

    def _kinds(self) -> tuple[IntArray, IntArray]:
        """Return the places of main and counter teams in the population."""
        places = np.arange(len(self.population.policies))
        return places[1::2], places[0::2]

    def _step(self) -> None:
        options, game = self.settings, self.game
        start = game.uniform() if options.reset_main else self.main
        opponents = self.meta_strategy @ self.population.embeddings
        self.main, used = train(game, options, start, opponents, self_weight=options.self_weight, limit=options.limit)
        counters = self._kinds()[1]
        self.population.append(self.main)
        payoffs = self.population.payoff_matrix()
        mains = np.append(self._kinds()[0], [] if len(payoffs) % 2 == 0 else len(payoffs) - 1).astype(np.int64)
        against = meta_strategy(payoffs[np.ix_(mains, counters)], options.meta)
        counter, used_counter = train(
            game,
            options,
            game.uniform(),
            against @ self.population.embeddings[mains],
            self_weight=0.0,
            limit=max(1, used),
        )
        self.population.append(counter)
        self.iterations_used.append((used, used_counter))
        self.meta_strategy = meta_strategy(self.population.payoff_matrix(), options.meta)

    def main_exploitability(self) -> float:
        """Return what the best team gains against the main team alone, in game payoff (exact)."""
        return TeamMixture(self.game, self.main[None], np.ones(1)).exploitability()

    def metrics(self) -> dict[str, float]:
        """Return headline numbers: of the meta-strategy and of the main team."""
        return {**super().metrics(), "main_exploitability": self.main_exploitability()}

    def _arrays(self) -> dict[str, FloatArray]:
        used = np.array(self.iterations_used, dtype=np.float64).reshape(-1, 2)
        return {"main": self.main, "iterations_used": used}

    def _restore(self, state: State) -> None:
        self.main = np.array(state.arrays["main"], dtype=np.float64)
        used = np.asarray(state.arrays["iterations_used"], dtype=np.int64)
        self.iterations_used = [(int(a), int(b)) for a, b in used]
