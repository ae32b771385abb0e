"""Ratings of agents: Elo by maximum likelihood, and Nash averaging.

* ``bradley_terry``: P(i beats j) = 1 / (1 + 10^((r_j - r_i) / 400)); draws count half a win for both.
  The likelihood is concave; Newton's method finds the maximum, the inverse Fisher information gives the
  standard errors.  It exists if and only if nobody (no group) is unbeaten by the rest: the win graph
  must be strongly connected (Ford 1957).  ``prior`` adds that many drawn games between every pair.
* ``nash_averaging``: the maximum-entropy equilibrium p of the antisymmetric meta-game S and the skill
  S p of each agent; duplicates do not change it (Balduzzi et al. 2018, arXiv 1806.02643).

Cost: O(n^3) per Newton step, a few linear programs for Nash averaging.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from equilibria.games.analysis.checks import antisymmetric_matrix, check_finite, payoff_matrix, square_matrix
from equilibria.games.analysis.matrix_nash import max_entropy_nash
from equilibria.sim.errors import InvalidValue, NotConverged
from equilibria.sim.types import BoolArray, FloatArray

_log = logging.getLogger(__name__)
ELO_SCALE = 400.0 / np.log(10.0)
"""Elo points per unit of log odds."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """Elo ratings.

    Attributes:
        rating: [n] Elo points; their mean is the anchor.
        standard_error: [n] Elo points, of the rating relative to the mean of all.
        covariance: [n, n] of the ratings, Elo points squared.
        games: [n] games played.
        iterations: Newton steps done.
    """

    rating: FloatArray
    standard_error: FloatArray
    covariance: FloatArray
    games: FloatArray
    iterations: int

    def win_probability(self) -> FloatArray:
        """Return [n, n] the modelled probability that the row agent beats the column agent."""
        return np.asarray(expit((self.rating[:, None] - self.rating[None, :]) / ELO_SCALE))


def bradley_terry(
    wins: ArrayLike, *, draws: ArrayLike | None = None, prior: float = 0.0, anchor: float = 1000.0
) -> Ratings:
    """Return maximum-likelihood Elo ratings with standard errors.

    Args:
        wins: [n, n] number (or weight) of games that the row agent won against the column agent, >= 0.
        draws: [n, n] symmetric number of drawn games, or ``None``.
        prior: Drawn games added between every pair, >= 0; makes the maximum exist for any results.
        anchor: Mean rating.

    Raises:
        InvalidValue: If a count is negative or the maximum does not exist; names a group that never lost
            to the others (or was never compared with them).

    Example:
        >>> ratings = bradley_terry([[0, 10], [1, 0]])
        >>> ratings.rating.round(2).tolist()
        [1200.0, 800.0]
    """
    w = square_matrix(wins, "wins")
    n = len(w)
    if draws is not None:
        d = square_matrix(draws, "draws")
        if d.shape != w.shape or not np.array_equal(d, d.T):
            raise InvalidValue(f"draws must be a symmetric matrix of shape {w.shape}, got shape {d.shape}")
        if d.min() < 0:
            raise InvalidValue(f"draws must be >= 0, got {float(d.min())!r}")
        w = w + d / 2
    if w.min() < 0:
        raise InvalidValue(f"wins must be >= 0, got {float(w.min())!r}")
    if not 0 <= prior < np.inf:
        raise InvalidValue(f"prior must be finite and >= 0, got {prior!r}")
    played = (w + w.T).sum(axis=1)
    w = w + prior / 2
    np.fill_diagonal(w, 0.0)
    _check_connected(w)
    skill, information, iterations = _maximise(w)
    # ratings are defined up to a constant: the inverse on the space of mean zero is (I + J/n)^-1 - J/n
    ones = np.full((n, n), 1.0 / n)
    strength = max(1e-300, float(np.trace(information)) / n)
    covariance = (np.linalg.inv(information + strength * ones) - ones / strength) * ELO_SCALE**2
    error = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    return Ratings(anchor + ELO_SCALE * skill, error, covariance, played, iterations)


def _check_connected(w: FloatArray) -> None:
    if len(w) < 2:
        return
    count, label = connected_components(csr_array(w.T > 0), connection="strong")
    if count == 1:
        return
    for c in range(count):
        inside = label == c
        if not w[~inside][:, inside].any():
            group = np.flatnonzero(inside).tolist()
            raise InvalidValue(
                f"no finite rating exists: agents {group} never lost to (or never met) the other "
                f"{int((~inside).sum())}; add games or set prior > 0"
            )


def _maximise(w: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Return log-odds skills with mean 0, the Fisher information and the Newton steps."""
    n = len(w)
    games, score = w + w.T, w.sum(axis=1)
    skill = np.zeros(n)
    for iteration in range(1, 201):
        p = expit(skill[:, None] - skill[None, :])
        gradient = score - (games * p).sum(axis=1)
        weight = games * p * (1 - p)
        information = np.diag(weight.sum(axis=1)) - weight
        if np.abs(gradient).max() <= 1e-12 * max(1.0, float(games.max())) * n:
            return skill - skill.mean(), information, iteration - 1
        step = np.linalg.lstsq(information, gradient, rcond=1e-14)[0]
        # a step of at most 2 log-odds keeps Newton inside its region of convergence
        step *= min(1.0, 2.0 / max(1e-300, float(np.abs(step).max())))
        skill += step - step.mean()
    raise NotConverged("the Elo likelihood was not maximal after 200 Newton steps; set prior > 0")


@dataclass(frozen=True, slots=True)
class NashAveraging:
    """Nash averaging of agents (and tasks).

    Attributes:
        agents: [n] maximum-entropy equilibrium over agents.
        agent_skill: [n] expected score against the equilibrium of the other side.
        tasks: [k] equilibrium over tasks; equal to ``agents`` for agent-against-agent data.
        task_difficulty: [k] minus the expected score of the agents' equilibrium.
        kept: [k] tasks that were used; constant ones carry no information.
    """

    agents: FloatArray
    agent_skill: FloatArray
    tasks: FloatArray
    task_difficulty: FloatArray
    kept: BoolArray


def nash_averaging(scores: ArrayLike) -> NashAveraging:
    """Return Nash averaging of agents that play each other.

    Args:
        scores: [n, n] antisymmetric, what the row agent wins against the column agent (log odds or margins).

    Example:
        >>> nash_averaging([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]).agents.round(6).tolist()
        [0.333333, 0.333333, 0.333333]
    """
    s = antisymmetric_matrix(scores, "scores")
    p = max_entropy_nash(s).row
    skill = s @ p
    return NashAveraging(p, skill, p, skill, np.ones(len(s), bool))


def agent_task_averaging(scores: ArrayLike, names: Sequence[str] | None = None) -> NashAveraging:
    """Return Nash averaging of agents against tasks; every task is rescaled to [0, 1] first.

    Args:
        scores: [n, k] score of agent i on task j.
        names: Task names for the warning about constant tasks, which are dropped.

    Raises:
        InvalidValue: If every task is constant.
    """
    s = payoff_matrix(scores, "scores")
    check_finite(s, "scores")
    low, high = s.min(axis=0), s.max(axis=0)
    kept = high > low
    for j in np.flatnonzero(~kept).tolist():
        _log.warning("task %s has one score for all agents and is dropped", names[j] if names else j)
    if not kept.any():
        raise InvalidValue("every task has one score for all agents: nothing to average")
    unit = (s[:, kept] - low[kept]) / (high - low)[kept]
    nash = max_entropy_nash(unit)
    tasks, difficulty = np.zeros(s.shape[1]), np.zeros(s.shape[1])
    tasks[kept] = nash.column
    difficulty[kept] = -(nash.row @ unit)
    return NashAveraging(nash.row, unit @ nash.column, tasks, difficulty, kept)
