"""Reward tables of the cooperative games, shared by sampled worlds and exact models; light to import."""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

_MARGINS = {2: 1, 3: 1, 5: 2, 10: 3}


def reward_by_ones(agents: int, margin: int | None = None) -> FloatArray:
    """Return the coordination game's reward [n + 1] by the number of ones.

    Args:
        agents: n >= 2.
        margin: Majorities up to this size are narrow; ``None`` for the published value.

    Raises:
        InvalidValue: If n is below 2, or the margin is not in 0..n-1 or not known for this n.
    """
    if agents < 2:
        raise InvalidValue(f"the coordination game needs at least 2 agents, got {agents!r}")
    if margin is None:
        if agents not in _MARGINS:
            raise InvalidValue(f"no published margin for {agents} agents (there is for 2, 3, 5, 10); give one")
        margin = _MARGINS[agents]
    if not 0 <= margin < agents:
        raise InvalidValue(f"margin must lie in 0..{agents - 1}, got {margin!r}")
    ones = np.arange(agents + 1)
    lead = agents - 2 * ones  # zeros minus ones
    return np.where(np.abs(lead) <= margin, np.where(lead < 0, 1.0, 0.0), np.where(lead > 0, 3.0, 2.0))


def check_noise(noise: float) -> float:
    """Return a flip probability in [0, 1/2], or raise ``InvalidValue``."""
    if not (math.isfinite(noise) and 0 <= noise <= 0.5):
        raise InvalidValue(f"noise must lie in [0, 0.5], got {noise!r}")
    return float(noise)


def climbing_payoff() -> FloatArray:
    """Return the climbing game [3, 3] (Claus and Boutilier 1998): miscoordination on 11 costs 30."""
    return np.array([[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]])


def penalty_payoff(k: float = -10.0) -> FloatArray:
    """Return the penalty game [3, 3] (Claus and Boutilier 1998) with penalty ``k`` <= 0.

    Raises:
        InvalidValue: If k is positive or not finite.
    """
    if not (math.isfinite(k) and k <= 0):
        raise InvalidValue(f"the penalty k must be finite and <= 0, got {k!r}")
    return np.array([[k, 0.0, 10.0], [0.0, 2.0, 0.0], [10.0, 0.0, k]])


def check_payoff(payoff: FloatArray) -> FloatArray:
    """Return a team payoff tensor [A_0, ..., A_{n-1}] as float64, or raise ``InvalidValue``."""
    table = np.ascontiguousarray(payoff, dtype=np.float64)
    if table.ndim < 1 or table.size == 0:
        raise InvalidValue(f"a team payoff needs an axis per agent and an action per axis, got shape {table.shape}")
    if not np.isfinite(table).all():
        where = [int(x) for x in np.argwhere(~np.isfinite(table))[0]]
        raise InvalidValue(f"team payoff at joint action {where} must be finite, got {float(table[tuple(where)])!r}")
    return table
