"""Certificate of the AuctionNet world: gain of a constant multiplier against the rivals' bids of an episode.

The last episode is played again (it follows from the seeds).  For each advertiser, every constant bid per
predicted value of a grid is set against the bids of the others: expected cost and conversions over the exposure
of slots, spent in order until the budget is gone (the last step in part), and the score of both.  What the
advertiser really bid is valued in the same way, and the best multiplier's score minus that is its gain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from equilibria.games.auctions.simulators import net_kernels as kernels
from equilibria.games.auctions.simulators.net_bidders import score
from equilibria.games.auctions.simulators.net_settings import EXPOSURE, STEPS
from equilibria.sim.certificate import Certificate
from equilibria.sim.types import JSON, FloatArray

if TYPE_CHECKING:
    from equilibria.games.auctions.simulators.net import AuctionNet

LOWEST, HIGHEST = 1.0, 1000.0


def judge(world: AuctionNet, number: int) -> Certificate:
    """Return the largest gain in score over the advertisers in episode ``number`` (0: none was played)."""
    grid = np.geomspace(LOWEST, HIGHEST, world.settings.grid)
    own, gains, best = values(world, number, grid) if number else (np.zeros(world.agents),) * 3
    details: dict[str, JSON] = {
        "mean_gain": float(gains.mean()),
        "mean_score": float(own.mean()),
        "gains": dict(zip(world.labels, gains.tolist(), strict=True)),
        "best_multiplier": dict(zip(world.labels, best.tolist(), strict=True)),
    }
    return Certificate(
        measure="largest best-reply gain within constant bids per value",
        value=float(gains.max()),
        unit="conversions (score) per episode",
        method=f"replay of {grid.size} multipliers against the rivals' bids of the last episode, expected over exposure, "
        "the last affordable step in part",
        kind="estimate",
        details=details,
        warning="conversions are the predicted ones, and multipliers that change over the day may gain more"
        if number
        else "no episode is complete",
    )


def values(world: AuctionNet, number: int, grid: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return, per advertiser [A], the score of its bids, the gain of the best multiplier and that multiplier."""
    s, agents = world.settings, world.agents
    chance = np.array([EXPOSURE[0], EXPOSURE[0] * EXPOSURE[1], EXPOSURE[0] * EXPOSURE[1] * EXPOSURE[2]])
    own, made = np.zeros((agents, 2)), np.zeros((STEPS, agents, grid.size, 2))

    def watch(predicted: Any, bids: FloatArray, step: Any, t: int) -> None:
        kernels.own_value(predicted, bids, s.reserve, chance, step.top, step.who, own)
        kernels.deviations(predicted, s.reserve, chance, step.top, step.who, grid, made[t])

    world.play(number, watch)
    cost, gain = np.zeros((agents, grid.size)), np.zeros((agents, grid.size))
    for t in range(STEPS):
        left = world.budgets[:, None] - cost
        part = np.clip(left / np.maximum(made[t, :, :, 0], 1e-12), 0.0, 1.0)
        cost += part * made[t, :, :, 0]
        gain += part * made[t, :, :, 1]
    scores = score(gain, cost, world.limits[:, None])
    now = score(own[:, 1], own[:, 0], world.limits)
    return now, np.maximum(0.0, scores.max(axis=1) - now), grid[scores.argmax(axis=1)]
