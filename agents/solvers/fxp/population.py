"""Population methods with team best responses: PSRO and online double oracle.

PSRO trains a new team from uniform against a meta-strategy over the population (Lanctot et al. 2017).
Online double oracle (Dinh et al. 2021, arXiv 2103.07780) runs multiplicative weights inside the
population against the average opponent since the last addition and restarts when a new best
response arrives.  How the FXP experiments restrict its best response is not stated; here it is the
same trained team response as PSRO's, and a response nearer than 1e-2 to a known policy is not new.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.fxp.base import TeamSolver, train
from equilibria.agents.solvers.fxp.meta import meta_strategy
from equilibria.agents.solvers.fxp.settings import TeamODOSettings, TeamPSROSettings
from equilibria.games.matrix.team import TeamGame
from equilibria.sim.contract import State
from equilibria.sim.types import FloatArray

KNOWN = 1e-2


class TeamPSRO(TeamSolver):
    """PSRO; one step trains one best response.

    Args:
        game: A symmetric team game.
        settings: See ``TeamPSROSettings``.
    """

    name = "team_psro"

    def __init__(self, game: TeamGame, settings: TeamPSROSettings | None = None) -> None:
        self.settings = settings or TeamPSROSettings()
        super().__init__(game)

    def _step(self) -> None:
        game, options = self.game, self.settings
        opponent = self.meta_strategy @ self.population.embeddings
        response, _ = train(game, options, game.uniform(), opponent, self_weight=0.0, limit=options.limit)
        self.population.append(response)
        self.meta_strategy = meta_strategy(self.population.payoff_matrix(), options.meta)


class TeamODO(TeamSolver):
    """Online double oracle; one step trains one response and does one multiplicative-weights update.

    Args:
        game: A symmetric team game.
        settings: See ``TeamODOSettings``.
    """

    name = "team_odo"

    def __init__(self, game: TeamGame, settings: TeamODOSettings | None = None) -> None:
        self.settings = settings or TeamODOSettings()
        super().__init__(game)
        self.seen = np.zeros(len(game.coupling))  # sum of the opponents' features since the last addition
        self.rounds = 0

    def _step(self) -> None:
        game, options = self.game, self.settings
        present = self.meta_strategy @ self.population.embeddings
        self.seen, self.rounds = self.seen + present, self.rounds + 1
        average = self.seen / self.rounds
        response, _ = train(game, options, game.uniform(), average, self_weight=0.0, limit=options.limit)
        if np.abs(self.population.policies - response).max(axis=(1, 2)).min() > KNOWN:
            self.population.append(response)
            size = len(self.population.policies)
            self.meta_strategy = np.full(size, 1.0 / size)
            self.seen, self.rounds = np.zeros_like(self.seen), 0
            return
        gain = self.population.embeddings @ (game.coupling @ present)
        weights = self.meta_strategy * np.exp(options.step * (gain - gain.max()))
        self.meta_strategy = weights / weights.sum()

    def _arrays(self) -> dict[str, FloatArray]:
        return {"seen": self.seen}

    def _meta(self) -> dict[str, int]:
        return {"rounds": self.rounds}

    def _restore(self, state: State) -> None:
        self.seen = np.array(state.arrays["seen"], dtype=np.float64)
        self.rounds = int(state.meta["rounds"])  # type: ignore[arg-type]
