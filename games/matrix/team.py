"""Symmetric zero-sum games between two teams of N members, evaluated exactly.

A team's joint action a in {0..A-1}^N enters the payoff through K features:
u(a, b) = F(a)^T M F(b) with M antisymmetric, so u(a, b) = -u(b, a).  Every finite symmetric zero-sum team
game has this form (take indicator features); games with structure need few features.  Members
choose independently: a team policy is a product of N distributions, and its K expected features are
all that any opponent can notice.  Hence payoffs of whole populations are C M C^T for C [n, K], and the
best pure team against any mixture of team policies is one matrix-vector product over A^N rows.

Axes: N members, A actions, K features, P team policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.analysis.checks import antisymmetric_matrix, check_finite, distribution
from equilibria.games.matrix import team_kernels as kernels
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.types import FloatArray, IntArray

MAX_TEAMS = 4_000_000


@dataclass(frozen=True, slots=True)
class TeamGame:
    """A symmetric zero-sum game between two teams of equal size.

    Attributes:
        name: For reports.
        members: Team size N >= 1.
        actions: Actions A >= 1 of each member.
        features: [K, A^N] feature of every pure team, member axes in C order.
        coupling: [K, K] antisymmetric M.
        labels: Action names, empty for numbers.
    """

    name: str
    members: int
    actions: int
    features: FloatArray
    coupling: FloatArray
    labels: tuple[str, ...] = ()
    reversed_features: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.members < 1 or self.actions < 1:
            raise InvalidValue(f"a team game needs at least 1 member and 1 action, got {self.members}, {self.actions}")
        teams = self.actions**self.members
        if teams > MAX_TEAMS:
            raise GameTooLarge(f"{self.actions}^{self.members} = {teams} pure teams exceed the limit of {MAX_TEAMS}")
        if self.features.ndim != 2 or self.features.shape[1] != teams:
            raise InvalidValue(f"features must have shape (K, {teams}), got {self.features.shape}")
        check_finite(self.features, "features")
        coupling = antisymmetric_matrix(self.coupling, "coupling")
        if len(coupling) != len(self.features):
            raise InvalidValue(f"coupling must be {len(self.features)} x {len(self.features)}, got {coupling.shape}")
        features = np.ascontiguousarray(self.features, dtype=np.float64)
        shape = (len(features), *[self.actions] * self.members)
        flipped = features.reshape(shape).transpose(0, *range(self.members, 0, -1)).reshape(len(features), -1)
        for array in (features, coupling):
            array.setflags(write=False)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "coupling", coupling)
        object.__setattr__(self, "reversed_features", np.ascontiguousarray(flipped))

    @property
    def payoff_range(self) -> float:
        """Largest payoff of any pure team against any other, computed in blocks."""
        unique = np.unique(self.features.T, axis=0)
        return float(max(np.abs(block @ self.coupling @ unique.T).max() for block in np.array_split(unique, 64)))

    def uniform(self) -> FloatArray:
        """Return the uniform team policy [N, A]."""
        return np.full((self.members, self.actions), 1.0 / self.actions)

    def pure(self, actions: Sequence[int]) -> FloatArray:
        """Return the team policy [N, A] in which member i plays ``actions[i]``."""
        if len(actions) != self.members or not all(0 <= a < self.actions for a in actions):
            raise InvalidValue(f"need {self.members} actions in 0..{self.actions - 1}, got {list(actions)}")
        return np.eye(self.actions)[list(actions)]

    def check_policy(self, policy: ArrayLike, name: str = "policy") -> FloatArray:
        """Return a team policy [N, A] as float64, or raise ``InvalidValue``."""
        pi = np.array(policy, dtype=np.float64)
        if pi.shape != (self.members, self.actions):
            raise InvalidValue(
                f"{name} must have shape ({self.members}, {self.actions}) (both teams have the same size), "
                f"got {pi.shape}"
            )
        for i, row in enumerate(pi):
            distribution(row, self.actions, f"{name} of member {i}")
        return pi

    def embed(self, policy: ArrayLike) -> FloatArray:
        """Return the expected features [K] of a team policy [N, A]."""
        return kernels.expectation(self.features, self.check_policy(policy))

    def value(self, own: ArrayLike, other: ArrayLike) -> float:
        """Return the expected payoff of team policy ``own`` against ``other``, both [N, A]."""
        return float(self.embed(own) @ self.coupling @ self.embed(other))

    def action_values(self, policy: ArrayLike, opponent: FloatArray) -> FloatArray:
        """Return Q [N, A]: payoff when member i switches to action a.

        Args:
            policy: [N, A] own team.
            opponent: [K] expected features of the opponents (``embed``, or a mixture of embeddings).
        """
        d = kernels.conditional(self.features, self.reversed_features, self.check_policy(policy))
        return np.asarray(np.tensordot(self.coupling @ opponent, d, axes=(0, 0)))

    def payoffs(self, embeddings: FloatArray) -> FloatArray:
        """Return the antisymmetric payoff matrix [P, P] of policies with features ``embeddings`` [P, K]."""
        matrix = embeddings @ self.coupling @ embeddings.T
        return np.asarray((matrix - matrix.T) / 2)

    def best_team(self, opponent: FloatArray) -> tuple[float, tuple[int, ...]]:
        """Return the payoff and actions of the best pure team against opponents with features ``opponent`` [K]."""
        values = (self.coupling @ opponent) @ self.features
        best = int(kernels.first_best(values))
        return float(values.max()), tuple(int(a) for a in np.unravel_index(best, [self.actions] * self.members))

    def exploitability(self, opponent: FloatArray) -> float:
        """Return what the best team gains against a mixture with features ``opponent`` [K], in game payoff.

        The game is symmetric with value 0, so this is the distance from a global Nash equilibrium
        (team deviations), not from a local one (deviations of single members).
        """
        return self.best_team(opponent)[0]

    def local_gain(self, policy: ArrayLike) -> float:
        """Return the largest gain of a single member that deviates from ``policy`` against ``policy``."""
        pi = self.check_policy(policy)
        own = self.embed(pi)
        return float(self.action_values(pi, own).max() - own @ self.coupling @ own)


@dataclass(frozen=True, slots=True)
class TeamMixture:
    """Draw one team policy, then let its members act independently.

    Mixing whole-team policies keeps the correlation between members; averaging the members'
    probabilities would destroy it.

    Attributes:
        game: The game.
        policies: [P, N, A].
        weights: [P] distribution.
    """

    game: TeamGame
    policies: FloatArray
    weights: FloatArray

    def embedding(self) -> FloatArray:
        """Return the expected features [K]."""
        return np.asarray(sum(w * self.game.embed(pi) for w, pi in zip(self.weights, self.policies, strict=True)))

    def exploitability(self) -> float:
        """Return the gain of the best team against this mixture."""
        return self.game.exploitability(self.embedding())

    def sample(self, size: int, rng: np.random.Generator) -> IntArray:
        """Return joint actions [size, N]."""
        chosen = self.policies[rng.choice(len(self.weights), size=size, p=self.weights)]
        draws = rng.random((size, self.game.members, 1))
        # rounding can leave the last cumulative sum below 1; the clip maps that sliver to the last action
        index = (draws > chosen.cumsum(axis=2)).sum(axis=2)
        return np.asarray(np.minimum(index, self.game.actions - 1), dtype=np.int64)


def matrix_game(payoffs: ArrayLike, *, name: str = "matrix", labels: Sequence[str] = ()) -> TeamGame:
    """Return a symmetric zero-sum matrix game as a team game with one member.

    Args:
        payoffs: [A, A] antisymmetric payoff of the row strategy.
        name: For reports.
        labels: Action names.
    """
    a = antisymmetric_matrix(payoffs)
    if labels and len(labels) != len(a):
        raise InvalidValue(f"labels must name all {len(a)} actions, got {len(labels)}")
    return TeamGame(name, 1, len(a), np.eye(len(a)), a, tuple(labels))
