"""One magnetic mirror descent step on a simplex, the update that solvers and search share.

With policy pi, magnet rho, action values q, step eta and temperature alpha, a maximising player moves to

    pi'(a) proportional to (pi(a) * rho(a)**(eta*alpha) * exp(eta*q(a))) ** (1 / (1 + eta*alpha)).

alpha = 0 is plain mirror descent (multiplicative weights).  All arithmetic is done on logarithms with
the maximum subtracted, so no step overflows.

Reference: Sokota, D'Orazio, Kolter, Loizou, Lanctot, Mitliagkas, Brown, Kroer (2023), A unified approach
to reinforcement learning, quantal response equilibria, and two-player zero-sum games, ICLR.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

_SUM_TOLERANCE = 1e-9


def _distribution(name: str, values: ArrayLike, size: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (size,):
        raise InvalidValue(f"{name} must have shape ({size},) like q, got {array.shape}")
    if not np.all(np.isfinite(array)) or np.any(array < 0.0) or abs(float(array.sum()) - 1.0) > _SUM_TOLERANCE:
        raise InvalidValue(f"{name} must be a distribution, got {array.tolist()} with sum {float(array.sum())!r}")
    return array


def check_rates(*, eta: float, alpha: float, magnet_rate: float = 0.0, floor: float = 0.0) -> None:
    """Raise ``InvalidValue`` unless eta > 0, alpha >= 0, 0 <= magnet_rate <= 1 and 0 <= floor < 0.1."""
    if not (math.isfinite(eta) and eta > 0.0):
        raise InvalidValue(f"eta (step size) must be positive and finite, got {eta!r}")
    if not (math.isfinite(alpha) and alpha >= 0.0):
        raise InvalidValue(f"alpha (temperature) must be non-negative and finite, got {alpha!r}")
    if not 0.0 <= magnet_rate <= 1.0:
        raise InvalidValue(f"magnet_rate must lie in [0, 1], got {magnet_rate!r}")
    if not 0.0 <= floor < 0.1:
        raise InvalidValue(f"floor must lie in [0, 0.1), got {floor!r}")


def mmd_step(
    policy: ArrayLike,
    q: ArrayLike,
    *,
    eta: float,
    alpha: float = 0.0,
    magnet: ArrayLike | None = None,
    floor: float = 0.0,
) -> FloatArray:
    """Return the policy [A] after one magnetic mirror descent step.

    Args:
        policy: [A] current distribution; with ``floor=0`` actions of probability 0 stay at 0.
        q: [A] finite action values; adding a constant changes nothing.
        eta: Step size, > 0.
        alpha: Temperature, >= 0; 0 ignores the magnet.
        magnet: [A] distribution without zeros, uniform if ``None``.
        floor: Least probability relative to the largest one, applied before normalising, in [0, 0.1).

    Raises:
        InvalidValue: If an argument is outside its range; the message gives the value.

    Example:
        >>> mmd_step([0.5, 0.5], [1.0, 0.0], eta=1.0, alpha=1.0).round(6).tolist()
        [0.622459, 0.377541]
    """
    values = np.asarray(q, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InvalidValue(f"q must be a non-empty vector, got shape {values.shape}")
    if not np.all(np.isfinite(values)):
        raise InvalidValue(f"q must be finite, got {values.tolist()}")
    check_rates(eta=eta, alpha=alpha, floor=floor)
    current = _distribution("policy", policy, values.size)
    pull = np.zeros(values.size)
    if magnet is not None:
        target = _distribution("magnet", magnet, values.size)
        if np.any(target == 0.0):
            raise InvalidValue(f"magnet must not contain zeros, got {target.tolist()}")
        pull = np.log(target)
    with np.errstate(divide="ignore"):
        logits = np.log(np.maximum(current, floor))
    logits = (logits + eta * alpha * pull + eta * (values - values.max())) / (1.0 + eta * alpha)
    result = np.maximum(np.exp(logits - logits.max()), floor)
    return np.asarray(result / result.sum(), dtype=np.float64)
