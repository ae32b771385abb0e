"""Compiled exploration rules and draws of actions; formulas in ``exploration``."""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import words

UNIFORM, GREEDY, EPSILON, SOFTMAX, SQUARE, FAST = range(6)


@kernel(division="numpy")
def distribution(scheme, predicted, available, parameter, power, first, out):  # type: ignore[no-untyped-def]
    """Write the probabilities of a rule, row by row, up to the first row that is wrong.

    Loops over actions take all of them and zero those that are not feasible, so that the compiler can do without branches.

    Args:
        scheme: UNIFORM, GREEDY, EPSILON, SOFTMAX, SQUARE or FAST.
        predicted: float64 [B, K] in [0, 1] where feasible.
        available: bool [B, K].
        parameter: epsilon, temperature or gamma_0.
        power: gamma of row i is gamma_0 (first + i)^power.
        first: Number of the first row.
        out: float64 [B, K], overwritten.

    Returns:
        Row and action of the first feasible prediction outside [0, 1], (row, -1) of a row without a feasible action,
        (-1, -1) if there are none.
    """
    actions = out.shape[1]
    for i in range(out.shape[0]):
        count, best, top = 0, -1, -1.0
        for a in range(actions):
            y = predicted[i, a]
            if available[i, a]:
                count += 1
                if not (y >= 0.0 and y <= 1.0):
                    return i, a
                if y > top:
                    best, top = a, y
        if count == 0:
            return i, -1
        gamma = parameter * np.float64(first + i) ** power if power > 0.0 else parameter
        row, seen, on = out[i], predicted[i], available[i]
        if scheme == SQUARE:
            for a in range(actions):
                row[a] = 1.0 / (count + gamma * (top - seen[a])) if on[a] else 0.0
        elif scheme == FAST:
            loss = 1.0 - top
            for a in range(actions):
                row[a] = loss / (count * loss + gamma * (top - seen[a])) if on[a] and loss > 0.0 else 0.0
        elif scheme == SOFTMAX:
            for a in range(actions):
                row[a] = np.exp(-(top - seen[a]) / parameter) if on[a] else 0.0
        else:
            even = 1.0 / count if scheme == UNIFORM else (parameter / count if scheme == EPSILON else 0.0)
            for a in range(actions):
                row[a] = even if on[a] else 0.0
        if scheme != SOFTMAX:
            row[best] = 0.0
        total = 0.0
        for a in range(actions):
            total += row[a]
        if scheme != SOFTMAX:
            row[best] = 1.0 - total
        else:
            for a in range(actions):
                row[a] /= total
    return -1, -1


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
