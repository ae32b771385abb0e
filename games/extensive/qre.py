"""Agent quantal response equilibria and the path that leads from uniform play to a Nash equilibrium.

At precision lambda = 1 / alpha the agent QRE satisfies policy proportional to exp(lambda * q) at every infoset.
With log-odds z(I,a) = log policy(I,a) - log policy(I,first action) it is the zero of

    H(z, lambda) = z - lambda * (q(I,a) - q(I,first action)).

The path starts at lambda = 0, z = 0 (uniform play) and is followed by predictor and corrector steps in arc
length, so it may turn back in lambda; for almost all games its branch ends in a Nash equilibrium.

References: McKelvey and Palfrey (1998), Quantal response equilibria for extensive form games, Experimental
Economics 1; Turocy (2005), A dynamic homotopy interpretation of the logistic quantal response equilibrium
correspondence, Games and Economic Behavior 51.

Cost per step: one gradient per unknown for the Jacobian and an LU factorisation, so for games of up to a few
thousand actions; magnetic mirror descent solves larger ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equilibria.games.extensive.action_values import action_values
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.games.extensive.values import exploitability
from equilibria.sim.errors import InvalidValue, NotConverged, Unsupported
from equilibria.sim.types import FloatArray, IntArray

MAX_UNKNOWNS = 5000
_DIFFERENCE = 1e-7
_NEWTON_STEPS = 8


@dataclass(frozen=True, slots=True)
class QREPath:
    """Points of the principal branch, K of them, in order of arc length.

    Attributes:
        game: The game.
        precision: [K] lambda = 1 / alpha of each point; may fall at turning points.
        probs: [K, S] behavioural probabilities.
    """

    game: ExtensiveGame
    precision: FloatArray
    probs: FloatArray

    def policy(self, k: int) -> BehaviouralPolicy:
        """Return the policy of point ``k``."""
        return BehaviouralPolicy(self.game, self.probs[k])

    def exploitability(self) -> FloatArray:
        """Return [K] the exploitability of every point."""
        return np.array([exploitability(self.game, self.policy(k)) for k in range(self.precision.size)])


def agent_qre(game: ExtensiveGame, alpha: float, *, tolerance: float = 1e-11) -> BehaviouralPolicy:
    """Return the agent QRE at temperature ``alpha`` on the principal branch (the first point that has it).

    Args:
        game: The game.
        alpha: Temperature in payoff units, > 0.
        tolerance: Largest |H| at the solution.

    Raises:
        InvalidValue: If alpha is not positive.
        Unsupported: If the game has too many actions.
        NotConverged: If the path does not get there; the message gives the precision reached.

    Example:
        >>> from equilibria.games.extensive import openspiel
        >>> round(agent_qre(openspiel("kuhn_poker"), 0.5).prob(0, "0")[1], 8)
        0.28428986
    """
    if not (alpha > 0.0 and math.isfinite(alpha)):
        raise InvalidValue(f"alpha (temperature) must be positive and finite, got {alpha!r}")
    path = qre_path(game, 1.0 / alpha, tolerance=tolerance)
    return path.policy(path.precision.size - 1)


def qre_path(
    game: ExtensiveGame,
    max_precision: float,
    *,
    first_step: float = 0.05,
    tolerance: float = 1e-11,
    max_points: int = 5000,
) -> QREPath:
    """Follow the principal branch from uniform play to precision ``max_precision``; the last point has it exactly.

    Args:
        game: The game.
        max_precision: Largest lambda = 1 / alpha, > 0, in 1 / payoff units.
        first_step: First arc length; later ones adapt to how well the corrector converges.
        tolerance: Largest |H| at every point.
        max_points: Limit on the number of points.

    Raises:
        InvalidValue: If an argument is not positive.
        Unsupported: If the game has more than 5000 log-odds.
        NotConverged: If the limit of points is reached or a step no longer converges.
    """
    if not (max_precision > 0.0 and math.isfinite(max_precision) and first_step > 0.0 and tolerance > 0.0):
        raise InvalidValue(
            f"max_precision, first_step and tolerance must be positive, got {max_precision!r}, {first_step!r}, {tolerance!r}"
        )
    system = _System(game)
    point = np.zeros(system.size + 1)  # z, lambda
    direction = np.zeros(system.size + 1)
    direction[-1] = 1.0
    points, step = [point], first_step
    while len(points) < max_points:
        direction = system.tangent(point, direction)
        following, rounds = _advance(system, point, direction, step, max_precision, tolerance)
        if following is None:
            step *= 0.5
            if step < 1e-9:
                raise NotConverged(f"the path stops at precision {point[-1]:.6g}, wanted {max_precision:.6g}")
            continue
        point = following
        points.append(point)
        if point[-1] >= max_precision:
            table = np.array(points)
            return QREPath(game, table[:, -1].copy(), np.array([system.probs(row[:-1]) for row in table]))
        step *= 2.0 if rounds <= 3 else 1.0
    raise NotConverged(f"precision {points[-1][-1]:.6g} after {max_points} points, wanted {max_precision:.6g}")


def _advance(
    system: _System, point: FloatArray, direction: FloatArray, step: float, last: float, tolerance: float
) -> tuple[FloatArray | None, int]:
    """Predict along ``direction`` and correct; the step is cut so that it ends at precision ``last``."""
    guess = point + step * direction
    if guess[-1] >= last:
        # aim at the end: fix the precision instead of the arc length
        guess = point + direction * (last - point[-1]) / direction[-1]
        guess[-1] = last
        normal = np.zeros_like(direction)
        normal[-1] = 1.0
    else:
        normal = direction
    corrected = guess.copy()
    matrix = system.jacobian(guess)
    for rounds in range(1, _NEWTON_STEPS + 1):
        residual = system.residual(corrected)
        worst = float(np.abs(residual).max(initial=0.0))
        if worst <= tolerance * max(1.0, float(np.abs(corrected).max())):
            far = float(np.linalg.norm(corrected - guess)) > 0.5 * float(np.linalg.norm(guess - point)) + 1e-12
            return (None, rounds) if far else (corrected, rounds)
        bordered = np.vstack([matrix, normal])
        try:
            corrected = corrected - np.linalg.solve(bordered, np.append(residual, normal @ (corrected - guess)))
        except np.linalg.LinAlgError:
            return None, rounds
        if not np.isfinite(corrected).all():
            return None, rounds
    return None, _NEWTON_STEPS


class _System:
    """The equations of one game in log-odds."""

    def __init__(self, game: ExtensiveGame) -> None:
        a = game.arrays
        self.game = game
        self._owner = np.repeat(np.arange(a.infosets), a.nact.astype(np.int64))
        self._actions: IntArray = np.concatenate(
            [np.zeros(0, dtype=np.int64)]
            + [np.arange(f, f + c) for f, c in zip(a.first.tolist(), a.nact.tolist(), strict=True)]
        )
        self._base = a.first.astype(np.int64)[self._owner]
        self._free = self._actions != self._base
        self.size = int(self._free.sum())
        if self.size > MAX_UNKNOWNS:
            raise Unsupported(
                f"game {game.name!r} has {self.size} log-odds, path tracing handles {MAX_UNKNOWNS}; "
                "use magnetic mirror descent with schedule='constant'"
            )

    def logs(self, z: FloatArray) -> FloatArray:
        """Return [S] log probabilities of log-odds ``z``."""
        odds = np.zeros(self._actions.size)
        odds[self._free] = z
        count = self.game.arrays.infosets
        top = np.full(count, -np.inf)
        np.maximum.at(top, self._owner, odds)
        total = np.bincount(self._owner, weights=np.exp(odds - top[self._owner]), minlength=count)
        logs = np.zeros(self.game.arrays.sequences)
        logs[self._actions] = odds - (top + np.log(total))[self._owner]
        return logs

    def probs(self, z: FloatArray) -> FloatArray:
        """Return [S] probabilities of log-odds ``z``."""
        return np.asarray(np.exp(self.logs(z)), dtype=np.float64)

    def advantages(self, z: FloatArray) -> FloatArray:
        """Return q(I,a) - q(I,first action) of the free actions."""
        q = action_values(self.game, self.logs(z)).q
        return np.asarray((q[self._actions] - q[self._base])[self._free], dtype=np.float64)

    def residual(self, point: FloatArray) -> FloatArray:
        """Return H at (z, lambda)."""
        return np.asarray(point[:-1] - point[-1] * self.advantages(point[:-1]), dtype=np.float64)

    def jacobian(self, point: FloatArray) -> FloatArray:
        """Return dH/d(z, lambda) [size, size + 1] by forward differences."""
        z, precision = point[:-1], float(point[-1])
        here = self.advantages(z)
        matrix = np.zeros((self.size, self.size + 1))
        matrix[:, -1] = -here
        for k in range(self.size):
            moved = z.copy()
            moved[k] += _DIFFERENCE
            matrix[:, k] = -precision * (self.advantages(moved) - here) / _DIFFERENCE
            matrix[k, k] += 1.0
        return matrix

    def tangent(self, point: FloatArray, before: FloatArray) -> FloatArray:
        """Return the unit tangent of the path at ``point``, on the side of ``before``."""
        bordered = np.vstack([self.jacobian(point), before])
        right = np.zeros(self.size + 1)
        right[-1] = 1.0
        direction = np.linalg.solve(bordered, right)
        return np.asarray(direction / np.linalg.norm(direction), dtype=np.float64)
