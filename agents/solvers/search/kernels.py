"""Compiled beliefs and rollouts over history-level arrays.

Axes: n players, H histories, S action slots, I infosets.  Draws are counter-based: (key, round, infoset, count).
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

NO_HISTORY = np.uint32(2**32 - 1)


@kernel
def others_reach(parent, edge, chance, player, infoset, pol, full, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` [H]: reach of chance and of everybody but the player to move; parents come first.

    ``full`` [n+1, H] is work space: reach of each player's own moves, chance in the last row.
    """
    players = full.shape[0] - 1
    for h in range(np.uint32(parent.shape[0])):
        above = parent[h]
        for p in range(players):
            full[p, h] = full[p, above] if above != NO_HISTORY else 1.0
        full[players, h] = chance[h]
        if edge[h] >= 0:
            full[player[above], h] *= pol[edge[h]]
        reach = full[players, h]
        for p in range(players):
            if p != player[h]:
                reach *= full[p, h]
        out[h] = reach


@kernel
def rollout(h, child, sibling, chance, player, edge, pol, key, turn, lane, count):  # type: ignore[no-untyped-def]
    """Follow ``pol`` and chance from history ``h``; return (terminal history, draws used so far)."""
    while player[h] != -4:
        draw, below, c = uniform(key, turn, lane, count), 0.0, child[h]
        count += 1
        taken = c
        while c != NO_HISTORY:
            p = chance[c] / chance[h] if player[h] < 0 else pol[edge[c]]
            if p > 0.0:
                taken = c
                below += p
                if draw < below:
                    break
            c = sibling[c]
        h = taken
    return h, count


@kernel
def sample_histories(members, weights, total, draw, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with histories of ``members``, each drawn with probability weight / total.

    Systematic sampling: the points (draw + n) / N cut the cumulated weights, so every history comes up within one of
    its expected number of times; much less noise than independent draws, and still unbiased.
    """
    count, m, below = out.shape[0], 0, 0.0
    taken = members[0]
    for n in range(count):
        point = (draw + n) / count * total
        while below <= point and m < members.shape[0]:
            if weights[members[m]] > 0.0:
                taken = members[m]
                below += weights[taken]
            m += 1
        out[n] = taken


@kernel
def values_from_particles(  # type: ignore[no-untyped-def]
    particles, rollouts, mover, child, sibling, chance, player, edge, utility, pol, key, turn, lane, count, q, first,
):  # fmt: skip
    """Fill the action values ``q[first:]`` of one infoset from given histories; return the draws used so far."""
    k, c = 0, child[particles[0]]
    while c != NO_HISTORY:
        q[first + k] = 0.0
        c = sibling[c]
        k += 1
    for h in particles:
        k, c = 0, child[h]
        while c != NO_HISTORY:
            for _ in range(rollouts):
                end, count = rollout(c, child, sibling, chance, player, edge, pol, key, turn, lane, count)
                q[first + k] += utility[mover, end] / (rollouts * particles.shape[0])
            c = sibling[c]
            k += 1
    return count


@kernel
def sampled_values(  # type: ignore[no-untyped-def]
    first, owner, start, members, weights, rollouts, child, sibling, chance, player, edge, utility, pol,
    key, turn, drawn, q, empty,
):  # fmt: skip
    """Fill ``q`` [S] at every infoset from particles of the exact belief; ``empty`` [I] marks impossible infosets.

    ``members[start[i]:start[i+1]]`` are the histories of infoset i, ``weights`` [H] their unnormalised belief and
    ``drawn`` holds the particles of one infoset.
    """
    for i in range(first.shape[0]):
        own = members[start[i] : start[i + 1]]
        total = 0.0
        for h in own:
            total += weights[h]
        empty[i] = total <= 0.0
        if empty[i]:
            continue
        sample_histories(own, weights, total, uniform(key, turn, i, 0), drawn)
        values_from_particles(
            drawn, rollouts, owner[i], child, sibling, chance, player, edge, utility, pol,
            key, turn, i, 1, q, first[i],
        )  # fmt: skip
