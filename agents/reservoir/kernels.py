"""Compiled steps of the echo state network and of the three-layer agent.

x(t+1) = tanh(W x + Win [a(t), o(t)] + b) + noise; noise is outside the tanh.  Normal numbers come in pairs from
one Philox block by the Box-Muller transform, counted by (key, step, unit), so every agent owns its stream.
Cost per step: d^2 + 2 d multiply-adds, d tanh and d normals.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import words
from equilibria.sim.types import FloatArray

_UNIT = 2.0**-32


@kernel
def step_(
    x: FloatArray,
    w: FloatArray,
    w_in: FloatArray,
    b: FloatArray,
    own: float,
    other: float,
    noise: float,
    key: np.uint64,
    time: int,
) -> None:
    """Advance the state ``x`` [d] in place by one step."""
    d = x.shape[0]
    new = w @ x
    for i in range(d):
        new[i] = math.tanh(new[i] + w_in[i, 0] * own + w_in[i, 1] * other + b[i])
    if noise > 0.0:
        for i in range(0, d, 2):
            w0, w1, _, _ = words(key, time, i // 2, 0)
            size = noise * math.sqrt(-2.0 * math.log((np.float64(w0) + 0.5) * _UNIT))
            angle = 2.0 * math.pi * np.float64(w1) * _UNIT
            new[i] += size * math.cos(angle)
            if i + 1 < d:
                new[i + 1] += size * math.sin(angle)
    x[:] = new


@kernel
def drive(
    x: FloatArray,
    w: FloatArray,
    w_in: FloatArray,
    b: FloatArray,
    level: float,
    noise: float,
    key: np.uint64,
    first: int,
    steps: int,
) -> FloatArray:
    """Return the states [steps, d] after each step under the constant input [level, level]; ``x`` moves in place."""
    out = np.empty((steps, x.shape[0]))
    for t in range(steps):
        step_(x, w, w_in, b, level, level, noise, key, first + t)
        out[t] = x
    return out


@kernel
def habit(x: FloatArray, readout: FloatArray, bias: float) -> float:
    """Return the body's action sigmoid(readout . x + bias)."""
    z = bias
    for i in range(x.shape[0]):
        z += readout[i] * x[i]
    return 1.0 / (1.0 + math.exp(-z))


@kernel
def play_(
    x: FloatArray,
    memory: FloatArray,
    x_mean: FloatArray,
    w: FloatArray,
    w_in: FloatArray,
    b: FloatArray,
    readout: FloatArray,
    bias: float,
    opponent: FloatArray,
    sentinel: FloatArray,
    noise: float,
    key: np.uint64,
    first: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Play rounds ``first`` .. ``first`` + T - 1 in place; return actions, receptivity [T] and states [T, d].

    Args:
        x: [d] state of the body.
        memory: [3] receptivity alpha, running mean of the body's action, opponent's last action (negative
            before the first round).
        x_mean: [d] running mean of the state.
        w: [d, d] recurrent weights.
        w_in: [d, 2] input weights.
        b: [d] offsets.
        readout: [d] readout weights.
        bias: Readout offset.
        opponent: [T] opponent's actions, known one round late to the cognitive filter.
        sentinel: [9] fixed alpha (negative: dynamic), rest, minimum, recovery, drop, threshold, the weights
            of state drift, habit drift and conflict; the running means' memory follows as [9].
        noise: Deviation of the state noise.
        key: Key of the agent's noise.
        first: Number of the first round.
    """
    rounds, d = opponent.shape[0], x.shape[0]
    actions, receptivity, states = np.empty(rounds), np.empty(rounds), np.empty((rounds, d))
    keep = sentinel[9]
    for t in range(rounds):
        states[t] = x
        own = habit(x, readout, bias)
        answer = memory[2] if memory[2] >= 0.0 else opponent[t]
        drift = 0.0
        for i in range(d):
            drift += (x[i] - x_mean[i]) ** 2
        # discomfort is measured against the baselines of the past, before they take in this round
        discomfort = (
            sentinel[6] * math.sqrt(drift / d) + sentinel[7] * abs(own - memory[1]) + sentinel[8] * abs(own - answer)
        )
        memory[1] = keep * memory[1] + (1.0 - keep) * own
        for i in range(d):
            x_mean[i] = keep * x_mean[i] + (1.0 - keep) * x[i]
        if sentinel[0] >= 0.0:
            alpha = sentinel[0]
        else:
            alpha = memory[0] + sentinel[3] * (sentinel[1] - memory[0])
            alpha -= sentinel[4] * max(0.0, discomfort - sentinel[5])
            alpha = min(1.0, max(sentinel[2], alpha))
        memory[0] = alpha
        action = alpha * own + (1.0 - alpha) * answer
        actions[t], receptivity[t] = action, alpha
        memory[2] = opponent[t]
        step_(x, w, w_in, b, action, opponent[t], noise, key, first + t)
    return actions, receptivity, states
