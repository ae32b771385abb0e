"""Batched optimal assignment: shortest augmenting paths with potentials, O(n^3) per matrix."""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel


@kernel
def assign(score, order):  # type: ignore[no-untyped-def]
    """Write order [B, n]: the column of each row in the assignment that maximises the summed score [B, n, n]."""
    batch, n = order.shape
    row_price, column_price = np.empty(n + 1), np.empty(n + 1)
    owner, back = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    slack, used = np.empty(n + 1), np.empty(n + 1, np.bool_)
    for b in range(batch):
        row_price[:] = 0.0
        column_price[:] = 0.0
        owner[:] = -1  # row of each column; column n stands for "the row to be placed"
        for row in range(n):
            owner[n] = row
            column = n
            slack[:] = math.inf
            used[:] = False
            while owner[column] >= 0:
                used[column] = True
                here, nearest, least = owner[column], n, math.inf
                for j in range(n):
                    if not used[j]:
                        gap = -score[b, here, j] - row_price[here] - column_price[j]
                        if gap < slack[j]:
                            slack[j] = gap
                            back[j] = column
                        if slack[j] < least:
                            least = slack[j]
                            nearest = j
                for j in range(n + 1):
                    if used[j]:
                        row_price[owner[j]] += least
                        column_price[j] -= least
                    else:
                        slack[j] -= least
                column = nearest
            while column != n:
                owner[column] = owner[back[column]]
                column = back[column]
        for j in range(n):
            order[b, owner[j]] = j
