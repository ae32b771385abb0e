"""Compiled steps of the contagion worlds; the models are stated in ``contagion``.

Axes: N agents, L directed edges (twice the undirected ones).  The graph is a compressed sparse row
matrix: the neighbours of i are ``target[start[i]:start[i + 1]]``.  Probabilities are thresholds on
32-bit words: an event of probability p happens iff word < round(p * 2**32).
"""

from __future__ import annotations

import numpy as np

from equilibria.games.population.draws import BUFFER, fill, shuffle
from equilibria.sim.jit import kernel

SUSCEPTIBLE, INFECTED, RECOVERED = 0, 1, 2
ORDER, CHANGE, CONTACT = 0, 1, 2


@kernel
def list_infected(state, order, begin, end, active, place):  # type: ignore[no-untyped-def]
    """Write the positions in ``begin .. end - 1`` whose agents are infected; return how many.

    Args:
        state: int8 [N].
        order: int32 [N] agent at each position.
        begin: First position.
        end: One past the last position.
        active: int32 [BUFFER + 1], overwritten with positions, ascending.
        place: int32 [N], receives the position of each agent seen.
    """
    found = np.uint64(0)
    for p in range(begin, end):
        agent = np.uint32(order[p])
        place[agent] = p
        active[found] = p  # overwritten by the next one unless it counts: no branch that nobody can predict
        found += np.uint64(state[agent] == INFECTED)
    return np.int64(found)


@kernel
def insert(active, found, position):  # type: ignore[no-untyped-def]
    """Insert a position into the ascending list of ``found`` positions; return the new length."""
    i = found
    while i > 0 and active[i - 1] > position:
        active[i] = active[i - 1]
        i -= 1
    active[i] = position
    return found + 1


@kernel
def run_in_order(state, infections, start, target, order, place, chance, recover, after, key, first, steps):  # type: ignore[no-untyped-def]
    """Run random-sequential steps.

    Contacts are numbered within a step in the order in which they happen, over all neighbours of
    acting agents; contact number m uses word m of the stream CONTACT.  Positions are handled in
    blocks: the infected of a block are listed first and newly infected agents of the same block are
    inserted, which is the same as asking every agent at its turn.  Indices are unsigned (no check for
    negative ones) and chances are looked up by state: a branch on either would be mispredicted.

    Args:
        state: int8 [N], updated in place.
        infections: int32 [N] number of infections so far, updated in place.
        start: uint32 [N + 1] first edge of each agent.
        target: uint32 [L] neighbours.
        order: int32 [N] scratch space.
        place: int32 [N] scratch space.
        chance: uint64 [3] threshold of an infection by the state of the agent met.
        recover: uint64 threshold of a recovery.
        after: int8 state after recovery, ``SUSCEPTIBLE`` or ``RECOVERED``.
        key: uint64 key.
        first: Number of the first step, from 1.
        steps: How many steps.
    """
    n = state.shape[0]
    buffer, contacts = np.empty(BUFFER, np.uint32), np.empty(BUFFER, np.uint32)
    active = np.empty(BUFFER + 1, np.int32)
    for step in range(first, first + steps):
        shuffle(order, buffer, key, step, ORDER)
        met, used = np.int64(0), np.uint64(BUFFER)  # words drawn so far, words used of the buffer
        for begin in range(0, n, BUFFER):
            end = min(n, begin + BUFFER)
            fill(buffer, key, step, CHANGE, begin)
            found = list_infected(state, order, begin, end, active, place)
            i = 0
            while i < found:
                position = active[i]
                agent = np.uint32(order[position])
                i += 1
                for e in range(start[agent], start[agent + np.uint32(1)]):
                    if used == np.uint64(BUFFER):
                        fill(contacts, key, step, CONTACT, met)
                        met += BUFFER
                        used = np.uint64(0)
                    other = target[e]
                    if contacts[used] < chance[state[other]]:
                        state[other] = INFECTED
                        infections[other] += 1
                        turn = place[other]
                        if position < turn < end and np.uint32(order[turn]) == other:
                            found = insert(active, found, turn)
                    used += np.uint64(1)
                state[agent] = after if buffer[position - begin] < recover else np.int8(INFECTED)


@kernel
def run_at_once(state, infections, start, target, fresh, escape, recover, after, key, first, steps):  # type: ignore[no-untyped-def]
    """Run simultaneous steps: everybody looks at the states of the step's start.

    Args:
        state: int8 [N], updated in place.
        infections: int32 [N], updated in place.
        start: uint32 [N + 1].
        target: uint32 [L].
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
