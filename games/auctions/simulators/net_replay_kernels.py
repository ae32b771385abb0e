"""Compiled replay of an AuctionNet log: one advertiser against the least winning costs.

Counters: (trajectory and step, impression, purpose), so conversions and dropped wins do not depend on who bids.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import normal, unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words

COST, CONVERSIONS, WINS, EXPECTED = range(4)
_CONVERSION, _REPAIR = 1, 2


@kernel
def replay_step(key, step, left, least, predicted, sigma, bids, won, converted, out):  # type: ignore[no-untyped-def]
    """Play one step.

    A bid above 0 that reaches the least winning cost wins, pays that cost and is shown.  As long as the cost c exceeds
    the money left l, ceil((c - l) / (c + 1e-4) W) random ones of the W wins are dropped.  A win converts with
    probability clip(N(predicted, sigma), 0, 1).

    Args:
        key: uint64 key.
        step: Number of the step over all trajectories.
        left: Money left.
        least: float64 [n] least winning cost.
        predicted: float32 [n].
        sigma: float64 [n].
        bids: float64 [n].
        won: bool [n], overwritten.
        converted: bool [n], overwritten.
        out: float64 [4] cost, conversions, wins, sum of predicted values of wins; overwritten.
    """
    n = bids.shape[0]
    places = np.empty(n, np.int64)
    for i in range(n):
        won[i] = bids[i] > 0.0 and bids[i] >= least[i]
    rounds = 0
    while True:
        cost, count = 0.0, 0
        for i in range(n):
            if won[i]:
                cost += least[i]
                places[count] = i
                count += 1
        if cost <= left:
            break
        drop = int(min(float(count), np.ceil((cost - left) / (cost + 1e-4) * count)))
        for j in range(drop):
            w = words(key, step, _REPAIR + rounds, j)
            other = j + bounded(w[0], count - j)
            places[j], places[other] = places[other], places[j]
            won[places[j]] = False
        rounds += 1
    out[:] = 0.0
    out[COST] = cost
    for i in range(n):
        converted[i] = False
        if not won[i]:
            continue
        out[WINS] += 1.0
        out[EXPECTED] += np.float64(predicted[i])
        w = words(key, step, _CONVERSION, i)
        p = np.float64(predicted[i]) + sigma[i] * normal(w[0])
        if unit(w[1]) < min(1.0, max(0.0, p)):
            converted[i] = True
            out[CONVERSIONS] += 1.0


@kernel
def constant_multipliers(key, first, budget, enough, start, least, predicted, sigma, grid, out):  # type: ignore[no-untyped-def]
    """Replay a trajectory with every constant multiplier.

    Args:
        key: uint64 key.
        first: Number of the trajectory's first step.
        budget: Money.
        enough: Money below which nothing is bid.
        start: int64 [T + 1] first impression of each step.
        least: float64 [n].
        predicted: float32 [n].
        sigma: float64 [n].
        grid: float64 [G] multipliers.
        out: float64 [G, 4], overwritten with totals as in ``replay_step``.
    """
    n = predicted.shape[0]
    bids, won, converted = np.empty(n), np.empty(n, np.bool_), np.empty(n, np.bool_)
    now = np.empty(4)
    for g in range(grid.shape[0]):
        out[g] = 0.0
        left = budget
        for t in range(start.shape[0] - 1):
            a, b = start[t], start[t + 1]
            if left < enough:
                break
            for i in range(a, b):
                bids[i] = np.float64(np.float32(grid[g]) * predicted[i])  # as bidders do, in single precision
            replay_step(
                key, first + t, left, least[a:b], predicted[a:b], sigma[a:b], bids[a:b], won[a:b], converted[a:b], now
            )
            left = max(0.0, left - now[COST])
            for k in range(4):
                out[g, k] += now[k]
