"""Compiled action values on merged sequence-form arrays.

Axes: n players, S sequences, I infosets, M merged terminals (see ``arrays``).

The action value q(I,a) is the owner's expected payoff after action a, given that infoset I is reached: the
counterfactual value divided by the probability mass with which chance and the others lead to I.

Cost: one pass over the n*M payoff entries, about 1 ns each, and about 5 ns per sequence.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel

STANDARD, MAXENT, MINIMAXENT = 0, 1, 2


@kernel
def payoff_and_mass(players, rowptr, col, val, cval, x, low, high, g, c):  # type: ignore[no-untyped-def]
    """Fill ``g`` and ``c`` [S] for rows low..high-1: sums over terminals of payoff (of chance) times the others' reach."""
    for s in range(low, high):
        begin, end = rowptr[s], rowptr[s + np.uint32(1)]
        payoff, mass = 0.0, 0.0
        if players == 1:
            for k in range(begin, end):
                payoff += val[k]
                mass += cval[k]
        elif players == 2:
            for k in range(begin, end):
                w = x[col[np.uint32(0), k]]
                payoff += val[k] * w
                mass += cval[k] * w
        else:
            for k in range(begin, end):
                w = x[col[np.uint32(0), k]]
                for j in range(np.uint32(1), np.uint32(players - 1)):
                    w *= x[col[j, k]]
                payoff += val[k] * w
                mass += cval[k] * w
        g[s] = payoff
        c[s] = mass


@kernel
def add_opponent_entropy(rowptr, col, cval, x, low, high, alpha, g):  # type: ignore[no-untyped-def]
    """Add alpha * sum of cval * x * log x to ``g``: minus the opponent's entropy bonus on each path (two players)."""
    for s in range(low, high):
        total = 0.0
        for k in range(rowptr[s], rowptr[s + np.uint32(1)]):
            w = x[col[np.uint32(0), k]]
            if w > 0.0:
                total += cval[k] * w * math.log(w)
        g[s] += alpha * total


@kernel
def reaches(seq_off, players, parent, first, nact, pol, x):  # type: ignore[no-untyped-def]
    """Fill the own reach ``x`` [S] of every sequence from the behavioural policy ``pol`` [S]."""
    for p in range(players):
        x[seq_off[p]] = 1.0
    for i in range(np.uint32(parent.shape[0])):
        reach, f = x[parent[i]], first[i]
        for s in range(f, f + nact[i]):
            x[s] = reach * pol[s]


@kernel
def infoset_entropy(logpol, pol, low, high):  # type: ignore[no-untyped-def]
    """Return the Shannon entropy (nats) of one infoset's distribution."""
    h = 0.0
    for s in range(low, high):
        if pol[s] > 0.0:
            h -= pol[s] * logpol[s]
    return h


@kernel
def action_values(  # type: ignore[no-untyped-def]
    player,
    players,
    seq_off,
    iset_off,
    parent,
    first,
    nact,
    rowptr,
    col,
    val,
    cval,
    x,
    pol,
    logpol,
    alpha,
    objective,
    g,
    c,
):
    """Turn ``g`` [S] of one player into action values q(I,a); infosets without mass of the others get 0.

    ``c`` [S] is left holding the mass of the others' and chance's reach at each infoset.
    """
    low, high = seq_off[player], seq_off[player + 1]
    payoff_and_mass(players, rowptr, col, val, cval, x, low, high, g, c)
    if objective == 2:
        add_opponent_entropy(rowptr, col, cval, x, low, high, alpha, g)
    for back in range(iset_off[player + 1] - iset_off[player]):
        i = np.uint32(iset_off[player + 1] - np.uint32(1) - np.uint32(back))
        a, b = first[i], first[i] + nact[i]
        value, mass = 0.0, 0.0
        for s in range(a, b):
            value += pol[s] * g[s]
            mass += pol[s] * c[s]
        if objective != 0:
            value += alpha * mass * infoset_entropy(logpol, pol, a, b)
        g[parent[i]] += value
        c[parent[i]] += mass
        for s in range(a, b):
            g[s] = g[s] / mass if mass > 0.0 else 0.0
            c[s] = mass
