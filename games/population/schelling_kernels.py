"""Compiled steps of the segregation world; the model is stated in ``schelling``.

Axes: N agents, C cells, E empty cells, G groups.  ``board`` [C] holds 0 for an empty cell and
group + 1 for an occupied one.  ``need`` [M + 1] is the number of like neighbours that makes an agent
with M occupied neighbours happy.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.population.draws import BUFFER, fill, shuffle
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded

SEQUENTIAL, SIMULTANEOUS = 0, 1
ORDER, TARGET, MOVERS = 0, 1, 2


@kernel(inline="always")
def wrapped(index, size):  # type: ignore[no-untyped-def]
    """Return ``index`` on a ring of ``size`` cells, for -size <= index < 2 * size."""
    if index < 0:
        return index + size
    if index >= size:
        return index - size
    return index


@kernel
def count_neighbours(board, cell, group, width, height, radius):  # type: ignore[no-untyped-def]
    """Return (like, occupied): neighbours of ``cell`` with board value ``group`` and with any agent."""
    row, column = cell // width, cell % width
    like, occupied = 0, 0
    inside = radius <= column < width - radius
    for dr in range(-radius, radius + 1):
        base = wrapped(row + dr, height) * width
        if inside:  # no wrapping inside a row: the common case, straight memory access
            for c in range(base + column - radius, base + column + radius + 1):
                value = board[c]
                like += value == group
                occupied += value != 0
        else:
            for dc in range(-radius, radius + 1):
                value = board[base + wrapped(column + dc, width)]
                like += value == group
                occupied += value != 0
    own = board[cell]  # the centre was counted above
    return like - (own == group), occupied - (own != 0)


@kernel
def is_unhappy(board, cell, group, need, width, height, radius):  # type: ignore[no-untyped-def]
    """Return whether an agent of ``group`` at ``cell`` has fewer like neighbours than it wants."""
    like, occupied = count_neighbours(board, cell, group, width, height, radius)
    return like < need[occupied]


@kernel
def run_in_order(board, cell, empty, need, order, width, radius, key, first, steps):  # type: ignore[no-untyped-def]
    """Run random-sequential steps.

    Args:
        board: int8 [C], updated in place.
        cell: int32 [N] cell of each agent, updated in place.
        empty: int32 [E] empty cells in the order left by past moves, updated in place.
        need: int64 [M + 1].
        order: int32 [N] scratch space.
        width: Cells per row; C is a multiple of it.
        radius: Radius of the neighbourhood.
        key: uint64 key.
        first: Number of the first step, from 1.
        steps: How many steps.
    """
    n = cell.shape[0]
    height = board.shape[0] // width
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        shuffle(order, buffer, key, step, ORDER)
        for begin in range(0, n, BUFFER):
            fill(buffer, key, step, TARGET, begin)
            for p in range(begin, min(n, begin + BUFFER)):
                agent = order[p]
                home = np.int64(cell[agent])
                group = board[home]
                if is_unhappy(board, home, group, need, width, height, radius):
                    place = bounded(buffer[p - begin], empty.shape[0])
                    target = empty[place]
                    board[home], board[target] = 0, group
                    cell[agent], empty[place] = target, home


@kernel
def partial_shuffle(items, count, buffer, key, step, stream):  # type: ignore[no-untyped-def]
    """Put a uniformly random ordered selection of ``count`` items into the first places of ``items``."""
    n = items.shape[0]
    for begin in range(0, count, BUFFER):
        fill(buffer, key, step, stream, begin)
        for p in range(begin, min(count, begin + BUFFER)):
            other = p + bounded(buffer[p - begin], n - p)
            held = items[p]
            items[p] = items[other]
            items[other] = held


@kernel
def run_at_once(board, cell, empty, need, movers, width, radius, key, first, steps):  # type: ignore[no-untyped-def]
    """Run simultaneous steps; arguments as in ``run_in_order``, ``movers`` int32 [N] is scratch space.

    All unhappiness is judged before anybody moves; the movers go to different empty cells of the
    old board, and when there are more movers than empty cells a random part of them goes.
    """
    n = cell.shape[0]
    height = board.shape[0] // width
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(first, first + steps):
        unhappy = 0
        for agent in range(n):
            home = np.int64(cell[agent])
            if is_unhappy(board, home, board[home], need, width, height, radius):
                movers[unhappy] = agent
                unhappy += 1
        moving = min(unhappy, empty.shape[0])
        partial_shuffle(movers[:unhappy], moving, buffer, key, step, MOVERS)
        partial_shuffle(empty, moving, buffer, key, step, TARGET)
        for m in range(moving):
            agent, target = movers[m], empty[m]
            home = cell[agent]
            board[target], board[home] = board[home], 0
            cell[agent], empty[m] = target, home


@kernel
def like_and_occupied(board, cell, width, radius, like, occupied):  # type: ignore[no-untyped-def]
    """Write each agent's like and occupied neighbours into int32 ``like`` [N] and ``occupied`` [N]."""
    height = board.shape[0] // width
    for agent in range(cell.shape[0]):
        home = np.int64(cell[agent])
        same, any_group = count_neighbours(board, home, board[home], width, height, radius)
        like[agent], occupied[agent] = same, any_group


@kernel
def good_places(board, empty, need, groups, width, radius):  # type: ignore[no-untyped-def]
    """Return int64 [G]: for each group the number of empty cells where one more of it would be happy."""
    height = board.shape[0] // width
    good = np.zeros(groups, np.int64)
    for e in range(empty.shape[0]):
        for group in range(groups):
            if not is_unhappy(board, np.int64(empty[e]), group + 1, need, width, height, radius):
                good[group] += 1
    return good


@kernel
def can_gain(board, home, need, good, width, height, radius):  # type: ignore[no-untyped-def]
    """Return whether the unhappy agent at ``home`` would be happy in some empty cell.

    Empty cells near home are judged with the agent taken away from home, all others are in ``good``.
    """
    group = board[home]
    elsewhere = good[group - 1]
    row, column = home // width, home % width
    found = False
    for dr in range(-radius, radius + 1):
        base = wrapped(row + dr, height) * width
        for dc in range(-radius, radius + 1):
            target = base + wrapped(column + dc, width)
            if board[target] == 0:
                like, occupied = count_neighbours(board, target, group, width, height, radius)
                elsewhere -= like >= need[occupied]
                found = found or like - 1 >= need[occupied - 1]
    return found or elsewhere > 0


@kernel
def count_gainers(board, cell, empty, need, groups, width, radius):  # type: ignore[no-untyped-def]
    """Return (unhappy agents, agents that a move to some empty cell would make happy)."""
    height = board.shape[0] // width
    good = good_places(board, empty, need, groups, width, radius)
    unhappy, gainers = 0, 0
    for agent in range(cell.shape[0]):
        home = np.int64(cell[agent])
        if is_unhappy(board, home, board[home], need, width, height, radius):
            unhappy += 1
            gainers += can_gain(board, home, need, good, width, height, radius)
    return unhappy, gainers
