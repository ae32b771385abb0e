"""Compiled learning in cascading decision processes; axes as in ``games.decisions.cascading_kernels``."""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import unit
from equilibria.games.decisions.cascading_kernels import best_list, evaluate, examine, first_state, follow
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words

EXAMINED, ATTRACTED = 0, 1


@kernel
def optimistic(  # type: ignore[no-untyped-def]
    reward, seen, clicks, moves, scale, log_term, lists, high, low
):
    """Plan with bonuses; with ``scale`` 0 this is planning with the estimates.

    Attraction: q + c (2 sqrt(q (1 - q) L / n) + 5 L / n), at most 1.  Next values: c (2 sqrt(Var(V) L / n) +
    2 sqrt(p (V_high - V_low)^2 L / n) + 5 H L / n), at most the steps to come.  The lower value takes the same
    list with the bonuses against it.

    Args:
        reward: float64 [S, N].
        seen: float64 [S, N] how often an item was examined.
        clicks: float64 [S, N] how often it was attractive.
        moves: float64 [S, N + 1, S] counts of next states after a click.
        scale: c.
        log_term: L.
        lists: int64 [H, S, m], overwritten.
        high: float64 [H + 1, S] upper values, overwritten.
        low: float64 [H + 1, S] lower values, overwritten.
    """
    states, items = reward.shape
    horizon, m = lists.shape[0], lists.shape[2]
    order, table = np.empty(items, np.int64), np.empty((items + 1, m + 1))
    top, bottom = np.empty(items), np.empty(items)
    upper, lower = np.empty(items + 1), np.empty(items + 1)
    high[-1] = low[-1] = 0.0
    for h in range(horizon - 1, -1, -1):
        left = horizon - h - 1.0
        for s in range(states):
            for a in range(items):
                n = seen[s, a]
                if n == 0.0:
                    top[a], bottom[a] = (1.0, 0.0) if scale > 0.0 else (0.5, 0.5)
                    continue
                q = clicks[s, a] / n
                bonus = scale * (2.0 * np.sqrt(q * (1.0 - q) * log_term / n) + 5.0 * log_term / n)
                top[a], bottom[a] = min(1.0, q + bonus), max(0.0, q - bonus)
            for a in range(items + 1):
                pay = reward[s, a] if a < items else 0.0
                n = moves[s, a].sum()
                if n == 0.0:
                    upper[a] = pay + (left if scale > 0.0 else 0.0)
                    lower[a] = pay
                    continue
                mean = square = spread = under = 0.0
                for t in range(states):
                    p = moves[s, a, t] / n
                    mean += p * high[h + 1, t]
                    square += p * high[h + 1, t] ** 2
                    under += p * low[h + 1, t]
                    spread += p * (high[h + 1, t] - low[h + 1, t]) ** 2
                variance = max(0.0, square - mean * mean)
                bonus = scale * (
                    2.0 * np.sqrt(variance * log_term / n) + 2.0 * np.sqrt(spread * log_term / n)
                    + 5.0 * horizon * log_term / n
                )  # fmt: skip
                upper[a] = pay + min(left, mean + bonus)
                lower[a] = pay + max(0.0, under - bonus)
            value = best_list(top, upper[:items], upper[items], order, table, lists[h, s])
            high[h, s] = min(left + 1.0, value)
            value = lower[items]
            for k in range(m - 1, -1, -1):
                a = lists[h, s, k]
                if a >= 0:
                    u = bottom[a] if lower[a] >= value else top[a]
                    value = u * lower[a] + (1.0 - u) * value
            low[h, s] = max(0.0, value)


@kernel
def learn(  # type: ignore[no-untyped-def]
    attraction, reward, transition, best, key, first, episodes, scale, log_term, explore, seen, clicks, moves, lists,
    high, low, totals,
):  # fmt: skip
    """Play episodes and learn from what is observed.

    Exploration replaces the list of each (step, state) by a random one with probability ``explore``.  The policy
    of every episode is evaluated exactly, so regret has no sampling noise beyond the one of learning.

    Args:
        attraction: float64 [S, N] true probabilities.
        reward: float64 [S, N].
        transition: float64 [S, N + 1, S].
        best: Optimal value from the uniform first state.
        key: uint64.
        first: Number of the first episode, from 0.
        episodes: How many.
        scale: Factor c of the bonuses.
        log_term: L.
        explore: Probability of a random list.
        seen: float64 [S, N], updated.
        clicks: float64 [S, N], updated.
        moves: float64 [S, N + 1, S], updated.
        lists: int64 [H, S, m], overwritten.
        high: float64 [H + 1, S], overwritten.
        low: float64 [H + 1, S], overwritten.
        totals: float64 [2] regret and reward, added to.
    """
    states, items = reward.shape
    horizon, m = lists.shape[0], lists.shape[2]
    values, deck = np.empty((horizon + 1, states)), np.arange(items)
    for episode in range(first, first + episodes):
        optimistic(reward, seen, clicks, moves, scale, log_term, lists, high, low)
        if explore > 0.0:
            for h in range(horizon):
                for s in range(states):
                    if unit(words(key, episode, 1, h * states + s)[0]) < explore:
                        for k in range(items):
                            deck[k] = k
                        for k in range(min(m, items)):
                            j = k + bounded(words(key, episode, 2 + h * states + s, k)[0], items - k)
                            deck[k], deck[j] = deck[j], deck[k]
                            lists[h, s, k] = deck[k]
        evaluate(attraction, reward, transition, lists, values)
        totals[0] += best - values[0].mean()
        s = first_state(key, episode, 0, states)
        for h in range(horizon):
            examined, clicked = examine(attraction[s], lists[h, s], key, episode, 0, h)
            for k in range(examined):
                seen[s, lists[h, s, k]] += 1.0
            if clicked < items:
                clicks[s, clicked] += 1.0
                totals[1] += reward[s, clicked]
            t = follow(transition[s, clicked], m, key, episode, 0, h)
            moves[s, clicked, t] += 1.0
            s = t
    optimistic(reward, seen, clicks, moves, scale, log_term, lists, high, low)
