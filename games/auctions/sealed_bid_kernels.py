"""Compiled interim utilities of sealed-bid auctions with independent types on grids, and CFR+ on them.

Axes: n players, T types (padded to the largest number), A bids of the common grid.

With independent types the others enter only through the distribution of their bids, so an infoset's action values
cost O(A) instead of a walk over all profiles.  Ties split evenly: with a uniform tie key x, a bid a wins with
probability prod over others q of (P(bid_q < a) + x P(bid_q = a)), integrated over x in [0, 1] exactly by
Gauss-Legendre nodes.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel

FIRST, SECOND, ALL_PAY, ATTRITION = range(4)


@kernel
def bid_distribution(policy, prior, out):  # type: ignore[no-untyped-def]
    """Write the distribution [A] of a player's bid under ``policy`` [T, A] and ``prior`` [T]."""
    out[:] = 0.0
    for t in range(policy.shape[0]):
        w = prior[t]
        if w > 0.0:
            for a in range(policy.shape[1]):
                out[a] += w * policy[t, a]


@kernel
def win_and_pay(code, player, dist, bids, reserve, nodes, weights, win, pay):  # type: ignore[no-untyped-def]
    """Write the winning probability [A] and expected payment [A] of each bid of ``player``.

    Args:
        code: Rule.
        player: Who bids.
        dist: [n, A] bid distributions of all players.
        bids: [A] grid, increasing.
        reserve: Reserve price; lower bids do not take part.
        nodes: [G] Gauss-Legendre nodes on [0, 1].
        weights: [G] their weights.
        win: [A] out.
        pay: [A] out.
    """
    n, count = dist.shape
    below = np.zeros(n)  # P(bid_q < a), for the bid a at hand
    under = 0.0  # P(all others < a)
    cost = 0.0  # E[price; all others < a], second price
    for a in range(count):
        probability = 0.0
        for g in range(nodes.shape[0]):
            product = weights[g]
            for q in range(n):
                if q != player:
                    product *= below[q] + nodes[g] * dist[q, a]
            probability += product
        upto = 1.0
        for q in range(n):
            if q != player:
                below[q] += dist[q, a]
                upto *= below[q]
        enters = bids[a] >= reserve
        win[a] = probability if enters else 0.0
        if not enters:
            pay[a] = 0.0
        elif code == FIRST:
            pay[a] = bids[a] * probability
        elif code == ALL_PAY:
            pay[a] = bids[a]
        else:
            pay[a] = cost + max(bids[a], reserve) * (probability - under)
            if code == ATTRITION:
                pay[a] += bids[a] * (1.0 - probability)
        cost += max(bids[a], reserve) * (upto - under)
        under = upto


@kernel
def player_value(policy, prior, values, legal, win, pay, loss):  # type: ignore[no-untyped-def]
    """Return the ex-ante value and best-response value of a player; write the interim loss [T] of each type."""
    value = 0.0
    best_value = 0.0
    for t in range(values.shape[0]):
        best = -np.inf
        mean = 0.0
        for a in range(win.shape[0]):
            if legal[t, a]:
                u = values[t] * win[a] - pay[a]
                best = max(best, u)
                mean += policy[t, a] * u
        loss[t] = best - mean
        value += prior[t] * mean
        best_value += prior[t] * best
    return value, best_value


@kernel
def cfr_plus(  # type: ignore[no-untyped-def]
    code, reserve, bids, counts, values, prior, legal, nodes, weights, regret, average, policy, first, steps,
    regret_power, average_power,
):  # fmt: skip
    """Do iterations ``first + 1 .. first + steps`` of CFR+ in place; players update in turn.

    Args:
        code: Rule.
        reserve: Reserve price.
        bids: [A] grid.
        counts: [n] number of types of each player.
        values: [n, T] values of the types.
        prior: [n, T] probabilities.
        legal: [n, T, A] bids a type may make.
        nodes: Gauss-Legendre nodes.
        weights: Their weights.
        regret: [n, T, A] positive regrets.
        average: [n, T, A] weighted sums of policies.
        policy: [n, T, A] current policies.
        first: Iterations done.
        steps: Iterations to do.
        regret_power: Iteration t adds regrets with weight t to this power; 0 is CFR+.
        average_power: The same for the average policy; 1 is CFR+.
    """
    n, _, count = policy.shape
    dist = np.zeros((n, count))
    win, pay = np.empty(count), np.empty(count)
    for q in range(n):
        bid_distribution(policy[q], prior[q], dist[q])
    for iteration in range(first + 1, first + steps + 1):
        # Fading the old regrets is the same as weighing the new ones, and keeps the numbers small.
        kept = ((iteration - 1.0) / iteration) ** regret_power
        weight = float(iteration) ** average_power
        for p in range(n):
            win_and_pay(code, p, dist, bids, reserve, nodes, weights, win, pay)
            dist[p, :] = 0.0
            for t in range(counts[p]):
                v = values[p, t]
                mean = 0.0
                for a in range(count):
                    mean += policy[p, t, a] * (v * win[a] - pay[a])
                total = 0.0
                for a in range(count):
                    average[p, t, a] += weight * policy[p, t, a]
                    if legal[p, t, a]:
                        r = max(0.0, kept * regret[p, t, a] + (v * win[a] - pay[a] - mean))
                        regret[p, t, a] = r
                        total += r
                w = prior[p, t]
                if total > 0.0:
                    scale = 1.0 / total
                    for a in range(count):
                        x = regret[p, t, a] * scale
                        policy[p, t, a] = x
                        dist[p, a] += w * x
                else:
                    allowed = 0
                    for a in range(count):
                        allowed += legal[p, t, a]
                    for a in range(count):
                        x = 1.0 / allowed if legal[p, t, a] else 0.0
                        policy[p, t, a] = x
                        dist[p, a] += w * x
