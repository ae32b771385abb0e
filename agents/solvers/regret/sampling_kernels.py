"""Compiled passes of Monte Carlo counterfactual regret minimisation over history-level arrays.

Axes: n players, H histories, S action slots, I infosets, D depth of the tree, A most children of a
deciding history.  ``R`` and ``S`` [S] are cumulative regrets and policy weights, ``b`` [n, K] baselines
and ``key_of`` [H] their index for the move that leads to a history.

Draws are counter-based: (key, iteration, updating player, history), so a pass does not depend on what was
sampled before it.  Nothing is allocated.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

NO_HISTORY = np.uint32(2**32 - 1)


@kernel
def regret_matching(R, first, count, out):  # type: ignore[no-untyped-def]
    """Write the policy of one infoset to ``out[:count]``: positive regrets normalised, else uniform."""
    total = 0.0
    for k in range(count):
        positive = max(R[first + k], 0.0)
        out[k] = positive
        total += positive
    for k in range(count):
        out[k] = out[k] / total if total > 0.0 else 1.0 / count


@kernel
def sample_child(child, sibling, chance, h, is_chance, probs, draw):  # type: ignore[no-untyped-def]
    """Return (child, its number, its probability); children of probability 0 are never taken."""
    c, k, below = child[h], 0, 0.0
    taken, number, probability = c, 0, 0.0
    while c != NO_HISTORY:
        p = chance[c] / chance[h] if is_chance else probs[k]
        if p > 0.0:
            taken, number, probability = c, k, p
            below += p
            if draw < below:
                break
        c = sibling[c]
        k += 1
    return taken, number, probability


@kernel
def baseline_sum(child, sibling, chance, h, is_chance, probs, b, key_of):  # type: ignore[no-untyped-def]
    """Return the policy- (or chance-) weighted baseline of the children of ``h``."""
    c, k, total = child[h], 0, 0.0
    while c != NO_HISTORY:
        p = chance[c] / chance[h] if is_chance else probs[k]
        total += p * b[key_of[c]]
        c = sibling[c]
        k += 1
    return total


@kernel
def external_pass(  # type: ignore[no-untyped-def]
    p, players, t, key, weight, simple, use_baseline, rate,
    child, sibling, chance, player, infoset, utility, first, nact, R, S, b, key_of,
    node, taken, index, policy, value,
):  # fmt: skip
    """One external-sampling pass that updates player ``p``; returns the sampled value of the root.

    All own actions are explored; chance and the others are sampled.  With ``simple`` the policy weights of
    player (p + 1) mod n grow by the policy wherever the pass meets the player.  ``node``, ``taken``,
    ``index`` [D+1] and ``policy``, ``value`` [D+1, A] are work space.
    """
    follower = (p + 1) % players
    d, going_down, result = 0, True, 0.0
    node[0] = np.uint32(0)
    while True:
        h = node[d]
        mover = player[h]
        if going_down:
            if mover == -4:
                result, going_down = utility[h], False
            else:
                if mover >= 0:
                    f, count = first[infoset[h]], np.int64(nact[infoset[h]])
                    regret_matching(R, f, count, policy[d])
                    if simple and mover == follower:
                        for k in range(count):
                            S[f + k] += weight * policy[d, k]
                if mover == p:
                    taken[d], index[d] = child[h], 0
                else:
                    c, _, _ = sample_child(child, sibling, chance, h, mover < 0, policy[d], uniform(key, t, p, h))
                    taken[d] = c
                node[d + 1] = taken[d]
                d += 1
                continue
        # ``result`` is the value of node[d]; hand it to the parent
        if d == 0:
            return result
        c = node[d]
        d -= 1
        h = node[d]
        if player[h] != p:
            if use_baseline:
                old = b[key_of[c]]
                mean = baseline_sum(child, sibling, chance, h, player[h] < 0, policy[d], b, key_of)
                b[key_of[c]] = old + rate * (result - old)
                result = mean + (result - old)
            continue
        value[d, index[d]] = result
        following = sibling[c]
        if following != NO_HISTORY:
            index[d] += 1
            node[d + 1] = following
            d += 1
            going_down = True
            continue
        f, count = first[infoset[h]], np.int64(nact[infoset[h]])
        mean = 0.0
        for k in range(count):
            mean += policy[d, k] * value[d, k]
        for k in range(count):
            R[f + k] += weight * (value[d, k] - mean)
        result = mean


@kernel
def sample_mixed(child, sibling, h, probs, count, epsilon, draw):  # type: ignore[no-untyped-def]
    """Return (child, its number, its sampling probability) from epsilon * uniform + (1 - epsilon) * policy."""
    c, k, below = child[h], 0, 0.0
    while True:
        p = epsilon / count + (1.0 - epsilon) * probs[k]
        below += p
        if (draw < below and p > 0.0) or k + 1 == count:
            return c, k, p
        c = sibling[c]
        k += 1


@kernel
def outcome_pass(  # type: ignore[no-untyped-def]
    p, t, key, weight, epsilon, use_baseline, rate,
    child, sibling, chance, player, infoset, utility, first, nact, R, S, b, key_of,
    node, index, policy, sampled, reach,
):  # fmt: skip
    """One outcome-sampling pass (one trajectory) that updates player ``p``; returns the estimated root value.

    Own moves are drawn from epsilon * uniform + (1 - epsilon) * policy, all others from their true
    distributions.  ``sampled`` [D+1] holds the sampling probability of each move and ``reach`` [D+1, 3] the own
    reach, the own sampling reach and the others' reach of each history on the trajectory.
    """
    d, own, sampling, others = 0, 1.0, 1.0, 1.0
    node[0] = np.uint32(0)
    while player[node[d]] != -4:
        h = node[d]
        mover = player[h]
        reach[d, 0], reach[d, 1], reach[d, 2] = own, sampling, others
        draw = uniform(key, t, p, h)
        if mover >= 0:
            regret_matching(R, first[infoset[h]], np.int64(nact[infoset[h]]), policy[d])
        if mover == p:
            count = np.int64(nact[infoset[h]])
            c, k, probability = sample_mixed(child, sibling, h, policy[d], count, epsilon, draw)
            own *= policy[d, k]
            sampling *= probability
        else:
            c, k, probability = sample_child(child, sibling, chance, h, mover < 0, policy[d], draw)
            others *= probability
        node[d + 1], index[d], sampled[d] = c, k, probability
        d += 1
    result = utility[node[d]]
    while d > 0:
        c = node[d]
        d -= 1
        h = node[d]
        mover, old, mean = player[h], 0.0, 0.0
        if use_baseline:
            old = b[key_of[c]]
            mean = baseline_sum(child, sibling, chance, h, mover < 0, policy[d], b, key_of)
            b[key_of[c]] = old + rate * (result - old)
        estimate = old + (result - old) / sampled[d]
        # the sampled move counts with its estimate instead of its baseline
        mean += (sampled[d] if mover < 0 else policy[d, index[d]]) * (estimate - old)
        if mover == p:
            f, s, k = first[infoset[h]], child[h], 0
            scale = weight / reach[d, 1]  # others' reach over sampling reach: theirs cancels
            own_scale = weight * reach[d, 0] / (reach[d, 1] * reach[d, 2])
            while s != NO_HISTORY:
                guess = 0.0
                if k == index[d]:
                    guess = estimate
                elif use_baseline:
                    guess = b[key_of[s]]
                R[f + k] += scale * (guess - mean)
                S[f + k] += own_scale * policy[d, k]
                s = sibling[s]
                k += 1
        result = mean
    return result


@kernel
def add_full_average(low, high, parent, first, nact, R, S, weight, policy, x):  # type: ignore[no-untyped-def]
    """Add weight * own reach * policy to ``S`` at infosets low..high-1, parents first; ``x`` [S] is work space."""
    for i in range(low, high):
        f, count = first[i], np.int64(nact[i])
        regret_matching(R, f, count, policy)
        for k in range(count):
            x[f + k] = x[parent[i]] * policy[k]
            S[f + k] += weight * x[f + k]


@kernel
def run_external(  # type: ignore[no-untyped-def]
    begin, count, players, key, linear, simple, use_baseline, rate,
    child, sibling, chance, player, infoset, utility, iset_off, parent, first, nact, R, S, b, key_of,
    node, taken, index, policy, value, x,
):  # fmt: skip
    """Do external-sampling iterations begin..begin+count-1 (1-based), one pass per player each."""
    for t in range(begin, begin + count):
        weight = float(t) if linear else 1.0
        for p in range(players):
            if not simple:
                add_full_average(iset_off[p], iset_off[p + 1], parent, first, nact, R, S, weight, policy[0], x)
            external_pass(
                p, players, t, key, weight, simple, use_baseline, rate,
                child, sibling, chance, player, infoset, utility[p], first, nact, R, S, b[p], key_of,
                node, taken, index, policy, value,
            )  # fmt: skip


@kernel
def run_outcome(  # type: ignore[no-untyped-def]
    begin, count, players, key, linear, epsilon, use_baseline, rate,
    child, sibling, chance, player, infoset, utility, first, nact, R, S, b, key_of,
    node, index, policy, sampled, reach,
):  # fmt: skip
    """Do outcome-sampling iterations begin..begin+count-1 (1-based), one trajectory per player each."""
    for t in range(begin, begin + count):
        weight = float(t) if linear else 1.0
        for p in range(players):
            outcome_pass(
                p, t, key, weight, epsilon, use_baseline, rate,
                child, sibling, chance, player, infoset, utility[p], first, nact, R, S, b[p], key_of,
                node, index, policy, sampled, reach,
            )  # fmt: skip
