"""Compiled matches of automata in two-action games.

An automaton in state s cooperates with probability p[s] and moves to next[s, own, other], where an
action is 0 for cooperation and 1 for defection.  Padded states are never reached.

Random bits are counted: the uniform numbers of (pair, repetition, turn) are words of one Philox
block, so scores do not depend on the order of pairs nor on how repetitions are split over calls.
Pairs without any randomness are played once, not once per repetition.
Cost: about 3 ns per turn without randomness, 15 ns with it.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import words
from equilibria.sim.types import FloatArray, IntArray

TWO32 = 4294967296.0


@kernel
def play_fixed(a: IntArray, b: IntArray, next_a: IntArray, next_b: IntArray, turns: int) -> IntArray:
    """Return [4] how often CC, CD, DC, DD (own action first) was played by two deterministic automata.

    Args:
        a: [S] action of each state of the first automaton.
        b: [S] the same of the second one.
        next_a: [S * 4] next state at index 4 s + 2 own + other.
        next_b: [S * 4] the same of the second one.
        turns: Turns T >= 0.
    """
    counts = np.zeros(4, np.int64)
    s, r = 0, 0
    for _ in range(turns):
        x, y = a[s], b[r]
        counts[2 * x + y] += 1
        s, r = next_a[4 * s + 2 * x + y], next_b[4 * r + 2 * y + x]
    return counts


@kernel
def play_random(
    a: FloatArray,
    b: FloatArray,
    next_a: IntArray,
    next_b: IntArray,
    turns: int,
    key: np.uint64,
    pair: int,
    repetition: int,
) -> IntArray:
    """Return [4] outcome counts of two automata with defection thresholds ``a``, ``b`` [S] in units of 2^-32."""
    counts = np.zeros(4, np.int64)
    s, r = 0, 0
    w0, w1, w2, w3 = words(key, 0, pair, repetition)
    for t in range(turns):
        if t % 2 == 0:
            w0, w1, w2, w3 = words(key, t // 2, pair, repetition)
            u, v = np.float64(w0), np.float64(w1)
        else:
            u, v = np.float64(w2), np.float64(w3)
        x = 0 if u < a[s] else 1
        y = 0 if v < b[r] else 1
        counts[2 * x + y] += 1
        s, r = next_a[4 * s + 2 * x + y], next_b[4 * r + 2 * y + x]
    return counts


@kernel
def round_robin(
    cooperate: FloatArray,
    transition: IntArray,
    payoff: FloatArray,
    turns: int,
    first: int,
    repetitions: int,
    key: np.uint64,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Play every pair (and every automaton against itself) ``repetitions`` times.

    Args:
        cooperate: [n, S] probability of cooperation (noise included).
        transition: [n, S, 2, 2] next states.
        payoff: [2, 2] payoff of the own action against the other's.
        turns: Turns per match.
        first: Number of the first repetition.
        repetitions: How many.
        key: 64-bit key of the tournament.

    Returns:
        Sums over repetitions of scores [n, n], of squared scores [n, n] and of the own cooperation
        rate [n, n].
    """
    n, states = cooperate.shape
    total, square, cooperation = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    fixed = np.zeros(n, np.bool_)
    action = np.zeros((n, states), np.int64)
    table = np.zeros((n, states * 4), np.int64)
    for i in range(n):
        fixed[i] = True
        for s in range(states):
            fixed[i] = fixed[i] and (cooperate[i, s] == 0.0 or cooperate[i, s] == 1.0)
            action[i, s] = 0 if cooperate[i, s] > 0.5 else 1
            for x in range(2):
                for y in range(2):
                    table[i, 4 * s + 2 * x + y] = transition[i, s, x, y]
    for i in range(n):
        for j in range(i, n):
            sure = fixed[i] and fixed[j]
            for m in range(first, first + (1 if sure else repetitions)):
                if sure:
                    c = play_fixed(action[i], action[j], table[i], table[j], turns)
                else:
                    c = play_random(
                        cooperate[i] * TWO32, cooperate[j] * TWO32, table[i], table[j], turns, key, i * n + j, m
                    )
                weight = repetitions if sure else 1
                own = c[0] * payoff[0, 0] + c[1] * payoff[0, 1] + c[2] * payoff[1, 0] + c[3] * payoff[1, 1]
                other = c[0] * payoff[0, 0] + c[1] * payoff[1, 0] + c[2] * payoff[0, 1] + c[3] * payoff[1, 1]
                total[i, j] += weight * own
                square[i, j] += weight * own * own
                cooperation[i, j] += weight * (c[0] + c[1]) / turns
                if i != j:
                    total[j, i] += weight * other
                    square[j, i] += weight * other * other
                    cooperation[j, i] += weight * (c[0] + c[2]) / turns
    return total, square, cooperation


@kernel
def expected_scores(cooperate: FloatArray, transition: IntArray, payoff: FloatArray, turns: int) -> FloatArray:
    """Return [n, n] expected scores over ``turns`` turns by following the joint state distribution.

    Cost: O(n^2 turns S^2) with S^2 joint states, four outcomes each.
    """
    n, states = cooperate.shape
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            mass = np.zeros((states, states))
            mass[0, 0] = 1.0
            score = 0.0
            for _ in range(turns):
                following = np.zeros((states, states))
                for s in range(states):
                    for r in range(states):
                        m = mass[s, r]
                        if m == 0.0:
                            continue
                        for x in range(2):
                            for y in range(2):
                                p = cooperate[i, s] if x == 0 else 1.0 - cooperate[i, s]
                                q = cooperate[j, r] if y == 0 else 1.0 - cooperate[j, r]
                                w = m * p * q
                                if w > 0.0:
                                    score += w * payoff[x, y]
                                    following[transition[i, s, x, y], transition[j, r, y, x]] += w
                mass = following
            out[i, j] = score
    return out
