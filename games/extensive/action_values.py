"""Action values of a profile and how far it is from an agent quantal response equilibrium.

Axes: S sequences, I infosets.  Infosets that the others and chance never reach have action values 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.extensive import action_kernels as kernels
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.sim.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class ActionValues:
    """Action values of one profile.

    Attributes:
        game: The game.
        q: [S] conditional expected payoff of each action at its infoset; 0 at empty sequences.
        mass: [S] reach probability of the infoset without the own actions.
        logpol: [S] log policy.
        logmag: [S] log magnet, up to a constant per infoset.
    """

    game: ExtensiveGame
    q: FloatArray
    mass: FloatArray
    logpol: FloatArray
    logmag: FloatArray

    def _infoset_of(self) -> IntArray:
        return np.asarray(np.repeat(np.arange(self.game.arrays.infosets), self.game.arrays.nact), dtype=np.int64)

    def _actions(self) -> IntArray:
        """Return the sequences of all actions, infoset by infoset."""
        a = self.game.arrays
        start = np.concatenate(([0], np.cumsum(a.nact, dtype=np.int64)[:-1]))
        steps = np.arange(int(a.nact.sum())) - np.repeat(start, a.nact)
        return np.asarray(steps + np.repeat(a.first.astype(np.int64), a.nact), dtype=np.int64)

    def regularised_regrets(self, alpha: float) -> FloatArray:
        """Return [I] max over p of <p,q> - alpha KL(p, magnet), minus the same at the current policy."""
        best, now = self._soft_best(alpha), self._regularised(alpha)
        return np.asarray(best - now, dtype=np.float64)

    def _magnet_logs(self) -> FloatArray:
        actions, infoset = self._actions(), self._infoset_of()
        logs = self.logmag[actions]
        return np.asarray(logs - _log_sum(logs, infoset, self.game.arrays.infosets)[infoset], dtype=np.float64)

    def _soft_best(self, alpha: float) -> FloatArray:
        actions, infoset, count = self._actions(), self._infoset_of(), self.game.arrays.infosets
        if alpha == 0.0:
            best = np.full(count, -np.inf)
            np.maximum.at(best, infoset, self.q[actions])
            return best
        return np.asarray(alpha * _log_sum(self._magnet_logs() + self.q[actions] / alpha, infoset, count))

    def _regularised(self, alpha: float) -> FloatArray:
        actions, infoset = self._actions(), self._infoset_of()
        log = self.logpol[actions]
        terms = np.exp(log) * (self.q[actions] - alpha * (log - self._magnet_logs()))
        return np.asarray(np.bincount(infoset, weights=terms, minlength=self.game.arrays.infosets), dtype=np.float64)

    def target(self, alpha: float) -> FloatArray:
        """Return [S] the quantal response: proportional to magnet * exp(q / alpha) at every infoset."""
        actions, infoset, count = self._actions(), self._infoset_of(), self.game.arrays.infosets
        logits = self._magnet_logs() + self.q[actions] / alpha
        result = np.ones(self.q.shape[0])
        result[actions] = np.exp(logits - _log_sum(logits, infoset, count)[infoset])
        return result


def _log_sum(logits: FloatArray, infoset: IntArray, count: int) -> FloatArray:
    top = np.full(count, -np.inf)
    np.maximum.at(top, infoset, logits)
    return np.asarray(top + np.log(np.bincount(infoset, weights=np.exp(logits - top[infoset]), minlength=count)))


def action_values(
    game: ExtensiveGame,
    logpol: FloatArray,
    logmag: FloatArray | None = None,
    *,
    alpha: float = 0.0,
    objective: int = kernels.STANDARD,
) -> ActionValues:
    """Compute q(I,a) = sum over h in I of w(h) Q(h,a) / sum of w(h), w(h) the reach of h without own actions.

    Args:
        game: The game.
        logpol: [S] log behavioural policy, 0 at empty sequences.
        logmag: [S] log magnet, uniform if ``None``.
        alpha: Temperature inside the action values, used by the entropy objectives.
        objective: One of ``kernels.STANDARD``, ``MAXENT``, ``MINIMAXENT``.

    Cost: one gradient per player.
    """
    a = game.arrays
    pol = np.exp(logpol)
    x, q, mass = np.ones(a.sequences), np.zeros(a.sequences), np.zeros(a.sequences)
    kernels.reaches(a.seq_off, a.players, a.parent, a.first, a.nact, pol, x)
    for p in range(a.players):
        kernels.action_values(
            p, a.players, a.seq_off, a.iset_off, a.parent, a.first, a.nact, a.rowptr, a.col, a.val, a.cval,
            x, pol, logpol, alpha, objective, q, mass,
        )  # fmt: skip
    q[a.seq_off[:-1]] = 0.0
    return ActionValues(game, q, mass, logpol.copy(), np.zeros_like(logpol) if logmag is None else logmag.copy())


def fixed_point_residual(values: ActionValues, alpha: float) -> float:
    """Return the largest |policy - quantal response| over all actions; 0 exactly at the agent QRE (alpha > 0)."""
    return float(np.abs(np.exp(values.logpol) - values.target(alpha)).max(initial=0.0))
