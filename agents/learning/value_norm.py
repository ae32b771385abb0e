"""Running normalisation of value targets with debiased exponential averages (MAPPO's ValueNorm).

Source: Yu et al. (2022), arXiv 2103.01955, and its code; debiasing as in Adam.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.types import FloatArray

_DEBIAS_FLOOR = 1e-5


class ValueNorm:
    """Mean and variance of returns; the critic predicts normalised values, advantages use denormalised ones.

    Args:
        decay: beta in (0, 1); 0.99999 as published, 0.999 for short runs.
        var_floor: Least variance, > 0; returns whose spread is below its root are scaled less than fully.
        size: Number K of separate statistics; 1 for one set for everything, else one per entry of the last axis.

    Example:
        >>> norm = ValueNorm()
        >>> norm.update([1.0, 3.0])
        >>> round(norm.mean, 9), round(norm.variance, 9)
        (2.0, 1.0)
    """

    def __init__(self, *, decay: float = 0.99999, var_floor: float = 1e-2, size: int = 1) -> None:
        if not 0 < decay < 1:
            raise InvalidValue(f"decay must lie in (0, 1), got {decay!r}")
        if not (math.isfinite(var_floor) and var_floor > 0):
            raise InvalidValue(f"var_floor must be finite and > 0, got {var_floor!r}")
        if size < 1:
            raise InvalidValue(f"size must be at least 1, got {size!r}")
        self.decay, self.var_floor, self.size = decay, var_floor, size
        self._sums = np.zeros((3, size))  # averages of x, x^2 and 1

    @property
    def mean(self) -> float:
        """Debiased mean (the first of several); 0 before the first update."""
        return float(self.scale()[0][0])

    @property
    def variance(self) -> float:
        """Debiased variance (the first of several), at least ``var_floor``."""
        return float(self._moments()[1][0])

    def scale(self) -> tuple[FloatArray, FloatArray]:
        """Return means and standard deviations, both [K]."""
        mean, variance = self._moments()
        return mean, np.sqrt(variance)

    def update(self, returns: ArrayLike, active: ArrayLike | None = None) -> None:
        """Take in a batch of returns (any shape, or [..., K]); call it right before each value loss.

        Raises:
            InvalidValue: If ``active`` has another shape, or the last axis is not K.
            NumericalError: If an active return is not finite.
        """
        x = np.asarray(returns, dtype=np.float64)
        if active is None and self.size == 1 and x.size:
            flat = x.ravel()
            mean, square = float(flat.mean()), float(flat @ flat) / flat.size
            if math.isfinite(square):
                fresh = np.array([[mean], [square], [1.0]])
                self._sums = self.decay * self._sums + (1 - self.decay) * fresh
                return
        here = np.ones(x.shape, np.bool_) if active is None else np.asarray(active, dtype=np.bool_)
        if here.shape != x.shape:
            raise InvalidValue(f"active must have the shape {x.shape} of the returns, got {here.shape}")
        if self.size > 1 and x.shape[-1] != self.size:
            raise InvalidValue(f"returns must have {self.size} entries on their last axis, got shape {x.shape}")
        x, here = x.reshape(-1, self.size), here.reshape(-1, self.size)
        if not np.isfinite(x[here]).all():
            raise NumericalError("return", float(x[here & ~np.isfinite(x)][0]), where="value normalisation")
        x, count = np.where(here, x, 0.0), here.sum(axis=0)
        seen = count > 0
        share = np.maximum(count, 1)
        fresh = np.stack([x.sum(axis=0) / share, (x * x).sum(axis=0) / share, np.ones(self.size)])
        self._sums = np.where(seen, self.decay * self._sums + (1 - self.decay) * fresh, self._sums)

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        weight = np.maximum(self._sums[2], _DEBIAS_FLOOR)
        mean = self._sums[0] / weight
        return mean, np.maximum(self._sums[1] / weight - mean**2, self.var_floor)

    def normalise(self, values: ArrayLike) -> FloatArray:
        """Return (x - mean) / standard deviation."""
        mean, deviation = self.scale()
        return np.asarray((np.asarray(values, dtype=np.float64) - mean) / deviation).reshape(np.shape(values))

    def denormalise(self, values: ArrayLike) -> FloatArray:
        """Return x * standard deviation + mean."""
        mean, deviation = self.scale()
        return np.asarray(np.asarray(values, dtype=np.float64) * deviation + mean).reshape(np.shape(values))

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State({"sums": self._sums.copy()}, {"decay": self.decay, "var_floor": self.var_floor})

    def load(self, state: State) -> None:
        """Restore a state made by ``save`` with the same settings."""
        mine = {"decay": self.decay, "var_floor": self.var_floor}
        if dict(state.meta) != mine or np.asarray(state.arrays.get("sums", np.zeros(0))).shape != self._sums.shape:
            raise InvalidValue(f"the state belongs to value normalisation {dict(state.meta)}, not to {mine}")
        self._sums = np.array(state.arrays["sums"], dtype=np.float64)
