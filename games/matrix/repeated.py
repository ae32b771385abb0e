"""A continuous prisoner's dilemma against an opponent that follows a schedule.

Actions a in [0, 1], 1 = full cooperation; u(a, o) = R a o + S a (1 - o) + T (1 - a) o + P (1 - a)(1 - o).
The opponent does not react: phases of cooperation, defection or noisy cooperation (defects with
probability eps).  Hence the best reply is a = 0 in every round of a prisoner's dilemma.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.analysis.checks import payoff_matrix
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of rounds.

    Attributes:
        rounds: Length, >= 1.
        defection: Probability that the opponent defects in a round: 0 cooperates, 1 defects.
    """

    rounds: int
    defection: float

    def __post_init__(self) -> None:
        if self.rounds < 1 or not 0 <= self.defection <= 1:
            raise InvalidValue(
                f"a phase needs rounds >= 1 and defection in [0, 1], got {self.rounds}, {self.defection}"
            )


@dataclass(frozen=True, slots=True)
class ScheduledDilemma:
    """Repeated continuous dilemma against a schedule.

    Attributes:
        phases: The schedule; at least one phase.
        payoff: [2, 2] payoff at the corners, rows own and columns other action (cooperate, defect): [[R, S], [T, P]].
    """

    phases: tuple[Phase, ...]
    payoff: FloatArray

    def __post_init__(self) -> None:
        matrix = payoff_matrix(self.payoff, "payoff")
        if matrix.shape != (2, 2):
            raise InvalidValue(f"payoff must be 2 x 2 (cooperate, defect), got {matrix.shape}")
        if not self.phases:
            raise InvalidValue("a schedule needs at least one phase")
        object.__setattr__(self, "payoff", matrix)

    @property
    def rounds(self) -> int:
        """Length of the schedule."""
        return sum(p.rounds for p in self.phases)

    def opponents(self, replicas: int, seeds: SeedTree) -> FloatArray:
        """Return [replicas, rounds] opponents' actions (0 or 1), one stream per replica."""
        defection = np.repeat([p.defection for p in self.phases], [p.rounds for p in self.phases])
        draws = np.stack([seeds.child("opponent", r).generator().random(self.rounds) for r in range(replicas)])
        return (draws >= defection).astype(np.float64)

    def payoffs(self, own: FloatArray, other: FloatArray) -> FloatArray:
        """Return u(own, other) elementwise."""
        (r, s), (t, p) = self.payoff
        return np.asarray(r * own * other + s * own * (1 - other) + t * (1 - own) * other + p * (1 - own) * (1 - other))
