"""Compiled steps of the contagion worlds; the models are stated in ``contagion``.

Axes: N agents, L directed edges (twice the undirected ones).  The graph is a compressed sparse row
matrix: the neighbours of i are ``target[start[i]:start[i + 1]]``.  Probabilities are thresholds on
32-bit words: an event of probability p happens iff word < round(p * 2**32).
"""

from __future__ import annotations

import numpy as np

from equilibria.games.population.draws import BUFFER, fill, shuffle
from equilibria.sim.jit import kernel
from equilibria.sim.philox import words

SUSCEPTIBLE, INFECTED, RECOVERED = 0, 1, 2
ORDER, CHANGE, CONTACT = 0, 1, 2


@kernel
def infect_neighbours(state, infections, start, target, agent, infect, key, step):  # type: ignore[no-untyped-def]
    """Let one infected agent meet its susceptible neighbours.

    The e-th neighbour of agent i uses word e % 4 of the block (step, i, CONTACT + e // 4); blocks
    without a susceptible neighbour are not computed.
    """
    head = np.int64(start[agent])
    degree = np.int64(start[agent + 1]) - head
    w0 = w1 = w2 = w3 = np.uint64(0)
    block = -1
    for e in range(degree):
        other = target[head + e]
        if state[other] != SUSCEPTIBLE:
            continue
        if e >> 2 != block:
            block = e >> 2
            w0, w1, w2, w3 = words(key, step, agent, CONTACT + block)
        place = e & 3
        word = w0 if place == 0 else (w1 if place == 1 else (w2 if place == 2 else w3))
        if word < infect:
            state[other] = INFECTED
            infections[other] += 1


@kernel
def run_in_order(state, infections, start, target, order, infect, recover, after, key, first, steps):  # type: ignore[no-untyped-def]
    """Run random-sequential steps.

    Args:
        state: int8 [N], updated in place.
        infections: int32 [N] number of infections so far, updated in place.
        start: int64 [N + 1] first edge of each agent.
        target: int32 [L] neighbours.
        order: int32 [N] scratch space.
        infect: uint64 threshold of an infection.
        recover: uint64 threshold of a recovery.
        after: State after recovery, ``SUSCEPTIBLE`` or ``RECOVERED``.
        key: uint64 key.
        first: Number of the first step, from 1.
        steps: How many steps.
    """
    n = state.shape[0]
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        shuffle(order, buffer, key, step, ORDER)
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, CHANGE, begin)
            for p in range(begin, min(n, begin + BUFFER)):
                agent = order[p]
                if state[agent] == INFECTED:
                    infect_neighbours(state, infections, start, target, agent, infect, key, step)
                    if np.uint64(buffer[p - begin]) < recover:
                        state[agent] = after


@kernel
def run_at_once(state, infections, start, target, fresh, escape, recover, after, key, first, steps):  # type: ignore[no-untyped-def]
    """Run simultaneous steps: everybody looks at the states of the step's start.

    Args:
        state: int8 [N], updated in place.
        infections: int32 [N], updated in place.
        start: int64 [N + 1].
        target: int32 [L].
        fresh: int8 [N] scratch space.
        escape: uint64 [D + 1]; a susceptible agent with k infected neighbours is infected iff its word
            is below ``escape[k]``, the threshold of 1 - (1 - infection)^k.
        recover: uint64 threshold of a recovery.
        after: State after recovery.
        key: uint64 key.
        first: Number of the first step, from 1.
        steps: How many steps.
    """
    n = state.shape[0]
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, CHANGE, begin)
            for agent in range(begin, min(n, begin + BUFFER)):
                word = np.uint64(buffer[agent - begin])
                now = state[agent]
                if now == SUSCEPTIBLE:
                    k = 0
                    for e in range(start[agent], start[agent + 1]):
                        k += state[target[e]] == INFECTED
                    if word < escape[k]:
                        now = INFECTED
                        infections[agent] += 1
                elif now == INFECTED and word < recover:
                    now = after
                fresh[agent] = now
        for agent in range(n):
            state[agent] = fresh[agent]


@kernel
def infected_neighbours(state, start, target, count):  # type: ignore[no-untyped-def]
    """Write the number of infected neighbours of each agent into int32 ``count`` [N]."""
    for agent in range(state.shape[0]):
        k = 0
        for e in range(start[agent], start[agent + 1]):
            k += state[target[e]] == INFECTED
        count[agent] = k
