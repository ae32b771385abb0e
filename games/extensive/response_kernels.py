"""Compiled episodes of one player against fixed opponents; see ``response``.

Axes: I own infosets (numbered from 0), S own sequences (0 is the empty one), E branches, B lanes
(episodes in progress), T steps.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

NONE = -1
"""Instead of an infoset: the episode is over."""


@kernel
def branch_masses(rowptr, col, cval, x, parent, first, lo, ilo, ihi, entry, mass):  # type: ignore[no-untyped-def]
    """Write the chance-and-opponent reach of every own terminal entry and sequence.

    Args:
        rowptr: As in GameArrays, likewise col, cval, parent and first.
        col: See above.
        cval: See above.
        x: float64 [all sequences] plans of the opponents.
        parent: See above.
        first: See above.
        lo: First own sequence.
        ilo: First own infoset.
        ihi: One past the last.
        entry: float64 [terminal entries] output.
        mass: float64 [S] output: the reach of a sequence, the sum of what can follow it.
    """
    base = np.int64(rowptr[lo])
    for s in range(mass.shape[0]):
        total = 0.0
        for k in range(np.int64(rowptr[lo + s]), np.int64(rowptr[lo + s + 1])):
            p = cval[k]
            for j in range(col.shape[0]):
                p *= x[col[j, k]]
            entry[k - base] = p
            total += p
        mass[s] = total
    for i in range(ihi - 1, ilo - 1, -1):  # children have larger numbers, so their masses are complete
        mass[np.int64(parent[i]) - lo] += mass[np.int64(first[i]) - lo]


@kernel
def branch_table(  # type: ignore[no-untyped-def]
    rowptr, val, cval, parent, first, lo, ilo, ihi, entry, mass, pointer, cumulative, follow, payoff
):
    """Write what can follow each own sequence: terminals first, then infosets.

    Args:
        rowptr: As above, likewise val, cval, parent, first, lo, ilo, ihi, entry and mass.
        val: See above.
        cval: See above.
        parent: See above.
        first: See above.
        lo: See above.
        ilo: See above.
        ihi: See above.
        entry: See above.
        mass: See above.
        pointer: int64 [S + 1] output: sequence s owns branches pointer[s] .. pointer[s + 1] - 1.
        cumulative: float64 [E] output: running sums of the branches' masses within a sequence.
        follow: int64 [E] output: the infoset that follows, or NONE after a terminal.
        payoff: float64 [E] output: the terminal's utility.
    """
    count = mass.shape[0]
    base = np.int64(rowptr[lo])
    size = np.zeros(count, np.int64)
    for s in range(count):
        size[s] = np.int64(rowptr[lo + s + 1]) - np.int64(rowptr[lo + s])
    for i in range(ilo, ihi):
        size[np.int64(parent[i]) - lo] += 1
    pointer[0] = 0
    for s in range(count):
        pointer[s + 1] = pointer[s] + size[s]
    filled = pointer[:-1].copy()
    running = np.zeros(count)
    for s in range(count):
        for k in range(np.int64(rowptr[lo + s]), np.int64(rowptr[lo + s + 1])):
            e = filled[s]
            running[s] += entry[k - base]
            cumulative[e], follow[e] = running[s], NONE
            payoff[e] = val[k] / cval[k] if cval[k] > 0.0 else 0.0
            filled[s] += 1
    for i in range(ilo, ihi):
        s = np.int64(parent[i]) - lo
        e = filled[s]
        running[s] += mass[np.int64(first[i]) - lo]
        cumulative[e], follow[e], payoff[e] = running[s], i - ilo, 0.0
        filled[s] += 1


@kernel(inline="always")
def draw_branch(u, low, high, cumulative):  # type: ignore[no-untyped-def]
    """Return the branch that a uniform number u in [0, 1) falls on; branches without mass are never drawn."""
    goal = u * cumulative[high - 1]
    last = high - 1
    while low < last:
        middle = (low + last) // 2
        if cumulative[middle] > goal:
            last = middle
        else:
            low = middle + 1
    return low


@kernel
def begin(key, clock, roots, root_cumulative, infoset):  # type: ignore[no-untyped-def]
    """Draw the first own infoset of every lane."""
    for b in range(infoset.shape[0]):
        infoset[b] = roots[draw_branch(uniform(key, clock, b, 2), 0, roots.shape[0], root_cumulative)]


@kernel
def play(  # type: ignore[no-untyped-def]
    key, clock, pointer, cumulative, follow, payoff, roots, root_cumulative, first, nact, probability, infoset,
    seen, taken, reward, ended
):  # fmt: skip
    """Play T steps in B lanes under a behavioural strategy; lanes whose episode ends begin the next one.

    Args:
        key: Key of the random numbers.
        clock: Steps since the first call; step t draws with counter clock + t + 1.
        pointer: As in ``branch_table``, likewise cumulative, follow and payoff.
        cumulative: See above.
        follow: See above.
        payoff: See above.
        roots: int64 [R] infosets in which the player can decide first.
        root_cumulative: float64 [R] running sums of their masses.
        first: int64 [I] own sequence of the first action.
        nact: int64 [I].
        probability: float64 [S] strategy.
        infoset: int64 [B] where the lanes stand; updated.
        seen: int64 [T, B] output.
        taken: int64 [T, B] output: action indices.
        reward: float64 [T, B] output.
        ended: bool [T, B] output.
    """
    steps, lanes = seen.shape
    for t in range(steps):
        now = clock + t + 1
        for b in range(lanes):
            i = infoset[b]
            u = uniform(key, now, b, 0)
            a, total = 0, probability[first[i]]
            while u >= total and a < nact[i] - 1:
                a += 1
                total += probability[first[i] + a]
            s = first[i] + a
            e = draw_branch(uniform(key, now, b, 1), pointer[s], pointer[s + 1], cumulative)
            seen[t, b], taken[t, b], reward[t, b] = i, a, payoff[e]
            ended[t, b] = follow[e] == NONE
            if ended[t, b]:
                infoset[b] = roots[draw_branch(uniform(key, now, b, 2), 0, roots.shape[0], root_cumulative)]
            else:
                infoset[b] = follow[e]
