"""Updates of preference solvers on log policies; compiled, in place.

All work on log probabilities, so masses below 1e-300 never become NaN.

* SPPO (Wu et al. 2024, arXiv 2405.00675): pi' proportional to pi exp(eta P(. beats pi)).
* SPO (Swamy et al. 2024, arXiv 2401.04056): k responses drawn from pi; the reward of each is its mean
  preference over the other k - 1; log weights follow the policy gradient of that reward (baseline 1/2).
* INPO (Zhang et al. 2024, arXiv 2407.00617): online mirror descent
  pi' proportional to exp(P(. beats pi) / eta) ref^(tau/eta) pi^(1 - tau/eta).
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.errors import NotConverged
from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform
from equilibria.sim.types import FloatArray


@kernel
def normalise_(logits: FloatArray) -> FloatArray:
    """Shift ``logits`` [n] in place to log probabilities; return the probabilities."""
    top = logits.max()
    total = 0.0
    for y in range(logits.shape[0]):
        total += math.exp(logits[y] - top)
    shift = top + math.log(total)
    out = np.empty_like(logits)
    for y in range(logits.shape[0]):
        logits[y] -= shift
        out[y] = math.exp(logits[y])
    return out


@kernel
def probabilities(logits: FloatArray) -> FloatArray:
    """Return exp(logits) [n] of log probabilities; bit for bit what ``normalise_`` returned with them."""
    out = np.empty_like(logits)
    for y in range(logits.shape[0]):
        out[y] = math.exp(logits[y])
    return out


@kernel
def sppo_(preference: FloatArray, logits: FloatArray, total: FloatArray, eta: float, steps: int) -> None:
    """Do ``steps`` multiplicative-weights updates in place; adds the policy before each update to ``total`` [n]."""
    pi = probabilities(logits)
    for _ in range(steps):
        total += pi
        logits += eta * (preference @ pi)
        pi = normalise_(logits)


@kernel
def spo_(
    preference: FloatArray,
    logits: FloatArray,
    total: FloatArray,
    eta: float,
    samples: int,
    first: int,
    steps: int,
    key: np.uint64,
) -> None:
    """Do ``steps`` sampled updates in place; step numbers ``first``, ``first`` + 1, ... count the random numbers."""
    n = logits.shape[0]
    drawn = np.zeros(samples, np.int64)
    pi = probabilities(logits)
    for t in range(first, first + steps):
        total += pi
        for s in range(samples):
            u = uniform(key, t, s, 0)
            y, cumulative = 0, pi[0]
            while cumulative <= u and y < n - 1:
                y += 1
                cumulative += pi[y]
            drawn[s] = y
        for s in range(samples):
            reward = 0.0
            for r in range(samples):
                if r != s:
                    reward += preference[drawn[s], drawn[r]]
            advantage = reward / (samples - 1) - 0.5
            # gradient of log softmax: one-hot minus pi
            for y in range(n):
                logits[y] -= eta * advantage * pi[y] / samples
            logits[drawn[s]] += eta * advantage / samples
        pi = normalise_(logits)


@kernel
def inpo_(
    preference: FloatArray, reference: FloatArray, logits: FloatArray, tau: float, eta: float, first: int, steps: int
) -> None:
    """Do ``steps`` mirror-descent updates in place.

    Args:
        preference: [n, n].
        reference: [n] log reference policy.
        logits: [n] log policy.
        tau: Regularisation.
        eta: Inverse step, or 0 for the schedule tau (t + 2) / 2 with t = first, first + 1, ...
        first: Number of the first step, counted from 0.
        steps: Steps.
    """
    pi = probabilities(logits)
    for t in range(first, first + steps):
        # the schedule starts at tau (t = 0): the previous policy then has exponent 0
        e = eta if eta > 0.0 else tau * (t + 2.0) / 2.0
        value = preference @ pi
        for y in range(logits.shape[0]):
            logits[y] = value[y] / e + (tau / e) * reference[y] + (1.0 - tau / e) * logits[y]
        pi = normalise_(logits)


def inpo_fixed_point(
    preference: FloatArray, reference: FloatArray, tau: float, *, tolerance: float = 1e-13, limit: int = 10_000_000
) -> FloatArray:
    """Return the unique Nash policy pi = ref exp(P(. beats pi) / tau) / Z of the regularised game.

    Args:
        preference: [n, n].
        reference: [n] reference policy, all entries > 0.
        tau: Regularisation > 0.
        tolerance: Largest change of a probability in the fixed-point equation.
        limit: Mirror-descent updates at most.

    Raises:
        NotConverged: If the residual stays above the tolerance.
    """
    log_reference = np.log(reference)
    logits = log_reference.copy()
    normalise_(logits)
    eta, residual, block = max(1.0, tau), np.inf, 200
    for _ in range(max(1, limit // block)):
        inpo_(preference, log_reference, logits, tau, eta, 0, block)
        pi = np.exp(logits)
        target = log_reference + preference @ pi / tau
        residual = float(np.abs(normalise_(target) - pi).max())
        if residual <= tolerance:
            return np.asarray(pi / pi.sum())
    raise NotConverged(f"the regularised Nash policy still had residual {residual:.2g} after {limit} updates")
