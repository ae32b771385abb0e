"""Numbers that describe a price path: volatility, tails, memory, distance from the fundamental value.

Source of the list: Cont (2001), Empirical properties of asset returns, Quantitative Finance 1.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.types import FloatArray


def facts(mid: FloatArray, horizon: int = 1) -> dict[str, float]:
    """Return facts of the changes of mid prices [T] over ``horizon`` periods.

    Returns:
        ``deviation`` of changes (cents), ``excess_kurtosis`` (0 for normal changes), ``memory`` (autocorrelation of
        changes at lag 1), ``clustering`` (that of their absolute values).  Empty with fewer than 10 changes or none
        that differ.
    """
    change = np.diff(mid[::horizon])
    if change.size < 10 or not change.std() > 0.0:
        return {}
    z = change - change.mean()
    size = np.abs(change)
    return {
        "deviation": float(change.std()),
        "excess_kurtosis": float((z**4).mean() / (z**2).mean() ** 2 - 3.0),
        "memory": _lag(change),
        "clustering": _lag(size) if size.std() > 0.0 else 0.0,
    }


def batch_means(values: FloatArray, batches: int = 20) -> tuple[float, float]:
    """Return the mean of a dependent series and the half width of its 95 % interval by batch means."""
    size = len(values) // batches
    if size < 1:
        return float(values.mean()), 0.0
    means = values[: size * batches].reshape(batches, size).mean(axis=1)
    return float(values.mean()), 2.093 * float(means.std(ddof=1)) / math.sqrt(batches)


def _lag(values: FloatArray) -> float:
    z = values - values.mean()
    return float((z[1:] * z[:-1]).mean() / (z**2).mean())
