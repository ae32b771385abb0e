"""Compiled rows of the bidding dynamic programme.

Axes: b budget 0 .. B, d price 0 .. P (P is the highest price of the market, usually 300).

A row V(t, .) follows from V(t-1, .) by

    V(t, b) = gamma V(t-1, b) + sum over d <= a of m(d) [v - v0 d + gamma (V(t-1, b-d) - V(t-1, b))]

where a is the largest price up to min(b, P) whose bracket is not negative.  The brackets do not increase
in d, so the bid need not be known: brackets below zero count as zero.

The smallest budgets go one by one, as the recursion is written.  Then a block of budgets shares the prices
that all of it can pay and wants to pay.  Their sum is a convolution of m and V, eight prices per pass over the
block, so the compiler works on whole vectors while the order of additions stays fixed.  The few prices above go
bracket by bracket.  How far the shared prices reach is taken from the row before and tested at the last of them.
Cost per row: sum of a(b) multiply-adds.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel

BLOCK = 64


@kernel
def next_row(values, new, m, reward, cost_weight, gamma, shared, sums):  # type: ignore[no-untyped-def]
    """Write V(t, b) for b = 0 .. W - 1.

    Args:
        values: float64 [>= W] V(t-1, .), non-decreasing.
        new: float64 [W], overwritten.
        m: float64 [P + 1] price probabilities.
        reward: Value of a win before its price.
        cost_weight: v0.
        gamma: Discount.
        shared: int64 [>= blocks of W] a guess of the highest price that a whole block wants; overwritten with it.
        sums: float64 [2, P + 2] cumulative m and d * m, entry a + 1 holds the sum up to a.
    """
    width, top = new.shape[0], m.shape[0] - 1
    gap_space, sum_space = np.empty(BLOCK), np.empty(BLOCK)
    for b in range(min(width, BLOCK)):
        new[b] = _one_budget(values, m, reward, cost_weight, gamma, b)
    for first in range(BLOCK, width, BLOCK):
        size = min(BLOCK, width - first)
        own, out = values[first : first + size], new[first : first + size]
        gap, acc = gap_space[:size], sum_space[:size]
        for i in range(size):
            gap[i] = reward - gamma * own[i]
            acc[i] = 0.0
        a = min(shared[first // BLOCK], first)
        while a >= 0 and _wanted(gap, values[first - a :], gamma, cost_weight * a) < size:
            a -= 1
        _convolve(values, m, first, size, a, acc)
        chance, cost = sums[0, a + 1], cost_weight * sums[1, a + 1]
        for i in range(size):
            out[i] = gamma * own[i] + (chance * gap[i] - cost) + gamma * acc[i]
        for d in range(a + 1, min(first + size - 1, top) + 1):
            skip = max(0, d - first)  # budgets below d cannot pay it
            before = values[first + skip - d : first + size - d]
            wanted = _add_wanted(out[skip:], gap[skip:], before, m[d], gamma, cost_weight * d)
            if wanted == 0:
                break
            if wanted == size and a == d - 1:
                a = d
        shared[first // BLOCK] = max(a, 0)


@kernel
def _one_budget(values, m, reward, cost_weight, gamma, b):  # type: ignore[no-untyped-def]
    """Return V(t, b)."""
    kept = gamma * values[b]
    chance = cost = total = 0.0
    for d in range(min(b, m.shape[0] - 1) + 1):
        if reward + (gamma * values[b - d] - cost_weight * d) - kept < 0.0:
            break
        chance += m[d]
        cost += m[d] * d
        total += m[d] * values[b - d]
    return kept + chance * (reward - kept) + gamma * total - cost_weight * cost


@kernel
def _wanted(gap, before, gamma, extra):  # type: ignore[no-untyped-def]
    """Return how many entries of a block have a bracket gap + gamma before - extra of at least 0."""
    count = np.int64(0)
    for i in range(gap.shape[0]):
        count += np.int64(gap[i] + gamma * before[i] - extra >= 0.0)
    return count


@kernel
def _add_wanted(out, gap, before, weight, gamma, extra):  # type: ignore[no-untyped-def]
    """Add weight times the positive part of the brackets; return how many are at least 0."""
    count = np.int64(0)
    for i in range(gap.shape[0]):
        bracket = gap[i] + gamma * before[i] - extra
        keep = bracket >= 0.0
        count += np.int64(keep)
        out[i] += weight * (bracket if keep else 0.0)
    return count


@kernel
def _convolve(values, m, first, size, last, acc):  # type: ignore[no-untyped-def]
    """Add sum over d <= last of m(d) V(b-d) to every entry of a block of budgets that starts at ``first`` >= last."""
    d = 0
    while d + 7 <= last:
        m0, m1, m2, m3, m4, m5, m6, m7 = m[d], m[d + 1], m[d + 2], m[d + 3], m[d + 4], m[d + 5], m[d + 6], m[d + 7]
        v = values[first - d - 7 : first - d + size]
        for i in range(size):
            x = acc[i] + m0 * v[i + 7] + m1 * v[i + 6] + m2 * v[i + 5] + m3 * v[i + 4]
            acc[i] = x + m4 * v[i + 3] + m5 * v[i + 2] + m6 * v[i + 1] + m7 * v[i]
        d += 8
    if d + 3 <= last:
        m0, m1, m2, m3 = m[d], m[d + 1], m[d + 2], m[d + 3]
        v = values[first - d - 3 : first - d + size]
        for i in range(size):
            acc[i] = acc[i] + m0 * v[i + 3] + m1 * v[i + 2] + m2 * v[i + 1] + m3 * v[i]
        d += 4
    while d <= last:
        m0, v = m[d], values[first - d : first - d + size]
        for i in range(size):
            acc[i] += m0 * v[i]
        d += 1


@kernel
def solve_rows(table, m, reward, cost_weight, gamma, free_wins):  # type: ignore[no-untyped-def]
    """Fill V(1 .. R-1, 0 .. B) of a table whose row 0 is zero.

    Budgets from P t on cannot run out, so the rest of a row is filled with V(t, P t).

    Args:
        table: float64 [R, B + 1]; row 0 holds zeros.
        m: float64 [P + 1] price probabilities.
        reward: Value of a win before its price.
        cost_weight: v0.
        gamma: Discount in (0, 1].
        free_wins: False keeps V(t, 0) = 0, as the published code does.
    """
    top, width = m.shape[0] - 1, table.shape[1]
    shared = np.full(width // BLOCK + 1, top, np.int64)
    sums = cumulative(m)
    for t in range(1, table.shape[0]):
        inner = min(width, top * t + 1)
        next_row(table[t - 1], table[t, :inner], m, reward, cost_weight, gamma, shared, sums)
        if not free_wins:
            table[t, 0] = 0.0
        table[t, inner:] = table[t, inner - 1]


@kernel
def last_row(m, reward, cost_weight, gamma, requests, budget):  # type: ignore[no-untyped-def]
    """Return V(requests, 0 .. budget) keeping two rows only; arguments as ``solve_rows``."""
    top = m.shape[0] - 1
    values, new = np.zeros(budget + 1), np.zeros(budget + 1)
    shared = np.full((budget + 1) // BLOCK + 1, top, np.int64)
    sums = cumulative(m)
    for t in range(1, requests + 1):
        inner = min(budget + 1, top * t + 1)
        next_row(values, new[:inner], m, reward, cost_weight, gamma, shared, sums)
        new[inner:] = new[inner - 1]
        values, new = new, values
    return values


@kernel
def cumulative(m):  # type: ignore[no-untyped-def]
    """Return float64 [2, P + 2]: sums of m(d) and d m(d) over d < index."""
    sums = np.zeros((2, m.shape[0] + 1))
    for d in range(m.shape[0]):
        sums[0, d + 1] = sums[0, d] + m[d]
        sums[1, d + 1] = sums[1, d] + d * m[d]
    return sums


@kernel
def solve_spread_rows(table, m, gain, step, cost_weight, gamma):  # type: ignore[no-untyped-def]
    """Fill the table of the request-aware programme.

    V(t, b) = gamma V(t-1, b) + sum over d <= min(b, P) of m(d) G(v0 d + gamma (V(t-1, b) - V(t-1, b-d)))
    with G(y) = E[(v1 theta - y)^+] tabulated at multiples of ``step`` and linear in between.

    Args:
        table: float64 [R, B + 1]; row 0 holds zeros.
        m: float64 [P + 1] price probabilities.
        gain: float64 [K + 1] G at 0, step, 2 step ...; 0 beyond.
        step: Distance of the nodes of G.
        cost_weight: v0.
        gamma: Discount.
    """
    top, width = m.shape[0] - 1, table.shape[1]
    for t in range(1, table.shape[0]):
        inner = min(width, top * t + 1)
        spread_budgets(table[t - 1], table[t], m, gain, step, cost_weight, gamma, inner)
        table[t, inner:] = table[t, inner - 1]


@kernel
def spread_budgets(values, new, m, gain, step, cost_weight, gamma, last):  # type: ignore[no-untyped-def]
    """Write V(t, b) of the request-aware programme for budgets 0 .. last - 1, a block at a time."""
    top, nodes, scale = m.shape[0] - 1, gain.shape[0] - 1, 1.0 / step
    slope = np.zeros(nodes + 1)
    slope[:nodes] = gain[1:] - gain[:nodes]
    end = np.float64(nodes)
    for first in range(0, last, BLOCK):
        size = min(BLOCK, last - first)
        own, total = values[first : first + size], new[first : first + size]
        for i in range(size):
            total[i] = gamma * own[i]
        for d in range(min(first + size - 1, top) + 1):
            skip = max(0, d - first)  # budgets below d cannot pay it
            if d % 16 == 0 and _all_beyond(own[skip:], values[first + skip - d :], gamma, cost_weight * d, end * step):
                break
            before = values[first + skip - d : first + size - d]
            _add_gain(total[skip:], own[skip:], before, gain, slope, m[d], cost_weight * d, gamma, scale, end)


@kernel
def _all_beyond(own, before, gamma, extra, end):  # type: ignore[no-untyped-def]
    """Say whether no request is worth this price at any budget of a block."""
    for i in range(own.shape[0]):
        if extra + gamma * (own[i] - before[i]) < end:
            return False
    return True


@kernel
def _add_gain(total, own, before, gain, slope, weight, extra, gamma, scale, end):  # type: ignore[no-untyped-def]
    """Add weight G(extra + gamma (own - before)) to every entry; G is 0 from node ``end`` on."""
    for i in range(total.shape[0]):
        place = min((extra + gamma * (own[i] - before[i])) * scale, end)
        k = np.uint32(np.int32(place))
        total[i] += weight * (gain[k] + (place - k) * slope[k])


@kernel
def node_weights(m, stride):  # type: ignore[no-untyped-def]
    """Return float64 [P + 2, J]: row a + 1 spreads m(0 .. a) over the budget nodes j strides below b.

    A remainder b - d between two nodes counts for both, linearly.
    """
    top = m.shape[0] - 1
    weights = np.zeros((top + 2, top // stride + 2))
    for d in range(top + 1):
        j = d // stride
        share = (d - j * stride) / stride
        for k in range(weights.shape[1]):
            weights[d + 1, k] = weights[d, k]
        weights[d + 1, j] += m[d] * (1.0 - share)
        weights[d + 1, j + 1] += m[d] * share
    return weights


@kernel
def next_nodes(nodes, new, first, weights, sums, stride, reward, cost_weight, gamma, top):  # type: ignore[no-untyped-def]
    """Write V(t, k stride) for k = first .. K - 1 from V(t-1, .) at all nodes, linear in between.

    Args:
        nodes: float64 [K] V(t-1, 0), V(t-1, stride) ...
        new: float64 [K], entries from ``first`` on are overwritten.
        first: First node to compute; first * stride >= top.
        weights: See ``node_weights``.
        sums: See ``cumulative``.
        stride: Budget between two nodes.
        reward: Value of a win before its price.
        cost_weight: v0.
        gamma: Discount.
        top: Highest price.
    """
    j = 0
    last_cell = top // stride
    inside, acc, left, slope = np.empty(BLOCK, np.int64), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for begin in range(first, new.shape[0], BLOCK):
        size = min(BLOCK, new.shape[0] - begin)
        j = _cell(nodes, begin, j, last_cell, stride, reward, cost_weight, gamma)
        # The cell of the bid moves slowly from node to node: a block usually shares it.
        own, at, after = nodes[begin : begin + size], nodes[begin - j :], nodes[begin - j - 1 :]
        if not _same_cell(own, at, after, j, last_cell, stride, reward, cost_weight, gamma):
            for k in range(begin, begin + size):
                j = _cell(nodes, k, j, last_cell, stride, reward, cost_weight, gamma)
                new[k] = _one_node(nodes, k, j, weights, sums, stride, reward, cost_weight, gamma, top)
            continue
        _steps_inside(own, at, after, j, stride, reward, cost_weight, gamma, left, slope, inside)
        for i in range(size):
            acc[i] = 0.0
        total, full = acc[:size], weights[j * stride]  # every price below the cell of the bid
        for d in range(j):
            weight, before = full[d], nodes[begin - d : begin + size - d]
            for i in range(size):
                total[i] += weight * before[i]
        for i in range(size):
            past = min(top, j * stride + inside[i]) + 1
            row = weights[past]
            value = total[i] + row[j] * at[i] + row[j + 1] * after[i]
            kept = gamma * own[i]
            new[begin + i] = kept + sums[0, past] * (reward - kept) + gamma * value - cost_weight * sums[1, past]


@kernel
def _cell(nodes, k, j, last_cell, stride, reward, cost_weight, gamma):  # type: ignore[no-untyped-def]
    """Return the number of whole strides in the bid at node k, walking from j."""
    own = gamma * nodes[k]
    while j > 0 and reward - cost_weight * (j * stride) + gamma * nodes[k - j] - own < 0.0:
        j -= 1
    while j < last_cell and reward - cost_weight * (j + 1) * stride + gamma * nodes[k - j - 1] - own >= 0.0:
        j += 1
    return j


@kernel
def _same_cell(own, at, after, j, last_cell, stride, reward, cost_weight, gamma):  # type: ignore[no-untyped-def]
    """Say whether the bids of all nodes of a block lie in cell j."""
    others = np.int64(0)
    for i in range(own.shape[0]):
        kept = gamma * own[i]
        below = reward - cost_weight * (j * stride) + gamma * at[i] - kept
        above = reward - cost_weight * ((j + 1) * stride) + gamma * after[i] - kept
        others += np.int64(below < 0.0) + np.int64(above >= 0.0) * np.int64(j < last_cell)
    return others == 0


@kernel
def _steps_inside(own, at, after, j, stride, reward, cost_weight, gamma, left, slope, inside):  # type: ignore[no-untyped-def]
    """Write how many units of money beyond cell j's first one each node bids, V being linear in the cell.

    ``left`` and ``slope`` are scratch space.
    """
    share = 1.0 / stride
    for i in range(own.shape[0]):
        inside[i] = 0
        left[i] = reward - cost_weight * (j * stride) + gamma * at[i] - gamma * own[i]
        slope[i] = (gamma * (at[i] - after[i]) + cost_weight * stride) * share
    for step in range(1, stride):
        for i in range(own.shape[0]):
            inside[i] += np.int64(slope[i] * step <= left[i])


@kernel
def _one_node(nodes, k, j, weights, sums, stride, reward, cost_weight, gamma, top):  # type: ignore[no-untyped-def]
    """Return V(t, k stride) for a bid in cell j."""
    own = gamma * nodes[k]
    at = reward - cost_weight * (j * stride) + gamma * nodes[k - j] - own
    if at < 0.0:
        return own
    slope = (gamma * (nodes[k - j] - nodes[k - j - 1]) + cost_weight * stride) / stride
    inside = 0
    while inside < stride - 1 and slope * (inside + 1) <= at:
        inside += 1
    a = min(top, j * stride + inside) + 1
    row = weights[a]
    value = 0.0
    for d in range(min(row.shape[0], j + 2)):
        value += row[d] * nodes[k - d]
    return own + sums[0, a] * (reward - own) + gamma * value - cost_weight * sums[1, a]


@kernel
def next_spread_nodes(nodes, new, first, m, gain, step, stride, cost_weight, gamma):  # type: ignore[no-untyped-def]
    """Like ``next_nodes`` for the request-aware programme; see ``solve_spread_rows`` for ``gain`` and ``step``."""
    top, last, scale = m.shape[0] - 1, gain.shape[0] - 1, 1.0 / step
    slope = np.zeros(last + 1)
    slope[:last] = gain[1:] - gain[:last]
    end = np.float64(last)
    before = np.empty(BLOCK)
    for begin in range(first, new.shape[0], BLOCK):
        size = min(BLOCK, new.shape[0] - begin)
        own, total = nodes[begin : begin + size], new[begin : begin + size]
        for i in range(size):
            total[i] = gamma * own[i]
        for d in range(top + 1):
            j = d // stride
            share = (d - j * stride) / stride
            near, far = nodes[begin - j : begin + size - j], nodes[begin - j - 1 : begin + size - j - 1]
            for i in range(size):
                before[i] = near[i] + share * (far[i] - near[i])
            if d % 16 == 0 and _all_beyond(own, before, gamma, cost_weight * d, end * step):
                break
            _add_gain(total, own, before[:size], gain, slope, m[d], cost_weight * d, gamma, scale, end)


@kernel
def solve_coarse(table, fine, stride, m, reward, gain, step, cost_weight, gamma, free_wins):  # type: ignore[no-untyped-def]
    """Fill a table with budgets 0 .. fine - 1 exactly and nodes fine, fine + stride ... above.

    Args:
        table: float64 [R, fine + K]; row 0 holds zeros; ``fine`` is a multiple of ``stride``, above P + stride.
        fine: Number of budgets computed one by one.
        stride: Budget between two nodes above.
        m: float64 [P + 1] price probabilities.
        reward: Value of a win before its price (plain programme).
        gain: float64 [K' + 1] table of G for the request-aware programme; empty for the plain one.
        step: Distance of the nodes of G.
        cost_weight: v0.
        gamma: Discount.
        free_wins: False keeps V(t, 0) = 0 in the plain programme.
    """
    if gain.shape[0] == 0:
        solve_rows(table[:, :fine], m, reward, cost_weight, gamma, free_wins)
    else:
        solve_spread_rows(table[:, :fine], m, gain, step, cost_weight, gamma)
    top = m.shape[0] - 1
    inner, upper = fine // stride, table.shape[1] - fine
    weights, sums = node_weights(m, stride), cumulative(m)
    nodes, new = np.zeros(inner + upper), np.zeros(inner + upper)
    for t in range(1, table.shape[0]):
        used = min(inner + upper, max(inner + 1, top * t // stride + 2))
        if gain.shape[0] == 0:
            next_nodes(nodes, new[:used], inner, weights, sums, stride, reward, cost_weight, gamma, top)
        else:
            next_spread_nodes(nodes, new[:used], inner, m, gain, step, stride, cost_weight, gamma)
        for k in range(inner):
            new[k] = table[t, k * stride]
        for k in range(used, inner + upper):
            new[k] = new[used - 1]
        nodes, new = new, nodes
        table[t, fine:] = nodes[inner:]
