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
def neighbour(cell, direction, width, height):  # type: ignore[no-untyped-def]
    """Return the Moore neighbour of a torus cell; directions 0..7 go row by row, the centre left out."""
    d = direction + np.int64(direction >= 4)
    row = cell // width + d // 3 - 1
    column = cell % width + d % 3 - 1
    if row < 0:
        row += height
    elif row >= height:
        row -= height
    if column < 0:
        column += width
    elif column >= width:
        column -= width
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
def move_agent(agent, target, cell, slot, count, members):  # type: ignore[no-untyped-def]
    """Move one agent to the end of the target's list; the last one of the old list takes its slot."""
    source, place = cell[agent], slot[agent]
    count[source] -= 1
    last = members[source, count[source]]
    members[source, place] = last
    slot[last] = place
    cell[agent], slot[agent] = target, count[target]
    members[target, count[target]] = agent
    count[target] += 1


@kernel
def widened(members):  # type: ignore[no-untyped-def]
    """Return a copy of the occupant table with twice the slots per cell."""
    wide = np.empty((members.shape[0], 2 * members.shape[1]), np.int32)
    wide[:, : members.shape[1]] = members
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
    height = count.shape[0] // width
    buffer, gifts = np.empty(BUFFER, np.uint32), np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        shuffle(order, buffer, key, step, ORDER)
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, MOVE, begin)
            fill(gifts, key, step, PARTNER, begin)
            for p in range(begin, min(n, begin + BUFFER)):
                agent = order[p]
                target = neighbour(np.int64(cell[agent]), bounded(buffer[p - begin], 8), width, height)
                if count[target] == members.shape[1]:
                    members = widened(members)
                move_agent(agent, target, cell, slot, count, members)
                others = count[target] - 1  # the agent itself stands in the last slot
                if others > 0 and wealth[agent] > 0:
                    wealth[agent] -= 1
                    wealth[members[target, bounded(gifts[p - begin], others)]] += 1
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
    height = (start.shape[0] - 1) // width
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, MOVE, begin)
            for agent in range(begin, min(n, begin + BUFFER)):
                cell[agent] = neighbour(np.int64(cell[agent]), bounded(buffer[agent - begin], 8), width, height)
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
