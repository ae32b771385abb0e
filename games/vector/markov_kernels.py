"""Compiled steps of Markov decision processes and the recall task; arguments as in ``kernels``."""

from __future__ import annotations

import math

from equilibria.games.vector.kernels import RESET
from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform


@kernel(inline="always")
def draw_index(cumulated, u):  # type: ignore[no-untyped-def]
    """Return the first index whose cumulated probability exceeds u."""
    last = len(cumulated) - 1
    for i in range(last):
        if u < cumulated[i]:
            return i
    return last


@kernel
def markov_begin(key, clock, start, place, observation):  # type: ignore[no-untyped-def]
    """Draw the first state of all worlds; observations are one-hot."""
    for b in range(len(place)):
        place[b] = draw_index(start, uniform(key, clock, b, RESET))
        observation[b, 0, :] = 0.0
        observation[b, 0, place[b]] = 1.0


@kernel
def markov_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, start, moves, pays, noise, elapsed, place, actions, reward, observation, final, ended
):
    """One step; ``moves`` [S, A, S'] and ``start`` [S] are cumulated, ``noise`` is the deviation of normal noise."""
    for b in range(len(place)):
        s, a = place[b], actions[b, 0]
        reward[b, 0] = pays[s, a]
        if noise > 0.0:
            radius = math.sqrt(-2.0 * math.log(1.0 - uniform(key, clock, b, 1)))
            reward[b, 0] += noise * radius * math.cos(2.0 * math.pi * uniform(key, clock, b, 2))
        observation[b, 0, s] = 0.0
        place[b] = draw_index(moves[s, a], uniform(key, clock, b, 0))
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0
            final[b, 0, :] = 0.0
            final[b, 0, place[b]] = 1.0
            place[b] = draw_index(start, uniform(key, clock, b, RESET))
        observation[b, 0, place[b]] = 1.0


@kernel
def recall_begin(key, clock, bits, observation):  # type: ignore[no-untyped-def]
    """Draw and show the bits."""
    for b in range(len(bits)):
        bits[b] = uniform(key, clock, b, RESET) < 0.5
        observation[b, 0, 0] = 2.0 * bits[b] - 1.0
        observation[b, 0, 1] = 0.0


@kernel
def recall_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, elapsed, bits, actions, reward, observation, final, ended
):
    """One step: the last action of an episode earns 1 if it is the bit."""
    for b in range(len(bits)):
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        reward[b, 0] = 1.0 if ended[b] and actions[b, 0] == bits[b] else 0.0
        observation[b, 0, 0] = 0.0
        observation[b, 0, 1] = 1.0 if elapsed[b] == horizon - 1 else 0.0
        if ended[b]:
            elapsed[b] = 0
            final[b, 0, 0] = 0.0
            final[b, 0, 1] = 0.0
            bits[b] = uniform(key, clock, b, RESET) < 0.5
            observation[b, 0, 0] = 2.0 * bits[b] - 1.0
            observation[b, 0, 1] = 1.0 if horizon == 1 else 0.0
