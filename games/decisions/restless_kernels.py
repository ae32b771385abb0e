"""Compiled feasibility of pulling sets of arms; sets are bit masks, arm j is bit j."""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel


@kernel
def packs(mask, cost, capacity):  # type: ignore[no-untyped-def]
    """Say whether the arms of a set fit into the capacities, by depth-first search over arms, dearest first.

    Args:
        mask: The set.
        cost: int64 [J].
        capacity: int64 [n].
    """
    arms, workers = cost.shape[0], capacity.shape[0]
    chosen = np.empty(arms, np.int64)
    count = 0
    for j in range(arms):
        if mask >> j & 1:
            k = count
            while k > 0 and cost[chosen[k - 1]] < cost[j]:
                chosen[k] = chosen[k - 1]
                k -= 1
            chosen[k] = j
            count += 1
    total = 0
    for k in range(count):
        total += cost[chosen[k]]
    if total > capacity.sum():
        return False
    left = capacity.copy()
    place = np.full(count + 1, -1, np.int64)
    depth = 0
    while 0 <= depth < count:
        c, i = cost[chosen[depth]], place[depth]
        if i >= 0:
            left[i] += c
        i += 1
        while i < workers:
            fresh = left[i] >= c
            for k in range(i):
                fresh &= left[k] != left[i]  # a worker with the same room was tried before
            if fresh:
                break
            i += 1
        if i == workers:
            place[depth] = -1
            depth -= 1
        else:
            left[i] -= c
            place[depth] = i
            depth += 1
            place[depth] = -1
    return depth == count


@kernel
def grow(arm, fits, owner, tried):  # type: ignore[no-untyped-def]
    """Try to give an arm a worker by an augmenting path; updates the owner [n] of each worker.

    Args:
        arm: The arm.
        fits: bool [J, n] whether arm and worker share a time slot.
        owner: int64 [n] arm of each worker, -1 for none.
        tried: bool [n] scratch space, all False.
    """
    workers = fits.shape[1]
    arms, at = np.empty(workers + 1, np.int64), np.full(workers + 1, -1, np.int64)
    arms[0], depth = arm, 0
    while depth >= 0:
        i = at[depth] + 1
        while i < workers and (tried[i] or not fits[arms[depth], i]):
            i += 1
        at[depth] = i
        if i == workers:
            depth -= 1
            continue
        tried[i] = True
        if owner[i] < 0:
            for d in range(depth, -1, -1):
                owner[at[d]] = arms[d]
            return True
        depth += 1
        arms[depth], at[depth] = owner[i], -1
    return False


@kernel
def matches(mask, fits):  # type: ignore[no-untyped-def]
    """Say whether every arm of a set can have a worker of its own."""
    owner, tried = np.full(fits.shape[1], -1, np.int64), np.empty(fits.shape[1], np.bool_)
    for j in range(fits.shape[0]):
        if mask >> j & 1:
            tried[:] = False
            if not grow(j, fits, owner, tried):
                return False
    return True


@kernel
def best_matched(score, fits):  # type: ignore[no-untyped-def]
    """Return the matchable set with the largest sum of scores, as bool [J].

    Matchable sets are the independent sets of a transversal matroid, so taking arms by falling score is optimal.
    """
    arms = score.shape[0]
    owner, tried = np.full(fits.shape[1], -1, np.int64), np.empty(fits.shape[1], np.bool_)
    pulled = np.zeros(arms, np.bool_)
    order = np.argsort(-score, kind="mergesort")
    free = fits.shape[1]
    for k in range(arms):
        j = order[k]
        if score[j] <= 0.0 or free == 0:
            break
        tried[:] = False
        if grow(j, fits, owner, tried):
            pulled[j] = True
            free -= 1
    return pulled


@kernel
def sets(cost, capacity, fits, by_capacity):  # type: ignore[no-untyped-def]
    """Return all feasible sets, ascending; subsets of feasible sets are feasible, so most checks end early."""
    arms = cost.shape[0]
    good = np.zeros(1 << arms, np.bool_)
    good[0] = True
    for mask in range(1, 1 << arms):
        smaller = True
        for j in range(arms):
            if mask >> j & 1:
                smaller &= good[mask ^ (1 << j)]
        if smaller:
            good[mask] = packs(mask, cost, capacity) if by_capacity else matches(mask, fits)
    return np.flatnonzero(good)


@kernel
def best_packed(score, cost, capacity, limit):  # type: ignore[no-untyped-def]
    """Find the set with the largest sum of scores that can be packed into the capacities, by branch and bound.

    Arms are tried dearest class first, within a class by falling score.  Of two arms of equal cost the better one
    comes first, so a skipped arm closes its class; arms of one class take workers in ascending order, so no packing
    is tried twice; the bound fills the usable room by score per cost, the last arm in part.

    Args:
        score: float64 [J].
        cost: int64 [J] at least 1.
        capacity: int64 [n].
        limit: Most nodes to visit.

    Returns:
        bool [J] the best set found, and whether it is proven optimal.
    """
    workers = capacity.shape[0]
    wanted = np.flatnonzero(score > 0.0)
    order = wanted[np.argsort(-score[wanted], kind="mergesort")]
    order = order[np.argsort(-cost[order], kind="mergesort")]
    count = order.shape[0]
    ahead = np.empty(count + 1, np.int64)  # first arm of the next class
    ahead[count] = count
    for k in range(count - 1, -1, -1):
        same = k + 1 < count and cost[order[k + 1]] == cost[order[k]]
        ahead[k] = ahead[k + 1] if same else k + 1
    density = np.empty(count)
    for k in range(count):
        density[k] = -score[order[k]] / cost[order[k]]
    filled = np.argsort(density, kind="mergesort")
    smallest = cost[order[count - 1]] if count else 1
    left = capacity.copy()
    arm, place = np.zeros(count + 2, np.int64), np.full(count + 2, -1, np.int64)
    pulled, best = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    value, top, nodes, depth = 0.0, 0.0, 0, 0
    while depth >= 0:
        k, i = arm[depth], place[depth]
        if i >= 0 and i < workers:  # undo the last placement
            left[i] += cost[order[k]]
            value -= score[order[k]]
            pulled[k] = False
        if k == count or i == workers:
            place[depth] = -1
            depth -= 1
            continue
        if i < 0:
            nodes += 1
            room = 0
            for w in range(workers):
                if left[w] >= smallest:
                    room += left[w]
            bound = value
            for f in filled:
                if f < k:
                    continue
                c = cost[order[f]]
                if c <= room:
                    bound += score[order[f]]
                    room -= c
                else:
                    bound += score[order[f]] * room / c
                    break
            if bound <= top + 1e-12 or nodes > limit:
                place[depth] = -1
                depth -= 1
                continue
            if depth > 0 and place[depth - 1] < workers and cost[order[arm[depth - 1]]] == cost[order[k]]:
                i = place[depth - 1] - 1
        i += 1
        while i < workers:
            fresh = left[i] >= cost[order[k]]
            for w in range(i):
                fresh &= left[w] != left[i] or (depth > 0 and w < place[depth - 1])
            if fresh:
                break
            i += 1
        place[depth] = i
        if i < workers:
            left[i] -= cost[order[k]]
            value += score[order[k]]
            pulled[k] = True
            arm[depth + 1] = k + 1
            if value > top + 1e-12:
                top = value
                best[:] = pulled
        else:
            arm[depth + 1] = ahead[k]
        depth += 1
        place[depth] = -1
    chosen = np.zeros(score.shape[0], np.bool_)
    for k in range(count):
        chosen[order[k]] = best[k]
    return chosen, nodes <= limit
