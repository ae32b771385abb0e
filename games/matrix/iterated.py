"""Iterated two-action games: compiled round-robin tournaments and exact expected scores.

``tournament`` samples; ``expected`` follows the joint state distribution and has no sampling error.  Both
take noise: each action is flipped with the given probability before it is played and seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.analysis.checks import payoff_matrix
from equilibria.games.matrix import iterated_kernels as kernels
from equilibria.games.matrix.strategies import Automaton
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

PRISONERS_DILEMMA = ((3.0, 0.0), (5.0, 1.0))
"""Payoffs of (own, other) with actions cooperate, defect: R = 3, S = 0, T = 5, P = 1."""


@dataclass(frozen=True, slots=True)
class IteratedGame:
    """A two-action game repeated for a fixed number of turns between named strategies.

    Attributes:
        strategies: The automata that meet, with different names.
        payoff: [2, 2] payoff of the own action (row) against the other's.
        turns: Turns per match, >= 1.
        noise: Probability that an action is flipped, in [0, 1/2].
    """

    strategies: tuple[Automaton, ...]
    payoff: FloatArray
    turns: int = 200
    noise: float = 0.0

    def __post_init__(self) -> None:
        matrix = payoff_matrix(self.payoff, "payoff")
        if matrix.shape != (2, 2):
            raise InvalidValue(f"payoff must be 2 x 2 (cooperate, defect), got {matrix.shape}")
        if self.turns < 1:
            raise InvalidValue(f"turns must be at least 1, got {self.turns!r}")
        if not 0 <= self.noise <= 0.5:
            raise InvalidValue(f"noise must lie in [0, 0.5], got {self.noise!r}")
        if not self.strategies:
            raise InvalidValue("a tournament needs at least one strategy")
        names = [s.name for s in self.strategies]
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            raise InvalidValue(f"strategy names must differ, got more than one {', '.join(double)}")
        object.__setattr__(self, "payoff", matrix)

    @property
    def names(self) -> tuple[str, ...]:
        """Strategy names, in order of the axes."""
        return tuple(s.name for s in self.strategies)

    def tables(self) -> tuple[FloatArray, IntArray]:
        """Return cooperation probabilities [n, S] with noise and transitions [n, S, 2, 2], padded to equal S."""
        n, states = len(self.strategies), max(len(s.cooperate) for s in self.strategies)
        cooperate, transition = np.zeros((n, states)), np.zeros((n, states, 2, 2), np.int64)
        for i, s in enumerate(self.strategies):
            own = len(s.cooperate)
            cooperate[i, :own] = s.cooperate * (1 - self.noise) + (1 - s.cooperate) * self.noise
            transition[i, :own] = s.transition
        return cooperate, transition

    def expected(self) -> FloatArray:
        """Return [n, n] exact expected score of the row strategy in one match against the column strategy."""
        return np.asarray(kernels.expected_scores(*self.tables(), self.payoff, self.turns))


@dataclass(frozen=True, slots=True)
class TournamentResult:
    """Scores of a round-robin tournament.

    Attributes:
        names: [n] strategies.
        mean: [n, n] mean score per match of the row strategy against the column strategy.
        standard_error: [n, n] of the mean over repetitions; 0 for matches without randomness, infinite
            after a single random repetition.
        cooperation: [n, n] share of cooperation of the row strategy.
        repetitions: Repetitions played.
        turns: Turns per match.
    """

    names: tuple[str, ...]
    mean: FloatArray
    standard_error: FloatArray
    cooperation: FloatArray
    repetitions: int
    turns: int

    def ranking(self) -> list[tuple[str, float]]:
        """Return (name, mean score per turn over all opponents, itself included), best first."""
        score = self.mean.mean(axis=1) / self.turns
        order = np.argsort(-score, kind="stable")
        return [(self.names[i], float(score[i])) for i in order]


def tournament(game: IteratedGame, *, repetitions: int = 10, seeds: SeedTree | None = None) -> TournamentResult:
    """Play all pairs of strategies, each also against itself.

    Args:
        game: Strategies, payoffs, turns and noise.
        repetitions: Matches per pair, >= 1.
        seeds: Seed tree; the default is seed 0.

    Example:
        >>> from equilibria.games.matrix.strategies import named
        >>> game = IteratedGame((named("tit_for_tat"), named("defector")), PRISONERS_DILEMMA)
        >>> tournament(game).mean.tolist()
        [[600.0, 199.0], [204.0, 200.0]]
    """
    if repetitions < 1:
        raise InvalidValue(f"repetitions must be at least 1, got {repetitions!r}")
    key = (seeds or SeedTree(0)).child("tournament").key()
    sums = kernels.round_robin(*game.tables(), game.payoff, game.turns, 0, repetitions, key)
    return summarise(game, sums, repetitions)


def summarise(
    game: IteratedGame, sums: tuple[FloatArray, FloatArray, FloatArray], repetitions: int
) -> TournamentResult:
    """Turn the sums of ``kernels.round_robin`` into means and standard errors."""
    total, square, cooperation = sums
    mean = total / repetitions
    spread = np.maximum(square / repetitions - mean**2, 0.0)
    fixed = np.array([bool(np.isin(p, (0.0, 1.0)).all()) for p in game.tables()[0]])
    if repetitions > 1:
        error = np.sqrt(spread / (repetitions - 1))
    else:
        error = np.full_like(mean, np.inf)
    error[np.ix_(fixed, fixed)] = 0.0
    return TournamentResult(game.names, mean, error, cooperation / repetitions, repetitions, game.turns)


def prisoners_dilemma(payoff: ArrayLike) -> bool:
    """Return whether a 2 x 2 payoff matrix is a prisoner's dilemma: T > R > P > S and 2 R > T + S."""
    (r, s), (t, p) = payoff_matrix(payoff, "payoff")
    return bool(t > r > p > s and 2 * r > t + s)
