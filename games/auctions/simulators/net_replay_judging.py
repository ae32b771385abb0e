"""Certificate of replayed AuctionNet logs: gain of the best constant multiplier of each trajectory in hindsight.

Every multiplier of a grid is replayed by the rules of the world with the same random numbers, so costs and wins are
exact; scores count predicted conversions, since the best of many drawn outcomes would be lucky.  What a bidder did is
valued in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from equilibria.games.auctions.simulators import net_replay_kernels as kernels
from equilibria.games.auctions.simulators.net_bidders import score
from equilibria.games.auctions.simulators.net_csv import Trajectory
from equilibria.games.auctions.simulators.net_settings import LEAST_BUDGET, STEPS
from equilibria.sim.certificate import Certificate
from equilibria.sim.types import JSON, FloatArray

if TYPE_CHECKING:
    from equilibria.games.auctions.simulators.net_replay import AuctionNetLog

LOWEST, HIGHEST = 1.0, 1000.0


def multipliers(count: int) -> FloatArray:
    """Return the grid, float64 [count], geometric over 1..1000."""
    return np.geomspace(LOWEST, HIGHEST, count)


def constants(world: AuctionNetLog, number: int, trajectory: Trajectory, grid: FloatArray) -> FloatArray:
    """Return the totals float64 [G, 4] of every constant multiplier in a trajectory: see ``replay_step``."""
    t, out = trajectory, np.empty((grid.size, 4))
    kernels.constant_multipliers(
        world.key, number * STEPS, t.budget, LEAST_BUDGET, t.start, t.least, t.predicted, t.sigma, grid, out
    )
    return out


def judge(world: AuctionNetLog, judged: list[tuple[int, Trajectory]], totals: FloatArray) -> Certificate:
    """Return the largest mean gain over the bidders.

    Args:
        world: The world.
        judged: Numbers and trajectories, K of them.
        totals: float64 [K, N, 5] what the bidders did there.
    """
    grid = multipliers(world.settings.grid)
    own, best = np.zeros((len(judged), world.agents)), np.zeros(len(judged))
    logged = np.zeros(len(judged))
    choice: dict[str, JSON] = {}
    for k, (number, t) in enumerate(judged):
        tried = constants(world, number, t, grid)
        scores = score(tried[:, kernels.EXPECTED], tried[:, kernels.COST], t.cpa_limit)
        best[k] = scores.max()
        choice[f"period {t.period}, advertiser {t.advertiser}"] = float(grid[scores.argmax()])
        own[k] = score(totals[k, :, kernels.EXPECTED], totals[k, :, kernels.COST], t.cpa_limit)
        spent, _, expected = t.logged
        logged[k] = score(expected, spent, t.cpa_limit)
    some = max(len(judged), 1)
    gains = np.maximum(0.0, best[:, None] - own).sum(axis=0) / some
    details: dict[str, JSON] = {
        "trajectories_judged": len(judged),
        "gains": dict(zip(world.labels, gains.tolist(), strict=True)),
        "mean_score": dict(zip(world.labels, (own.sum(axis=0) / some).tolist(), strict=True)),
        "mean_score_of_best_constant": float(best.sum() / some),
        "mean_score_logged": float(logged.sum() / some),
        "best_multiplier": choice,
    }
    return Certificate(
        measure="largest gain from the best constant bid per value in hindsight",
        value=float(gains.max()) if gains.size else 0.0,
        unit="expected conversions (score) per trajectory",
        method=f"exact replay of {grid.size} multipliers from {LOWEST:g} to {HIGHEST:g} on the last {len(judged)} trajectories, "
        "predicted conversions",
        details=details,
        warning="multipliers that change over the day may gain more, and logged rivals do not react"
        if judged
        else "no trajectory is complete",
    )
