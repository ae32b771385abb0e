"""Complexity cost: divergence of the states in play from the habituated baseline.

* ``gaussian_divergence``: closed form KL(N(m1, S1) || N(m0, S0)) of fitted normals with a small ridge.
* ``neighbour_divergence``: k nearest neighbours, (d/n) sum_i ln(nu_k(i) / rho_k(i)) + ln(m / (n - 1))
  (Wang, Kulkarni and Verdu 2009), rho within the sample, nu to the reference.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


def _check(sample: FloatArray, reference: FloatArray, least: int) -> None:
    if sample.ndim != 2 or reference.ndim != 2 or sample.shape[1] != reference.shape[1]:
        raise InvalidValue(f"states must have shapes [n, d] and [m, d], got {sample.shape} and {reference.shape}")
    if min(len(sample), len(reference)) < least:
        raise InvalidValue(f"need at least {least} states on both sides, got {len(sample)} and {len(reference)}")


def gaussian_divergence(sample: FloatArray, reference: FloatArray, *, ridge: float = 1e-8) -> float:
    """Return KL(sample || reference) in nats of fitted normal distributions.

    Args:
        sample: [n, d] states, n >= 2.
        reference: [m, d] baseline states, m >= 2.
        ridge: Added to both covariance diagonals, > 0.
    """
    _check(sample, reference, 2)
    d = sample.shape[1]
    s1, s0 = (np.atleast_2d(np.cov(x, rowvar=False)) + ridge * np.eye(d) for x in (sample, reference))
    shift = reference.mean(axis=0) - sample.mean(axis=0)
    solved = np.linalg.solve(s0, np.column_stack([s1, shift]))
    log_ratio = float(np.linalg.slogdet(s0)[1] - np.linalg.slogdet(s1)[1])
    return 0.5 * float(float(np.trace(solved[:, :d])) + float(shift @ solved[:, d]) - d + log_ratio)


def neighbour_divergence(sample: FloatArray, reference: FloatArray, *, k: int = 5) -> float:
    """Return the k-nearest-neighbour estimate of KL(sample || reference) in nats; it may be slightly negative.

    Args:
        sample: [n, d] states, n > k.
        reference: [m, d] baseline states, m >= k.
        k: Neighbour, >= 1.
    """
    if k < 1:
        raise InvalidValue(f"k must be at least 1, got {k!r}")
    _check(sample, reference, k + 1)
    n, d = sample.shape
    rho = cKDTree(sample).query(sample, k + 1)[0][:, -1]
    nu = cKDTree(reference).query(sample, k)[0]
    nu = nu if nu.ndim == 1 else nu[:, -1]
    if rho.min() <= 0 or nu.min() <= 0:
        raise InvalidValue("identical states: the nearest-neighbour estimate needs distinct points")
    return float(d * np.mean(np.log(nu / rho)) + np.log(len(reference) / (n - 1)))
