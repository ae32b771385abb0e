"""Compiled oracle, planning and evaluation of cascading decision processes.

Axes: S states, N items, m longest list, H steps.  Item N is the virtual one that ends every list: it is
always attractive and pays nothing.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel


@kernel
def best_list(u, w, end, order, table, chosen):  # type: ignore[no-untyped-def]
    """Find the ordered list with the largest expected value.

    Items worth at most ``end`` are dropped, the rest is sorted by worth, and
    F[j][c] = max(F[j+1][c], u_j w_j + (1 - u_j) F[j+1][c-1]) chooses at most m of them.

    Args:
        u: float64 [N] attraction probabilities.
        w: float64 [N] worth of a click.
        end: Worth of the virtual item.
        order: int64 [N] scratch space.
        table: float64 [N + 1, m + 1] scratch space.
        chosen: int64 [m], overwritten with the list; -1 after its end.

    Returns:
        The value of the list.
    """
    m = chosen.shape[0]
    count = 0
    for a in range(u.shape[0]):
        if w[a] > end:
            k = count
            while k > 0 and w[order[k - 1]] < w[a]:
                order[k] = order[k - 1]
                k -= 1
            order[k] = a
            count += 1
    for c in range(m + 1):
        table[count, c] = end
    for j in range(count - 1, -1, -1):
        a = order[j]
        table[j, 0] = end
        for c in range(1, m + 1):
            table[j, c] = max(table[j + 1, c], u[a] * w[a] + (1.0 - u[a]) * table[j + 1, c - 1])
    c, length = m, 0
    chosen[:] = -1
    for j in range(count):
        if c > 0 and table[j, c] > table[j + 1, c]:
            chosen[length] = order[j]
            length += 1
            c -= 1
    return table[0, m]


@kernel
def list_value(u, w, end, chosen):  # type: ignore[no-untyped-def]
    """Return the expected value of a list (items until -1, then the virtual one)."""
    value = end
    for k in range(chosen.shape[0] - 1, -1, -1):
        a = chosen[k]
        if a >= 0:
            value = u[a] * w[a] + (1.0 - u[a]) * value
    return value


@kernel
def worth(reward, transition, later, out):  # type: ignore[no-untyped-def]
    """Write r(a) + p(a) . V for all items and the virtual one of a state, float64 [N + 1]."""
    items = reward.shape[0]
    for a in range(items + 1):
        total = reward[a] if a < items else 0.0
        for t in range(later.shape[0]):
            total += transition[a, t] * later[t]
        out[a] = total


@kernel
def plan(attraction, reward, transition, lists, values):  # type: ignore[no-untyped-def]
    """Solve the known process by backward induction.

    Args:
        attraction: float64 [S, N].
        reward: float64 [S, N].
        transition: float64 [S, N + 1, S].
        lists: int64 [H, S, m], overwritten with optimal lists.
        values: float64 [H + 1, S], overwritten with optimal values.
    """
    states, items = attraction.shape
    order, table = np.empty(items, np.int64), np.empty((items + 1, lists.shape[2] + 1))
    w = np.empty(items + 1)
    values[-1] = 0.0
    for h in range(lists.shape[0] - 1, -1, -1):
        for s in range(states):
            worth(reward[s], transition[s], values[h + 1], w)
            values[h, s] = best_list(attraction[s], w[:items], w[items], order, table, lists[h, s])


@kernel
def evaluate(attraction, reward, transition, lists, values):  # type: ignore[no-untyped-def]
    """Write the exact values [H + 1, S] of a policy; arguments as ``plan``."""
    items = attraction.shape[1]
    w = np.empty(items + 1)
    values[-1] = 0.0
    for h in range(lists.shape[0] - 1, -1, -1):
        for s in range(attraction.shape[0]):
            worth(reward[s], transition[s], values[h + 1], w)
            values[h, s] = list_value(attraction[s], w[:items], w[items], lists[h, s])
