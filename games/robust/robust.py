"""Robust decision processes: the transition model is one of a set, and fixed within an episode.

Source: Zouitine, Geist, Rachelson (2024), Solving robust MDPs as a sequence of static RL problems, arXiv
2410.06212; the layout of the windy walk is ours, the paper shows it as a picture only.

Axes: K models, S states, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.robust.mdp import action_values, check_kernel, policy_values
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

_SIZE = 6
_WALLS = [(row, column) for row in (1, 3) for column in (2, 3, 4)]
_STEPS = {"north": (-1, 0), "east": (0, 1), "south": (1, 0), "west": (0, -1)}
_CORRIDOR = {0: 1, 2: 3, 4: 6, 5: 6}  # row -> power of the wind


@dataclass(frozen=True, slots=True)
class RobustMDP:
    """A tabular decision process with K candidate models; model 0 is the nominal one.

    Attributes:
        transitions: [K, S, A, S].
        rewards: [S, A].
        discount: gamma in [0, 1).
        start: First state.
        rectangular: Whether nature chooses a candidate per state and action; otherwise one for all.
        labels: [K] what each candidate is.

    Raises:
        InvalidValue: If shapes do not fit, rows do not sum to 1, or a number is out of range.
    """

    transitions: FloatArray
    rewards: FloatArray
    discount: float
    start: int
    rectangular: bool = False
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        p = self.transitions
        if p.ndim != 4 or p.shape[1] != p.shape[3] or p.shape[1:3] != self.rewards.shape:
            raise InvalidValue(
                f"transitions must be [K, S, A, S] and rewards [S, A], got {p.shape} and {self.rewards.shape}"
            )
        check_kernel(p)
        if not np.isfinite(self.rewards).all():
            raise InvalidValue("rewards must be finite")
        if not 0 <= self.discount < 1:
            raise InvalidValue(f"discount must lie in [0, 1), got {self.discount!r}")
        if not 0 <= self.start < p.shape[1]:
            raise InvalidValue(f"start must lie in 0..{p.shape[1] - 1}, got {self.start!r}")

    @property
    def nominal(self) -> FloatArray:
        """Transitions [S, A, S] of candidate 0."""
        return np.asarray(self.transitions[0])

    def worst_model(self, actions: IntArray) -> tuple[FloatArray, float, str]:
        """Return the model [S, A, S] that is worst for a policy [S], its value at the start, and its label."""
        return self._worst_choice(actions) if self.rectangular else self._worst_candidate(actions)

    def robust_values(self) -> FloatArray:
        """Return the optimal robust Q [S, A] of a rectangular set by robust value iteration to 1e-13.

        For a set that is not rectangular this is a lower bound: nature may then do more than it can.
        """
        values = np.zeros(len(self.rewards))
        while True:
            q = (self.rewards + self.discount * (self.transitions @ values)).min(axis=0)
            new = q.max(axis=1)
            gap, values = float(np.abs(new - values).max()), new
            if gap <= 1e-13 * max(1.0, float(np.abs(new).max())):
                return np.asarray(q)

    def _worst_candidate(self, actions: IntArray) -> tuple[FloatArray, float, str]:
        found = [float(policy_values(p, self.rewards, actions, self.discount)[self.start]) for p in self.transitions]
        k = int(np.argmin(found))
        return np.asarray(self.transitions[k]), found[k], self.labels[k] if self.labels else f"model {k}"

    def _worst_choice(self, actions: IntArray) -> tuple[FloatArray, float, str]:
        """Improve nature's candidates per (state, action) until none lowers the policy's values."""
        states, moves = np.indices(self.rewards.shape)
        choice = np.zeros(self.rewards.shape, np.int64)
        while True:
            model = self.transitions[choice, states, moves]
            values = policy_values(model, self.rewards, actions, self.discount)
            after = self.transitions @ values
            better = after.min(axis=0) < after[choice, states, moves] - 1e-13 * max(1.0, float(np.abs(values).max()))
            if not better.any():
                return model, float(values[self.start]), "candidates " + "".join(map(str, choice.ravel()))
            choice = np.where(better, after.argmin(axis=0), choice)

    def nominal_value(self, actions: IntArray) -> float:
        """Return the policy's value at the start under the nominal model."""
        return float(policy_values(self.nominal, self.rewards, actions, self.discount)[self.start])

    def greedy(self, q: FloatArray) -> IntArray:
        """Return the first best action [S] of Q [S, A]."""
        return np.asarray(q.argmax(axis=1), dtype=np.int64)

    def q_values(self, transitions: FloatArray, values: FloatArray) -> FloatArray:
        """Return Q [S, A] of a model under values [S]."""
        return action_values(transitions, self.rewards, values, self.discount)


def windy_walk(*, strengths: int = 25, strongest: float = 0.5, discount: float = 0.95) -> RobustMDP:
    """Return the windy walk: three corridors to the goal, the short one windy, the long one almost calm.

    States are the 36 cells of a 6 x 6 grid, row by row from the north; six are walls.  Start (0, 0), goal
    (0, 5), reward -1 per step.  Actions: north, east, south, west.  The wind blows west with probability
    alpha in the north corridor, alpha^3 in the middle one, alpha^6 in the south; candidates are
    ``strengths`` values of alpha from 0 to ``strongest``.

    Example:
        >>> walk = windy_walk()
        >>> walk.transitions.shape
        (25, 36, 4, 36)
    """
    if strengths < 1 or not 0 <= strongest <= 1:
        raise InvalidValue(f"need strengths >= 1 and strongest in [0, 1], got {strengths!r} and {strongest!r}")
    alphas = np.linspace(0.0, strongest, strengths)
    rewards = np.full((_SIZE * _SIZE, 4), -1.0)
    rewards[_SIZE - 1] = 0.0
    kernels = np.stack([_windy_kernel(float(alpha)) for alpha in alphas])
    labels = tuple(f"alpha {alpha:.4g}" for alpha in alphas)
    return RobustMDP(kernels, rewards, discount, 0, labels=labels)


def random_rectangular_mdp(
    rng: np.random.Generator, *, states: int = 5, actions: int = 3, candidates: int = 4, discount: float = 0.9
) -> RobustMDP:
    """Return a random rectangular process: Dirichlet(1/2) kernels, standard normal rewards, start 0."""
    if min(states, actions, candidates) < 1:
        raise InvalidValue(f"states, actions and candidates must be >= 1, got {states}, {actions}, {candidates}")
    kernels = rng.dirichlet(np.full(states, 0.5), size=(candidates, states, actions))
    return RobustMDP(kernels, rng.standard_normal((states, actions)), discount, 0, rectangular=True)


def _windy_kernel(alpha: float) -> FloatArray:
    kernel = np.zeros((_SIZE * _SIZE, 4, _SIZE * _SIZE))
    for row in range(_SIZE):
        for column in range(_SIZE):
            for action, step in enumerate(_STEPS.values()):
                for probability, cell in _outcomes(row, column, action, step, alpha):
                    kernel[row * _SIZE + column, action, cell] += probability
    return kernel


def _outcomes(row: int, column: int, action: int, step: tuple[int, int], alpha: float) -> list[tuple[float, int]]:
    if (row, column) == (0, _SIZE - 1):
        return [(1.0, row * _SIZE + column)]
    target, west = _cell(row, column, step), _cell(row, column, _STEPS["west"])
    if column not in (2, 3, 4) or row not in _CORRIDOR or action == 3:
        return [(1.0, target)]
    wind = alpha ** _CORRIDOR[row]
    if action != 1 and row in (0, 2):  # these corridors are one cell wide
        target = row * _SIZE + column
    return [(1.0 - wind, target), (wind, west)]


def _cell(row: int, column: int, step: tuple[int, int]) -> int:
    """Return the cell a step leads to; blocked steps stay."""
    to = (row + step[0], column + step[1])
    if not (0 <= to[0] < _SIZE and 0 <= to[1] < _SIZE) or to in _WALLS:
        to = (row, column)
    return to[0] * _SIZE + to[1]
