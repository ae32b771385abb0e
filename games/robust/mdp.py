"""Exact dynamic programming on tabular decision processes.

Axes: S states, A actions, K candidate transition kernels.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

_SWEEPS = 1_000_000


def check_kernel(transitions: FloatArray, *, name: str = "transitions") -> None:
    """Check that the last axis holds probabilities.

    Raises:
        InvalidValue: If an entry is negative or not finite, or a row does not sum to 1 within 1e-8.
    """
    if transitions.size == 0:
        raise InvalidValue(f"{name}: the set of transition models is empty")
    if not np.isfinite(transitions).all() or transitions.min() < 0:
        raise InvalidValue(f"{name}: probabilities must be finite and not negative")
    gap = np.abs(transitions.sum(axis=-1) - 1.0)
    if gap.max() > 1e-8:
        place = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
        raise InvalidValue(f"{name}: row {place} sums to {transitions[place].sum()!r}, expected 1 within 1e-8")


def action_values(transitions: FloatArray, rewards: FloatArray, values: FloatArray, discount: float) -> FloatArray:
    """Return Q [S, A] = r + gamma P V for transitions [S, A, S], rewards [S, A], values [S]."""
    return np.asarray(rewards + discount * (transitions @ values))


def policy_values(transitions: FloatArray, rewards: FloatArray, actions: IntArray, discount: float) -> FloatArray:
    """Return V [S] of a deterministic policy [S] by one linear solve."""
    states = np.arange(len(actions))
    below = np.eye(len(actions)) - discount * transitions[states, actions]
    return np.asarray(np.linalg.solve(below, rewards[states, actions]))


def optimal_values(transitions: FloatArray, rewards: FloatArray, discount: float) -> FloatArray:
    """Return Q* [S, A] by policy iteration, exact up to the linear solve; ties go to the first action."""
    actions = np.zeros(len(rewards), np.int64)
    for _ in range(_SWEEPS):
        values = policy_values(transitions, rewards, actions, discount)
        q = action_values(transitions, rewards, values, discount)
        better = q.max(axis=1) > q[np.arange(len(q)), actions] + 1e-12 * max(1.0, float(np.abs(q).max()))
        if not better.any():
            return q
        actions = np.where(better, q.argmax(axis=1), actions)
    raise InvalidValue("policy iteration did not end")  # pragma: no cover - finitely many policies
