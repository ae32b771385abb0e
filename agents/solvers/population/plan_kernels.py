"""Compiled parts of exact PSRO on realisation plans: responses and payoff entries.

Axes: n players, S sequences, I infosets, C capacity, k_p policies.  Row j of ``plans`` [C, S] holds
policy j of every player, each in the player's own range of sequences.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.population.kernels import dot
from equilibria.games.extensive.kernels import (
    best_response_backward,
    best_response_policy,
    gradient_rows,
    reach_forward,
)
from equilibria.sim.jit import kernel


@kernel
def respond_gradient(seq_off, iset_off, parent, first, nact, p, g, pol, plan, tolerance, uniform):  # type: ignore[no-untyped-def]
    """Fold the gradient g of player p and write the best response's plan; returns its value.

    ``g``, ``pol``, ``plan``: float64 [S]; only the player's ranges are written.
    """
    lo = seq_off[p]
    best_response_backward(parent, first, nact, g, iset_off[p], iset_off[p + 1])
    best_response_policy(first, nact, g, pol, iset_off[p], iset_off[p + 1], tolerance, uniform)
    plan[lo] = 1.0
    reach_forward(parent, first, nact, pol, plan, iset_off[p], iset_off[p + 1])
    return g[lo]


@kernel
def respond_all(  # type: ignore[no-untyped-def]
    seq_off, iset_off, parent, first, nact, rowptr, col, val, x, g, pol, plan, tolerance, uniform, values, responses
):
    """Best-respond to x for every player: plans [S], values [n] of x and values [n] of the responses."""
    for p in range(seq_off.shape[0] - 1):
        lo, hi = seq_off[p], seq_off[p + 1]
        gradient_rows(rowptr, col, val, x, g, lo, hi)
        values[p] = dot(g, x, np.int64(lo), np.int64(hi))
        responses[p] = respond_gradient(seq_off, iset_off, parent, first, nact, p, g, pol, plan, tolerance, uniform)


@kernel
def fill_matrices(seq_off, plans, gradients, old, new, rows, cols):  # type: ignore[no-untyped-def]
    """Fill the entries of a two-player meta-game that involve a new policy; old entries are not touched.

    Args:
        seq_off: uint [3].
        plans: [C, S].
        gradients: [C, S]; row j holds player 0's gradient against policy j of player 1 and vice versa.
        old: int64 [2] sizes before.
        new: int64 [2] sizes now.
        rows: [C, C] payoff of player 0 by (policy of 1, policy of 0).
        cols: [C, C] payoff of player 1 by (policy of 0, policy of 1).
    """
    a, b, c = np.int64(seq_off[0]), np.int64(seq_off[1]), np.int64(seq_off[2])
    for j in range(new[1]):
        for i in range(old[0] if j < old[1] else 0, new[0]):
            rows[j, i] = dot(plans[i], gradients[j], a, b)
            cols[i, j] = dot(plans[j], gradients[i], b, c)


@kernel
def fill_tensor(seq_off, rowptr, col, val, plans, old, new, x, g, tensor):  # type: ignore[no-untyped-def]
    """Fill the entries of an n-player meta-game tensor [n * prod k_p] that involve a new policy.

    One gradient per joint policy of the opponents gives a whole line of entries.
    """
    n = new.shape[0]
    total = 1
    for q in range(n):
        total *= new[q]
    stride = np.ones(n, np.int64)
    for q in range(n - 2, -1, -1):
        stride[q] = stride[q + 1] * new[q + 1]
    index = np.zeros(n, np.int64)
    for p in range(n):
        start, stop = np.int64(seq_off[p]), np.int64(seq_off[p + 1])
        index[:] = 0
        while True:
            base, fresh = p * total, False
            for q in range(n):
                if q != p:
                    base += index[q] * stride[q]
                    fresh = fresh or index[q] >= old[q]
            begin = 0 if fresh else old[p]
            if begin < new[p]:
                for q in range(n):
                    if q != p:
                        for s in range(np.int64(seq_off[q]), np.int64(seq_off[q + 1])):
                            x[s] = plans[index[q], s]
                gradient_rows(rowptr, col, val, x, g, seq_off[p], seq_off[p + 1])
                for j in range(begin, new[p]):
                    tensor[base + j * stride[p]] = dot(plans[j], g, start, stop)
            q = n - 1
            while q >= 0:
                if q != p:
                    index[q] += 1
                    if index[q] < new[q]:
                        break
                    index[q] = 0
                q -= 1
            if q < 0:
                break


@kernel
def joint_gradient(seq_off, rowptr, col, val, plans, p, profiles, weights, x, work, g):  # type: ignore[no-untyped-def]
    """Write the gradient of player p against a correlated distribution over the others' joint policies.

    Args:
        seq_off: uint [n+1]; rowptr, col, val as in GameArrays.
        rowptr: see above.
        col: see above.
        val: see above.
        plans: [C, S].
        p: Player.
        profiles: int64 [R, n] joint policies; column p is not read.
        weights: float64 [R].
        x: float64 [S] work.
        work: float64 [S] work.
        g: float64 [S] output in the player's range.
    """
    lo, hi = np.int64(seq_off[p]), np.int64(seq_off[p + 1])
    for s in range(lo, hi):
        g[s] = 0.0
    for r in range(profiles.shape[0]):
        for q in range(profiles.shape[1]):
            if q != p:
                for s in range(np.int64(seq_off[q]), np.int64(seq_off[q + 1])):
                    x[s] = plans[profiles[r, q], s]
        gradient_rows(rowptr, col, val, x, work, seq_off[p], seq_off[p + 1])
        for s in range(lo, hi):
            g[s] += weights[r] * work[s]
