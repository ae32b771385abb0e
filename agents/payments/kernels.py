"""Compiled exploration rules and draws of actions; formulas in ``exploration``."""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import words

UNIFORM, GREEDY, EPSILON, SOFTMAX, SQUARE, FAST = range(6)


@kernel
def first_wrong(predicted, available):  # type: ignore[no-untyped-def]
    """Return row and action of the first feasible prediction that lies outside [0, 1].

    Without one (row, -1) of the first row that has no feasible action, else (-1, -1).
    """
    empty = -1
    for i in range(available.shape[0]):
        count = 0
        for a in range(available.shape[1]):
            if available[i, a]:
                count += 1
                if not (predicted[i, a] >= 0.0 and predicted[i, a] <= 1.0):
                    return i, a
        if count == 0 and empty < 0:
            empty = i
    return empty, -1


@kernel
def distribution(scheme, predicted, available, parameter, power, first, out):  # type: ignore[no-untyped-def]
    """Write the probabilities of a rule.

    Args:
        scheme: UNIFORM, GREEDY, EPSILON, SOFTMAX, SQUARE or FAST.
        predicted: float64 [B, K] in [0, 1].
        available: bool [B, K], at least one per row.
        parameter: epsilon, temperature or gamma_0.
        power: gamma of row i is gamma_0 (first + i)^power.
        first: Number of the first row.
        out: float64 [B, K] zeros, overwritten where actions are feasible.
    """
    for i in range(out.shape[0]):
        count, best = 0, -1
        for a in range(out.shape[1]):
            if available[i, a]:
                count += 1
                if best < 0 or predicted[i, a] > predicted[i, best]:
                    best = a
        gamma = parameter * np.float64(first + i) ** power if power > 0.0 else parameter
        total = 0.0
        for a in range(out.shape[1]):
            if not available[i, a] or (a == best and scheme != SOFTMAX):
                continue
            gap = predicted[i, best] - predicted[i, a]
            p = 0.0
            if scheme == UNIFORM:
                p = 1.0 / count
            elif scheme == EPSILON:
                p = parameter / count
            elif scheme == SOFTMAX:
                p = np.exp(-gap / parameter)
            elif scheme == SQUARE:
                p = 1.0 / (count + gamma * gap)
            elif scheme == FAST:
                loss = 1.0 - predicted[i, best]
                p = loss / (count * loss + gamma * gap) if loss > 0.0 else 0.0
            out[i, a] = p
            total += p
        if scheme == SOFTMAX:
            for a in range(out.shape[1]):
                out[i, a] /= total
        else:
            out[i, best] = 1.0 - total


@kernel
def draw(key, generation, probability, action, propensity):  # type: ignore[no-untyped-def]
    """Draw actions [B] from probabilities [B, K] and write what they had."""
    for i in range(probability.shape[0]):
        u = unit(words(key, generation, i, 0)[0])
        chosen = -1
        for a in range(probability.shape[1]):
            p = probability[i, a]
            if p > 0.0:
                chosen = a
                if u < p:
                    break
                u -= p
        action[i] = chosen
        propensity[i] = probability[i, chosen]
