"""Compiled rounds of Exp3-IX.  Axes: K arms, O opponents, T rounds."""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform


@kernel
def softmax(logs, out):  # type: ignore[no-untyped-def]
    """Write exp(logs) / sum exp(logs) [K]."""
    top = logs.max()
    total = 0.0
    for i in range(logs.shape[0]):
        out[i] = np.exp(logs[i] - top)
        total += out[i]
    for i in range(logs.shape[0]):
        out[i] /= total


@kernel
def play(key, begin, end, opponents, rewards, eta, logs):  # type: ignore[no-untyped-def]
    """Play rounds begin..end-1; update ``logs`` [K] in place and return the sum of the rewards [K, O] received."""
    arms = logs.shape[0]
    chances = np.empty(arms)
    earned = 0.0
    for t in range(begin, end):
        softmax(logs, chances)
        draw, arm = uniform(key, t, 0, 0), 0
        while arm < arms - 1 and draw >= chances[arm]:
            draw -= chances[arm]
            arm += 1
        reward = rewards[arm, opponents[t]]
        earned += reward
        if arms > 1:
            logs[arm] += eta * reward / (chances[arm] + eta / 2)
    return earned
