"""Compiled steps of the wealth exchange worlds; the models are stated in ``wealth``.

Axes: N agents, C cells, S slots per cell.  Stream numbers within a step are the constants below.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.population.draws import BUFFER, fill, shuffle
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded

SEQUENTIAL, SIMULTANEOUS, SCAN = 0, 1, 2
ORDER, PARTNER, MOVE = 0, 1, 2


@kernel
def exchange_in_order(wealth, order, buffer, key, step):  # type: ignore[no-untyped-def]
    """Let the agents act one after the other in ``order``; int32 ``wealth`` [N] changes in place."""
    n = wealth.shape[0]
    size = buffer.shape[0]
    for first in range(0, n, size):
        fill(buffer, key, step, PARTNER, first)
        for p in range(first, min(n, first + size)):
            giver = np.int64(order[p])
            taker = bounded(buffer[p - first], n - 1)
            taker += taker >= giver  # the partner is anybody but the giver
            gift = np.int32(wealth[giver] > 0)  # arithmetic instead of a branch that nobody can predict
            wealth[giver] -= gift
            wealth[taker] += gift


@kernel
def scan_order(order, buffer, key, step):  # type: ignore[no-untyped-def]
    """Write N independent uniform draws of agents; int32 ``order`` [N] is overwritten."""
    n = order.shape[0]
    for first in range(0, n, buffer.shape[0]):
        fill(buffer, key, step, ORDER, first)
        for p in range(first, min(n, first + buffer.shape[0])):
            order[p] = bounded(buffer[p - first], n)


@kernel
def exchange_at_once(wealth, change, buffer, key, step):  # type: ignore[no-untyped-def]
    """Let all agents act on the wealth at the start of the step; ``change`` int32 [N] is scratch space."""
    n = wealth.shape[0]
    size = buffer.shape[0]
    change[:] = 0
    for first in range(0, n, size):
        fill(buffer, key, step, PARTNER, first)
        for giver in range(first, min(n, first + size)):
            taker = bounded(buffer[giver - first], n - 1)
            taker += taker >= giver
            gift = np.int32(wealth[giver] > 0)
            change[giver] -= gift
            change[taker] += gift
    for agent in range(n):
        wealth[agent] += change[agent]


@kernel
def run_exchange(wealth, scratch, key, first, steps, activation):  # type: ignore[no-untyped-def]
    """Run steps of the well-mixed world.

    Args:
        wealth: int32 [N], updated in place.
        scratch: int32 [N], overwritten.
        key: uint64 key.
        first: Number of the first step, from 1.
        steps: How many steps.
        activation: ``SEQUENTIAL``, ``SIMULTANEOUS`` or ``SCAN``.
    """
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        if activation == SIMULTANEOUS:
            exchange_at_once(wealth, scratch, buffer, key, step)
            continue
        if activation == SEQUENTIAL:
            shuffle(scratch, buffer, key, step, ORDER)
        else:
            scan_order(scratch, buffer, key, step)
        exchange_in_order(wealth, scratch, buffer, key, step)


@kernel
def neighbour(cell, word, width, height):  # type: ignore[no-untyped-def]
    """Return the Moore neighbour of a torus cell that a 32-bit word chooses, each with probability 1/8.

    Directions 0..7 (the top three bits of the word) go row by row, the centre left out.  All numbers
    are unsigned, so that indices made of them are not checked for being negative.
    """
    one, three = np.uint64(1), np.uint64(3)
    direction = np.uint64(word) >> np.uint64(29)
    direction += np.uint64(direction >= np.uint64(4))
    row = cell // width
    column = cell - row * width
    # Rows and columns are shifted by one while they are moved, so that they never pass below zero.
    down = direction // three
    row += down
    column += direction - three * down
    row = height - one if row == np.uint64(0) else (np.uint64(0) if row > height else row - one)
    column = width - one if column == np.uint64(0) else (np.uint64(0) if column > width else column - one)
    return row * width + column


@kernel
def build_cells(cell, slot, count, members):  # type: ignore[no-untyped-def]
    """Fill the occupant lists from each agent's cell and slot.

    Args:
        cell: int32 [N] cell of each agent.
        slot: int32 [N] place of each agent in its cell's list.
        count: int32 [C], overwritten with the number of occupants.
        members: int32 [C, S], S at least the largest count; overwritten where occupied.
    """
    count[:] = 0
    for agent in range(cell.shape[0]):
        count[cell[agent]] += 1
        members[cell[agent], slot[agent]] = agent


@kernel
def move_agent(agent, source, target, cell, slot, count, members):  # type: ignore[no-untyped-def]
    """Move one agent to the end of the target's list; the last one of the old list takes its slot.

    Returns:
        The number of agents that were in the target cell before.
    """
    left = np.uint64(count[source]) - np.uint64(1)
    last = np.uint64(members[source, left])
    place = np.uint64(slot[agent])
    members[source, place] = last
    slot[last] = place
    count[source] = left
    here = np.uint64(count[target])
    cell[agent], slot[agent] = target, here
    members[target, here] = agent
    count[target] = here + np.uint64(1)
    return here


@kernel
def widened(members):  # type: ignore[no-untyped-def]
    """Return a copy of the occupant table with a quarter more slots per cell, at least one."""
    slots = members.shape[1]
    wide = np.empty((members.shape[0], slots + 1 + slots // 4), np.int32)
    wide[:, :slots] = members
    return wide


@kernel
def run_grid_in_order(wealth, cell, slot, count, members, order, width, key, first, steps):  # type: ignore[no-untyped-def]
    """Run random-sequential steps of the grid world; return the occupant table, which may have grown.

    Args:
        wealth: int32 [N], updated in place.
        cell: int32 [N] cell of each agent, updated in place.
        slot: int32 [N] place in the cell's list, updated in place.
        count: int32 [C] occupants per cell, updated in place.
        members: int32 [C, S] occupant table.
        order: int32 [N] scratch space.
        width: Cells per row; C is a multiple of it.
        key: uint64 key.
        first: Number of the first step, from 1.
        steps: How many steps.
    """
    n = wealth.shape[0]
    columns, rows = np.uint64(width), np.uint64(count.shape[0] // width)
    buffer, gifts = np.empty(BUFFER, np.uint32), np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        shuffle(order, buffer, key, step, ORDER)
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, MOVE, begin)
            fill(gifts, key, step, PARTNER, begin)
            for p in range(begin, min(n, begin + BUFFER)):
                agent = np.uint64(order[p])
                source = np.uint64(cell[agent])
                target = neighbour(source, buffer[p - begin], columns, rows)
                if count[target] == members.shape[1]:
                    members = widened(members)
                others = move_agent(agent, source, target, cell, slot, count, members)
                if others > np.uint64(0) and wealth[agent] > 0:  # the agent itself stands behind the others
                    wealth[agent] -= 1
                    wealth[np.uint64(members[target, np.uint64(bounded(gifts[p - begin], others))])] += 1
    return members


@kernel
def sort_by_cell(cell, start, sorted_agents, slot):  # type: ignore[no-untyped-def]
    """Sort agents by cell, and within a cell by number, by counting.

    Args:
        cell: int32 [N].
        start: int32 [C + 1], overwritten: occupants of c are ``sorted_agents[start[c]:start[c + 1]]``.
        sorted_agents: int32 [N], overwritten.
        slot: int32 [N], overwritten with each agent's place in its cell's list.
    """
    start[:] = 0
    for agent in range(cell.shape[0]):
        slot[agent] = start[cell[agent] + 1]
        start[cell[agent] + 1] += 1
    for c in range(1, start.shape[0]):
        start[c] += start[c - 1]
    for agent in range(cell.shape[0]):
        sorted_agents[start[cell[agent]] + slot[agent]] = agent


@kernel
def run_grid_at_once(wealth, cell, slot, start, members, change, width, key, first, steps):  # type: ignore[no-untyped-def]
    """Run simultaneous steps of the grid world: all move, then all give on the wealth of the step's start.

    Args:
        wealth: int32 [N], updated in place.
        cell: int32 [N], updated in place.
        slot: int32 [N], overwritten.
        start: int32 [C + 1] scratch space.
        members: int32 [N] scratch space.
        change: int32 [N] scratch space.
        width: Cells per row; C is a multiple of it.
        key: uint64 key.
        first: Number of the first step, from 1.
        steps: How many steps.
    """
    n = wealth.shape[0]
    columns, rows = np.uint64(width), np.uint64((start.shape[0] - 1) // width)
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, MOVE, begin)
            for agent in range(begin, min(n, begin + BUFFER)):
                cell[agent] = neighbour(np.uint64(cell[agent]), buffer[agent - begin], columns, rows)
        sort_by_cell(cell, start, members, slot)
        change[:] = 0
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, PARTNER, begin)
            for agent in range(begin, min(n, begin + BUFFER)):
                head = np.int64(start[cell[agent]])
                others = np.int64(start[cell[agent] + 1]) - head - 1
                if others > 0 and wealth[agent] > 0:
                    place = bounded(buffer[agent - begin], others)
                    place += place >= slot[agent]
                    change[agent] -= 1
                    change[members[head + place]] += 1
        for agent in range(n):
            wealth[agent] += change[agent]
