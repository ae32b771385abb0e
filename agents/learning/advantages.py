"""Generalised advantage estimation and the normalisation of advantages.

Source: Schulman et al. (2016), arXiv 1506.02438; Yu et al. (2022), MAPPO, arXiv 2103.01955.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from equilibria.agents.learning.kernels import gae
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.types import BoolArray, FloatArray

Normalisation = Literal["buffer", "per_agent", "none"]


def advantages(
    rewards: ArrayLike,
    values: ArrayLike,
    terminated: ArrayLike,
    *,
    truncated: ArrayLike | None = None,
    final_values: ArrayLike | None = None,
    active: ArrayLike | None = None,
    discount: float = 0.99,
    trace: float = 0.95,
    time_limit: Literal["bootstrap", "terminal"] = "bootstrap",
) -> tuple[FloatArray, FloatArray]:
    """Return advantages and value targets, both [T, ...].

    delta_t = r_t + gamma V(s_{t+1}) - V(s_t), A_t = delta_t + gamma lambda A_{t+1}, target R_t = A_t + V(s_t).
    After a terminal step nothing follows.  After a truncated step V(s_{t+1}) is the value of the last
    observation of the old episode, never of the first one of the new, and A_{t+1} does not follow.

    Args:
        rewards: [T, ...] any further axes (worlds, agents).
        values: [T + 1, ...] denormalised values; the last row belongs to the state after the last step.
        terminated: bool [T, ...].
        truncated: bool [T, ...]; ``None`` for nowhere.
        final_values: [T, ...] value of the last observation where truncated; needed when anything is.
        active: bool [T + 1, ...]; entries of absent agents may hold anything, their advantage and target are
            0, and an agent that is absent at t + 1 is treated as terminated at t.  ``None`` for all present.
        discount: gamma in [0, 1].
        trace: lambda in [0, 1].
        time_limit: ``"terminal"`` treats truncation as termination, as published MAPPO numbers do.

    Raises:
        InvalidValue: If shapes do not fit, a factor is out of range, or final values are missing.
        NumericalError: If a reward or value of a present agent is not finite; names step and place.
    """
    r = np.asarray(rewards, dtype=np.float64)
    if r.ndim < 1 or len(r) < 1:
        raise InvalidValue(f"rewards must have shape (T, ...) with T >= 1, got {r.shape}")
    rest, steps = r.shape[1:], len(r)
    after = (steps + 1, *rest)
    for name, factor in (("discount", discount), ("trace", trace)):
        if not 0 <= factor <= 1:
            raise InvalidValue(f"{name} must lie in [0, 1], got {factor!r}")
    v = _shaped(np.asarray(values, dtype=np.float64), after, "values")
    over = _shaped(np.asarray(terminated, dtype=np.bool_), r.shape, "terminated")
    cut = np.zeros(r.shape, np.bool_) if truncated is None else np.asarray(truncated, dtype=np.bool_)
    _shaped(cut, r.shape, "truncated")
    here = np.ones(after, np.bool_) if active is None else np.asarray(active, dtype=np.bool_)
    _shaped(here, after, "active")
    if time_limit == "terminal":
        over, cut = over | cut, np.zeros_like(cut)
    if final_values is None and (cut & ~over & here[:-1]).any():
        raise InvalidValue("steps are truncated but final_values is missing; pass the values of the last observations")
    last = np.zeros(r.shape) if final_values is None else np.asarray(final_values, dtype=np.float64)
    _shaped(last, r.shape, "final_values")
    _check_finite(r, here[:-1], "reward")
    _check_finite(v, here, "value")
    _check_finite(last, here[:-1] & cut & ~over, "final value")
    out = np.empty((steps, int(np.prod(rest, dtype=np.int64))))
    gae(_flat(r), _flat(v), _flat(last), _flat(over), _flat(cut), _flat(here), discount, trace, out)
    found = out.reshape(r.shape)
    return found, np.where(here[:-1], found + np.where(here[:-1], v[:-1], 0.0), 0.0)


def normalised(
    values: ArrayLike, active: ArrayLike | None = None, *, mode: Normalisation = "buffer", epsilon: float = 1e-5
) -> FloatArray:
    """Return (A - mean) / (population standard deviation + epsilon) over the active entries; others become 0.

    Args:
        values: [..., N] advantages; the last axis is the agent.
        active: bool of the same shape, ``None`` for all.
        mode: ``"buffer"``: one mean and deviation; ``"per_agent"``: one per agent (when rewards differ in
            scale); ``"none"``: unchanged.
        epsilon: Added to the deviation, >= 0.

    With fewer than two active entries, or no spread, only the mean is subtracted.
    """
    x = np.asarray(values, dtype=np.float64)
    here = np.ones(x.shape, np.bool_) if active is None else _shaped(np.asarray(active, np.bool_), x.shape, "active")
    if mode == "none":
        return np.where(here, x, 0.0)
    if mode == "buffer":
        return _standardised(x, here, epsilon)
    if mode != "per_agent" or x.ndim < 1:
        raise InvalidValue(f"mode must be buffer, per_agent or none and values have an agent axis, got {mode!r}")
    return np.stack([_standardised(x[..., i], here[..., i], epsilon) for i in range(x.shape[-1])], axis=-1)


def _standardised(x: FloatArray, here: BoolArray, epsilon: float) -> FloatArray:
    kept = x[here]
    if kept.size == 0:
        return np.zeros_like(x)
    centred = np.where(here, x - kept.mean(), 0.0)
    spread = float(kept.std())
    return np.asarray(centred / (spread + epsilon)) if kept.size > 1 and spread > 0 else centred


def _flat(array: Any) -> Any:
    return np.ascontiguousarray(array).reshape(len(array), -1)


def _shaped(array: Any, shape: tuple[int, ...], name: str) -> Any:
    if array.shape != shape:
        raise InvalidValue(f"{name} must have shape {shape}, got {array.shape}")
    return array


def _check_finite(array: FloatArray, relevant: BoolArray, name: str) -> None:
    bad = relevant & ~np.isfinite(array)
    if bad.any():
        step, *place = (int(i) for i in np.argwhere(bad)[0])
        raise NumericalError(name, float(array[(step, *place)]), step=step, where=f"entry {place}" if place else "")
