"""Compiled steps and dynamic programmes of the feed.

Axes: B sessions, K items, M users, G points of fatigue in [0, 1], H items of a session.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import normal, unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import words


@kernel(inline="always")
def _next(f, bait, quality, fatigue, recovery):  # type: ignore[no-untyped-def]
    return min(1.0, max(0.0, f + fatigue * bait - recovery * quality))


@kernel
def begin(key, clock, b, taste, tired, elapsed, observation):  # type: ignore[no-untyped-def]
    """Draw a new user for session b and write the first observation."""
    w = words(key, clock, b, 1)
    for d in range(4):
        taste[b, d] = normal(w[d])
        observation[b, 0, d] = taste[b, d]
    tired[b] = 0.0
    elapsed[b] = 0
    observation[b, 0, 4] = 0.0
    observation[b, 0, 5] = 0.0


@kernel
def begin_all(key, clock, taste, tired, elapsed, observation):  # type: ignore[no-untyped-def]
    """Begin every session."""
    for b in range(tired.shape[0]):
        begin(key, clock, b, taste, tired, elapsed, observation)


@kernel
def advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, topics, bait, quality, numbers, actions, taste, tired, extra, left, elapsed, reward,
    observation, final, ended,
):  # fmt: skip
    """Show one item to every user; ended sessions begin anew.

    Args:
        key: uint64.
        clock: Number of the step.
        horizon: H.
        topics: float64 [K, 4].
        bait: float64 [K].
        quality: float64 [K].
        numbers: float64 [5] clickbait weight, fatigue, recovery, leaving, tired leaving.
        actions: int64 [B, 1].
        taste: float64 [B, 4].
        tired: float64 [B].
        extra: float64 [B, 2] likes and shares of the step, overwritten.
        left: bool [B] whether the user left, overwritten.
        elapsed: int64 [B].
        reward: float64 [B, 1] watch time, overwritten.
        observation: float32 [B, 1, 6].
        final: float32 [B, 1, 6].
        ended: bool [B], overwritten.
    """
    for b in range(tired.shape[0]):
        k = actions[b, 0]
        match = 0.0
        for d in range(4):
            match += taste[b, d] * topics[k, d]
        w0, w1, w2, _ = words(key, clock, b, 0)
        reward[b, 0] = np.log1p(np.exp(match + numbers[0] * bait[k])) * (1.0 - tired[b])
        extra[b, 0] = 1.0 if unit(w0) < 1.0 / (1.0 + np.exp(3.0 - 2.0 * quality[k] - match)) else 0.0
        extra[b, 1] = 1.0 if unit(w1) < 1.0 / (1.0 + np.exp(4.0 - 3.0 * quality[k])) else 0.0
        tired[b] = _next(tired[b], bait[k], quality[k], numbers[1], numbers[2])
        elapsed[b] += 1
        observation[b, 0, 4] = tired[b]
        observation[b, 0, 5] = elapsed[b] / horizon
        left[b] = unit(w2) < numbers[3] + numbers[4] * tired[b]
        ended[b] = left[b] or elapsed[b] == horizon
        if ended[b]:
            final[b] = observation[b]
            begin(key, clock, b, taste, tired, elapsed, observation)


@kernel
def weighted_values(users, topics, bait, quality, numbers, horizon, grid, weights, out):  # type: ignore[no-untyped-def]
    """Solve for the largest expected watch time plus weighted likes and shares of a session.

    Args:
        users: float64 [M, 4].
        topics: float64 [K, 4].
        bait: float64 [K].
        quality: float64 [K].
        numbers: float64 [5].
        horizon: H.
        grid: Number G of points of fatigue; values between points are linear.
        weights: float64 [W, 2] weights of likes and shares.
        out: float64 [W, M], overwritten.
    """
    items = bait.shape[0]
    now, later = np.empty(grid), np.empty(grid)
    watch, bonus = np.empty(items), np.empty(items)
    lower, rest, stay = np.empty((grid, items), np.int64), np.empty((grid, items)), np.empty((grid, items))
    for g in range(grid):
        for k in range(items):
            after = _next(g / (grid - 1), bait[k], quality[k], numbers[1], numbers[2])
            lower[g, k] = min(int(after * (grid - 1)), grid - 2)
            rest[g, k] = after * (grid - 1) - lower[g, k]
            stay[g, k] = 1.0 - numbers[3] - numbers[4] * after
    for v in range(weights.shape[0]):
        for m in range(users.shape[0]):
            for k in range(items):
                match = 0.0
                for d in range(4):
                    match += users[m, d] * topics[k, d]
                watch[k] = np.log1p(np.exp(match + numbers[0] * bait[k]))
                like = 1.0 / (1.0 + np.exp(3.0 - 2.0 * quality[k] - match))
                share = 1.0 / (1.0 + np.exp(4.0 - 3.0 * quality[k]))
                bonus[k] = weights[v, 0] * like + weights[v, 1] * share
            later[:] = 0.0
            for _ in range(horizon):
                for g in range(grid):
                    fresh, best = 1.0 - g / (grid - 1), -np.inf
                    for k in range(items):
                        low, x = lower[g, k], rest[g, k]
                        ahead = (1.0 - x) * later[low] + x * later[low + 1]
                        best = max(best, watch[k] * fresh + bonus[k] + stay[g, k] * ahead)
                    now[g] = best
                later[:] = now
            out[v, m] = later[0]


@kernel
def policy_step(users, topics, bait, quality, numbers, probability, later, now):  # type: ignore[no-untyped-def]
    """Go back one item of a policy: float64 ``now`` [M, G, 3] from ``later``, with ``probability`` [M, G, K]."""
    grid, items = later.shape[1], bait.shape[0]
    for m in range(users.shape[0]):
        for g in range(grid):
            f = g / (grid - 1)
            now[m, g, :] = 0.0
            for k in range(items):
                p = probability[m, g, k]
                if p == 0.0:
                    continue
                match = 0.0
                for d in range(4):
                    match += users[m, d] * topics[k, d]
                after = _next(f, bait[k], quality[k], numbers[1], numbers[2])
                place = after * (grid - 1)
                low = min(int(place), grid - 2)
                rest = place - low
                stay = 1.0 - numbers[3] - numbers[4] * after
                for r in range(3):
                    if r == 0:
                        pay = np.log1p(np.exp(match + numbers[0] * bait[k])) * (1.0 - f)
                    elif r == 1:
                        pay = 1.0 / (1.0 + np.exp(3.0 - 2.0 * quality[k] - match))
                    else:
                        pay = 1.0 / (1.0 + np.exp(4.0 - 3.0 * quality[k]))
                    ahead = (1.0 - rest) * later[m, low, r] + rest * later[m, low + 1, r]
                    now[m, g, r] += p * (pay + stay * ahead)
