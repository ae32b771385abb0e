"""Compiled fits of the small networks: win rates by logistic loss, shading policies by policy gradients.

Axes: Q logged auctions, W weights of a network of one softsign layer (see ``gym_kernels.network``).
Batches are drawn without replacement, in an order that depends on (key, epoch) only.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import normal
from equilibria.games.auctions.simulators.gym_kernels import HIDDEN, network, sigmoid
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words

REINFORCE, IPS, PPO, DOUBLY_ROBUST = range(4)


@kernel
def order(places, key, epoch):  # type: ignore[no-untyped-def]
    """Write a random permutation into int64 ``places`` [Q]."""
    n = places.shape[0]
    for k in range(n):
        places[k] = k
    for k in range(n - 1):
        other = k + bounded(words(key, epoch, k, 0)[0], n - k)
        places[k], places[other] = places[other], places[k]


@kernel
def back(w, x, inputs, hidden, slope, grad):  # type: ignore[no-untyped-def]
    """Add ``slope`` times the gradient of the output to float64 ``grad`` [W]; ``hidden`` as ``network`` left it."""
    start = HIDDEN * (inputs + 1)
    for h in range(HIDDEN):
        grad[start + h] += slope * hidden[h]
        inner = slope * w[start + h] * (1.0 - abs(hidden[h])) ** 2
        at = h * (inputs + 1)
        for k in range(inputs):
            grad[at + k] += inner * x[k]
        grad[at + inputs] += inner
    grad[start + HIDDEN] += slope


@kernel
def amsgrad(w, grad, moments, count, rate, decay):  # type: ignore[no-untyped-def]
    """Do one AMSGrad step on float64 ``w`` [W] with ``moments`` [3, W] and step number ``count`` from 1."""
    for k in range(w.shape[0]):
        g = grad[k] + decay * w[k]
        moments[0, k] = 0.9 * moments[0, k] + 0.1 * g
        moments[1, k] = 0.999 * moments[1, k] + 0.001 * g * g
        moments[2, k] = max(moments[2, k], moments[1, k])
        top = moments[0, k] / (1.0 - 0.9**count)
        w[k] -= rate * top / (np.sqrt(moments[2, k] / (1.0 - 0.999**count)) + 1e-8)


@kernel
def fit_wins(w, moments, steps, x, won, key, epochs, batch, rate, decay):  # type: ignore[no-untyped-def]
    """Fit P(win | log rate, log value, factor); every auction also counts as lost at factor 0 and won at 1.

    Args:
        w: float64 [W], updated.
        moments: float64 [3, W], updated.
        steps: Gradient steps done before.
        x: float64 [Q, 3].
        won: bool [Q].
        key: uint64.
        epochs: Passes.
        batch: Auctions per step.
        rate: Step size.
        decay: Weight decay.

    Returns:
        The number of gradient steps done and the mean loss of the last pass.
    """
    n = x.shape[0]
    places, hidden, out, grad, row = np.empty(n, np.int64), np.empty(HIDDEN), np.empty(1), np.zeros_like(w), np.empty(3)
    loss = 0.0
    for epoch in range(epochs):
        order(places, key, epoch)
        loss = 0.0
        for first in range(0, n, batch):
            last = min(n, first + batch)
            grad[:] = 0.0
            for k in range(first, last):
                row[:] = x[places[k]]
                for kind in range(3):
                    truth = 1.0 if won[places[k]] else 0.0
                    if kind > 0:
                        row[2] = kind - 1.0
                        truth = row[2]
                    network(w, row, 3, hidden, out, 1)
                    p = sigmoid(out[0])
                    loss -= np.log(max(p if truth > 0.0 else 1.0 - p, 1e-12)) / (3.0 * n)
                    back(w, row, 3, hidden, (p - truth) / (3.0 * (last - first)), grad)
            steps += 1
            amsgrad(w, grad, moments, steps, rate, decay)
    return steps, loss


@kernel
def fit_policy(  # type: ignore[no-untyped-def]
    w, moments, steps, kind, x, worth, raw, density, reward, wins, width, key, epochs, batch, rate, clip, cap, scale,
):  # fmt: skip
    """Improve a shading policy N(sigmoid(network), width) on logged auctions.

    Args:
        w: float64 [W], updated.
        moments: float64 [3, W], updated.
        steps: Gradient steps done before.
        kind: REINFORCE, IPS, PPO or DOUBLY_ROBUST.
        x: float64 [Q, 2] log rate and log value.
        worth: float64 [Q] rate times value.
        raw: float64 [Q] factors before clipping.
        density: float64 [Q] their densities under the policy that drew them, up to a constant.
        reward: float64 [Q] utilities.
        wins: float64 [W'] win-rate network (DOUBLY_ROBUST).
        width: Standard deviation of the factor.
        key: uint64.
        epochs: Passes.
        batch: Auctions per step.
        rate: Step size.
        clip: Clip of the ratio (PPO).
        cap: Largest weight.
        scale: Unit of rewards, above 0.

    Returns:
        The number of gradient steps done.
    """
    n = x.shape[0]
    places, hidden, out, grad = np.empty(n, np.int64), np.empty(HIDDEN), np.empty(1), np.zeros_like(w)
    inner, given, said = np.empty(HIDDEN), np.empty(3), np.empty(1)
    base = reward.mean()
    for epoch in range(epochs):
        order(places, key, epoch)
        for first in range(0, n, batch):
            last = min(n, first + batch)
            grad[:] = 0.0
            for k in range(first, last):
                q = places[k]
                network(w, x[q], 2, hidden, out, 1)
                mean = sigmoid(out[0])
                e = (raw[q] - mean) / width
                ratio = min(cap, np.exp(-0.5 * e * e) / (width * max(density[q], 1e-12)))
                advantage = (reward[q] - base) / scale
                slope = 0.0
                if kind == REINFORCE:
                    slope = advantage * e / width
                elif kind == IPS:
                    slope = ratio * advantage * e / width
                elif kind == PPO:
                    if not ((advantage > 0.0 and ratio > 1.0 + clip) or (advantage < 0.0 and ratio < 1.0 - clip)):
                        slope = ratio * advantage * e / width
                else:
                    drawn = mean + width * normal(words(key, epoch, q, 1)[0])
                    _, rise = model(wins, x[q], drawn, worth[q], inner, given, said)
                    logged, _ = model(wins, x[q], raw[q], worth[q], inner, given, said)
                    slope = (rise + ratio * (reward[q] - logged) * e / width) / scale
                back(w, x[q], 2, hidden, -slope * mean * (1.0 - mean) / (last - first), grad)
            steps += 1
            amsgrad(w, grad, moments, steps, rate, 0.0)
    return steps


@kernel
def model(wins, x, factor, worth, hidden, given, out):  # type: ignore[no-untyped-def]
    """Return the modelled utility P(win) worth (1 - factor) of a first-price bid and its slope in the factor."""
    f = min(1.0, max(0.0, factor))
    given[0], given[1], given[2] = x[0], x[1], f
    network(wins, given, 3, hidden, out, 1)
    p = sigmoid(out[0])
    slope = 0.0
    for h in range(HIDDEN):
        slope += wins[HIDDEN * 4 + h] * (1.0 - abs(hidden[h])) ** 2 * wins[h * 4 + 2]
    rise = worth * (p * (1.0 - p) * slope * (1.0 - f) - p)
    return p * worth * (1.0 - f), rise if f == factor else 0.0
