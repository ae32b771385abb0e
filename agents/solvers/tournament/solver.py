"""Round-robin tournament as a solver: one step is one repetition of all pairs.

The output is the population that replicator dynamics reach from equal shares on the sampled mean scores.
Its certificate uses the exact expected scores instead: the gain of the best listed strategy against
that population, per turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equilibria.agents.solvers.tournament.settings import TournamentSettings
from equilibria.games.analysis.dynamics import replicator
from equilibria.games.matrix import iterated_kernels as kernels
from equilibria.games.matrix.iterated import IteratedGame, TournamentResult, summarise
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray


class Tournament:
    """Sampled round-robin tournament.

    Args:
        game: An iterated game.
        settings: See ``TournamentSettings``.
        seeds: Source of the strategies' randomness and of noise.
    """

    name = "tournament"
    table_names = ("policy", "scores")

    def __init__(
        self, game: IteratedGame, settings: TournamentSettings | None = None, *, seeds: SeedTree | None = None
    ) -> None:
        self.game = game
        self.settings = settings or TournamentSettings()
        self._key = (seeds or SeedTree(0)).child("tournament").key()
        n = len(game.strategies)
        self._sums = (np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n)))
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Repetitions played."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Play ``n`` more repetitions; the sums do not depend on how repetitions are split over calls."""
        for _ in range(n):
            # one repetition per call keeps the order of additions, hence every bit, independent of n
            new = kernels.round_robin(
                *self.game.tables(), self.game.payoff, self.game.turns, self._iteration, 1, self._key
            )
            self._sums = (self._sums[0] + new[0], self._sums[1] + new[1], self._sums[2] + new[2])
            self._iteration += 1

    def result(self) -> TournamentResult:
        """Return mean scores with standard errors; exact expected scores before the first repetition."""
        if self._iteration == 0:
            expected = self.game.expected()
            zero = np.zeros_like(expected)
            return TournamentResult(self.game.names, expected, zero, zero, 0, self.game.turns)
        return summarise(self.game, self._sums, self._iteration)

    def policy(self) -> FloatArray:
        """Return [n] shares of the strategies after the replicator dynamics."""
        scores = self.result().mean / self.game.turns
        start = np.full(len(scores), 1.0 / len(scores))
        return np.asarray(replicator(scores, start, times=[0.0, self.settings.horizon]).x[-1])

    def metrics(self) -> dict[str, float]:
        """Return the mean score per turn of every strategy against all."""
        return {f"score/{name}": score for name, score in self.result().ranking()}

    def certificate(self) -> Certificate:
        """Return the gain of the best listed strategy against the output population, per turn (exact scores)."""
        x = self.policy()
        scores = self.game.expected() / self.game.turns
        values = scores @ x
        gain = max(0.0, float(values.max() - x @ values))
        return Certificate(
            measure="best reply gain",
            value=gain,
            unit="payoff per turn",
            method="exact expected scores of all listed strategies against the population reached by replicator dynamics",
            details={
                "best_reply": self.game.names[int(values.argmax())],
                "shares": {n: float(s) for n, s in zip(self.game.names, x, strict=True) if s > 1e-6},
                "cooperation": float(x @ self.result().cooperation @ x),
            },
            warning="only the listed strategies count as deviations",
        )

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return the shares of strategies (``policy``) or the score of every ordered pair (``scores``)."""
        names = np.array(self.game.names)
        result = self.result()
        if name == "policy":
            return {"strategy": names, "probability": self.policy(), "score": result.mean.mean(axis=1)}
        row, column = (x.ravel() for x in np.indices(result.mean.shape))
        return {
            "strategy": names[row],
            "opponent": names[column],
            "score": result.mean.ravel(),
            # the recorder refuses infinities: a single random repetition has no standard error yet
            "standard_error": np.where(np.isfinite(result.standard_error), result.standard_error, 0.0).ravel(),
            "repetitions": np.full(len(row), result.repetitions),
            "cooperation": result.cooperation.ravel(),
        }

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State(
            dict(zip(("score", "square", "cooperation"), self._sums, strict=True)), {"iteration": self._iteration}
        )

    def load(self, state: State) -> None:
        """Restore a state made by ``save``."""
        score, square, cooperation = (
            np.array(state.arrays[k], dtype=np.float64) for k in ("score", "square", "cooperation")
        )
        self._sums = (score, square, cooperation)
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]


def build(settings: TournamentSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> Tournament:
    """Build the tournament of an iterated game."""
    if not isinstance(game, IteratedGame):
        raise UnsupportedGame(f"tournament plays iterated games (iterated_game), got {type(game).__name__}")
    return Tournament(game, settings, seeds=seeds)
