"""Compiled exact policy gradient and best responses of Bayesian-network policies.

Axes: S states, A joint actions, n agents, M policy entries, T = S, or 1 for transitions that do not depend
on the state.  ``slot``, ``offset``, ``width``, ``acts`` are those of ``Layout``.

Systems (I - gamma P) x = b are solved by elimination without pivoting: the matrix is strictly diagonally
dominant by rows, so it is stable, and one factorisation serves values and visits.  Cost per iteration:
S A (S + n) + S^3 multiply-adds.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel

_SWITCH = 1e-12
_ROUNDS = 10_000


@kernel
def softmax(theta, pi, offset, width, acts, states):  # type: ignore[no-untyped-def]
    """Write the probabilities of all conditional tables."""
    for i in range(len(acts)):
        count = acts[i]
        for first in range(offset[i], offset[i] + states * width[i], count):
            top = theta[first]
            for x in range(1, count):
                top = max(top, theta[first + x])
            total = 0.0
            for x in range(count):
                pi[first + x] = math.exp(theta[first + x] - top)
                total += pi[first + x]
            for x in range(count):
                pi[first + x] /= total


@kernel
def product(pi, joint, slot, offset, width, skip):  # type: ignore[no-untyped-def]
    """Write joint [S, A]: the product of all agents' conditionals but that of agent ``skip`` (-1 for none)."""
    for s in range(joint.shape[0]):
        for a in range(joint.shape[1]):
            weight = 1.0
            for i in range(len(width)):
                if i != skip:
                    weight *= pi[offset[i] + s * width[i] + slot[i, a]]
            joint[s, a] = weight


@kernel
def factor(joint, rewards, transition, gamma, matrix, paid):  # type: ignore[no-untyped-def]
    """Write the L and U factors [S, S] of I - gamma P_pi and the expected rewards [S]."""
    states, actions = joint.shape
    for s in range(states):
        t = s if transition.shape[0] > 1 else 0
        paid[s] = 0.0
        for k in range(states):
            matrix[s, k] = 0.0
        for a in range(actions):
            paid[s] += joint[s, a] * rewards[s, a]
            weight = -gamma * joint[s, a]
            if weight != 0.0:
                for k in range(states):
                    matrix[s, k] += weight * transition[t, a, k]
        matrix[s, s] += 1.0
    for p in range(states):
        for r in range(p + 1, states):
            ratio = matrix[r, p] / matrix[p, p]
            matrix[r, p] = ratio
            for k in range(p + 1, states):
                matrix[r, k] -= ratio * matrix[p, k]


@kernel
def solve(matrix, right, out):  # type: ignore[no-untyped-def]
    """Solve L U out = right."""
    n = len(right)
    for r in range(n):
        total = right[r]
        for k in range(r):
            total -= matrix[r, k] * out[k]
        out[r] = total
    for r in range(n - 1, -1, -1):
        total = out[r]
        for k in range(r + 1, n):
            total -= matrix[r, k] * out[k]
        out[r] = total / matrix[r, r]


@kernel
def solve_transposed(matrix, right, out):  # type: ignore[no-untyped-def]
    """Solve (L U)^T out = right."""
    n = len(right)
    for r in range(n):
        out[r] = right[r]
    for r in range(n):
        out[r] /= matrix[r, r]
        for k in range(r + 1, n):
            out[k] -= matrix[r, k] * out[r]
    for r in range(n - 1, -1, -1):
        for k in range(r):
            out[k] -= matrix[r, k] * out[r]


@kernel
def action_values(rewards, transition, gamma, value, q):  # type: ignore[no-untyped-def]
    """Write q [S, A] = reward + gamma * expected value of the next state."""
    states, actions = rewards.shape
    rows = transition.shape[0]
    for s in range(rows):
        for a in range(actions):
            follow = 0.0
            for k in range(states):
                follow += transition[s, a, k] * value[k]
            q[s, a] = gamma * follow
    for s in range(states - 1, -1, -1):  # row 0 last: it is what the others copy when rows == 1
        t = s if rows > 1 else 0
        for a in range(actions):
            q[s, a] = rewards[s, a] + q[t, a]


@kernel
def gradient(  # type: ignore[no-untyped-def]
    theta, out, pi, slot, offset, width, acts, rewards, transition, gamma, start
):
    """Write the gradient [M] of J by theta and the probabilities [M]; return J."""
    states, actions = rewards.shape
    joint, q = np.empty((states, actions)), np.empty((states, actions))
    matrix, paid = np.empty((states, states)), np.empty(states)
    value, visits = np.empty(states), np.empty(states)
    softmax(theta, pi, offset, width, acts, states)
    product(pi, joint, slot, offset, width, -1)
    factor(joint, rewards, transition, gamma, matrix, paid)
    solve(matrix, paid, value)
    solve_transposed(matrix, start, visits)
    action_values(rewards, transition, gamma, value, q)
    out[:] = 0.0
    for s in range(states):
        for a in range(actions):
            weight = visits[s] * joint[s, a] * q[s, a]
            for i in range(len(acts)):
                out[offset[i] + s * width[i] + slot[i, a]] += weight
    for i in range(len(acts)):
        count = acts[i]
        for first in range(offset[i], offset[i] + states * width[i], count):
            total = 0.0
            for x in range(count):
                total += out[first + x]
            for x in range(count):
                out[first + x] -= pi[first + x] * total
    result = 0.0
    for s in range(states):
        result += start[s] * value[s]
    return result


@kernel
def add_barrier(pi, out, barrier, offset, width, acts, states):  # type: ignore[no-untyped-def]
    """Add to out [M] the slope of -barrier * sum_i mean_{s, p} KL(uniform || pi_i(. | s, p))."""
    for i in range(len(acts)):
        count = acts[i]
        share = barrier * count / (states * width[i])
        for m in range(offset[i], offset[i] + states * width[i]):
            out[m] += share * (1.0 / count - pi[m])


@kernel
def ascend(  # type: ignore[no-untyped-def]
    theta, steps, rate, barrier, slot, offset, width, acts, rewards, transition, gamma, start
):
    """Do ``steps`` simultaneous gradient steps on every row of theta [K, M]."""
    slope, pi = np.empty(theta.shape[1]), np.empty(theta.shape[1])
    for k in range(theta.shape[0]):
        for _ in range(steps):
            gradient(theta[k], slope, pi, slot, offset, width, acts, rewards, transition, gamma, start)
            if barrier > 0:
                add_barrier(pi, slope, barrier, offset, width, acts, len(start))
            for m in range(theta.shape[1]):
                theta[k, m] += rate * slope[m]


@kernel
def best_response(  # type: ignore[no-untyped-def]
    pi, agent, slot, offset, width, acts, rewards, transition, gamma, start
):
    """Return J of agent's best conditional policy against the others' tables, by policy iteration."""
    states, actions = rewards.shape
    count, size = acts[agent], width[agent]
    others, joint, q = np.empty((states, actions)), np.empty((states, actions)), np.empty((states, actions))
    matrix, paid, value = np.empty((states, states)), np.empty(states), np.empty(states)
    table = np.empty((states, size))
    choice = np.full((states, size // count), -1)
    product(pi, others, slot, offset, width, agent)
    product(pi, joint, slot, offset, width, -1)
    for _ in range(_ROUNDS):
        factor(joint, rewards, transition, gamma, matrix, paid)
        solve(matrix, paid, value)
        action_values(rewards, transition, gamma, value, q)
        table[:] = 0.0
        scale = 1.0
        for s in range(states):
            for a in range(actions):
                table[s, slot[agent, a]] += others[s, a] * q[s, a]
                scale = max(scale, abs(q[s, a]))
        changed = False
        for s in range(states):
            for p in range(size // count):
                best = 0
                for x in range(1, count):
                    if table[s, p * count + x] > table[s, p * count + best]:
                        best = x
                now = choice[s, p]
                if now < 0 or table[s, p * count + best] > table[s, p * count + now] + _SWITCH * scale:
                    choice[s, p] = best
                    changed = True
        if not changed:
            break
        for s in range(states):
            for a in range(actions):
                place = slot[agent, a]
                chosen = choice[s, place // count] == place % count
                joint[s, a] = others[s, a] if chosen else 0.0
    result = 0.0
    for s in range(states):
        result += start[s] * value[s]
    return result
