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

    Example:
        >>> norm = ValueNorm()
        >>> norm.update([1.0, 3.0])
        >>> round(norm.mean, 9), round(norm.variance, 9)
        (2.0, 1.0)
    """

    def __init__(self, *, decay: float = 0.99999, var_floor: float = 1e-2) -> None:
        if not 0 < decay < 1:
            raise InvalidValue(f"decay must lie in (0, 1), got {decay!r}")
        if not (math.isfinite(var_floor) and var_floor > 0):
            raise InvalidValue(f"var_floor must be finite and > 0, got {var_floor!r}")
        self.decay, self.var_floor = decay, var_floor
        self._sums = np.zeros(3)  # averages of x, x^2 and 1

    @property
    def mean(self) -> float:
        """Debiased mean; 0 before the first update."""
        return float(self._sums[0] / max(self._sums[2], _DEBIAS_FLOOR))

    @property
    def variance(self) -> float:
        """Debiased variance, at least ``var_floor``."""
        square = float(self._sums[1] / max(self._sums[2], _DEBIAS_FLOOR))
        return max(square - self.mean**2, self.var_floor)

    def update(self, returns: ArrayLike, active: ArrayLike | None = None) -> None:
        """Take in a batch of returns (any shape); call it right before each value loss.

        Raises:
            InvalidValue: If ``active`` has another shape.
            NumericalError: If an active return is not finite.
        """
        x = np.asarray(returns, dtype=np.float64)
        if active is not None:
            here = np.asarray(active, dtype=np.bool_)
            if here.shape != x.shape:
                raise InvalidValue(f"active must have the shape {x.shape} of the returns, got {here.shape}")
            x = x[here]
        if x.size == 0:
            return
        if not np.isfinite(x).all():
            raise NumericalError("return", float(x[~np.isfinite(x)][0]), where="value normalisation")
        fresh = np.array([x.mean(), (x * x).mean(), 1.0])
        self._sums = self.decay * self._sums + (1 - self.decay) * fresh

    def normalise(self, values: ArrayLike) -> FloatArray:
        """Return (x - mean) / standard deviation."""
        return np.asarray((np.asarray(values, dtype=np.float64) - self.mean) / math.sqrt(self.variance))

    def denormalise(self, values: ArrayLike) -> FloatArray:
        """Return x * standard deviation + mean."""
        return np.asarray(np.asarray(values, dtype=np.float64) * math.sqrt(self.variance) + self.mean)

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State({"sums": self._sums.copy()}, {"decay": self.decay, "var_floor": self.var_floor})

    def load(self, state: State) -> None:
        """Restore a state made by ``save`` with the same settings."""
        mine = {"decay": self.decay, "var_floor": self.var_floor}
        if dict(state.meta) != mine or state.arrays.get("sums", np.zeros(0)).shape != (3,):
            raise InvalidValue(f"the state belongs to value normalisation {dict(state.meta)}, not to {mine}")
        self._sums = np.array(state.arrays["sums"], dtype=np.float64)
