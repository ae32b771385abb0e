"""Certificate of bidding worlds, and the hindsight bound.

**Best reply.** For each bidder, take the prices it had to beat in the last K complete episodes as
given (the empirical market) and replay every linear bid a = floor(s theta) of a grid of 300 scales
s = 1/theta_mean ... 300/theta_mean with its budget.  The best one minus what the bidder earned is its
gain from deviating, exact within linear bids on the grid.

**Hindsight bound.** Sort the requests of an episode by true value over price, buy down the list until
the budget is gone, the last one in part: no policy can earn more in expected clicks at second prices
with these prices, so the bound minus the earning bounds every gain from above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.sim.certificate import Certificate
from equilibria.sim.types import JSON, FloatArray

if TYPE_CHECKING:
    from equilibria.games.auctions.rtb.world import Campaign

GRID = 300


def hindsight_bound(met: FloatArray, length: int, budget: int) -> float:
    """Return the fractional knapsack value summed over episodes.

    Args:
        met: float64 [K T, 3] (theta, price to beat, truth).
        length: T.
        budget: B per episode.
    """
    total = 0.0
    for first in range(0, met.shape[0], length):
        price, truth = met[first : first + length, 1], met[first : first + length, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            order = np.argsort(-np.where(price > 0, truth / price, np.inf), kind="stable")
        cost, value = np.cumsum(price[order]), np.cumsum(truth[order])
        bought = int(np.searchsorted(cost, budget, side="right"))
        total += float(value[bought - 1]) if bought else 0.0
        if bought < cost.size and price[order[bought]] > 0:
            left = budget - (float(cost[bought - 1]) if bought else 0.0)
            total += float(truth[order[bought]]) * left / float(price[order[bought]])
    return total


def worth(world: Campaign) -> tuple[FloatArray, float]:
    """Return (value per win, value per click) and the weight of money of the world's objective."""
    plan = world.plan
    if plan.objective == "impressions":
        return np.array([1.0, 0.0]), 0.0
    if plan.objective == "profit":
        return np.array([0.0, plan.cpc]), 1.0
    return np.array([0.0, 1.0]), 0.0


def best_reply(world: Campaign, met: FloatArray) -> tuple[float, float]:
    """Return the value of the best linear bid over the judged episodes, and its scale in units of 1/theta_mean."""
    grid = np.arange(1, GRID + 1, dtype=np.float64)
    gains = np.zeros(GRID)
    value, weight = worth(world)
    kernels.best_reply(
        met, world.plan.length, world.plan.budget, MAX_PRICE, grid / world.plan.theta_mean, world.second_price,
        value, weight, gains,
    )  # fmt: skip
    k = int(np.argmax(gains))
    return float(gains[k]), float(grid[k])


def certificate(world: Campaign) -> Certificate:
    """Return the largest gain of a bidder from another linear bid, per episode."""
    count, results, met = world.judged()
    value, weight = worth(world)
    per = max(count, 1)
    gains: dict[str, JSON] = {}
    details: dict[str, JSON] = {"episodes_judged": count}
    shares: dict[str, JSON] = {}
    for i, label in enumerate(world.labels):
        r = results[i].sum(axis=0)
        own = float(value[0] * r[kernels.IMPRESSIONS] + value[1] * r[kernels.VALUE] - weight * r[kernels.COST])
        best, _ = best_reply(world, met[i])
        gains[label] = max(0.0, best - own) / per
        bound = hindsight_bound(met[i], world.plan.length, world.plan.budget)
        if world.plan.objective == "clicks" and bound > 0.0:
            shares[label] = own / bound
    largest = max((_number(g) for g in gains.values()), default=0.0)
    details |= {"gains": gains, "share_of_hindsight_bound": shares, "budget": world.plan.budget}
    details |= closed_form(world)
    units = {"clicks": "expected clicks", "profit": "money", "impressions": "impressions"}
    return Certificate(
        measure="largest best-reply gain within linear bids",
        value=largest,
        unit=f"{units[world.plan.objective]} per episode",
        method=f"exact replay of {GRID} linear bids against the market of the last {count} episodes",
        details=details,
        warning="bids that are not linear in the click probability may gain more"
        if count
        else "no episode is complete",
    )


def closed_form(world: Campaign) -> dict[str, JSON]:
    """Return the fluid optimum of the uniform campaign, empty for other ones.

    With theta and price / 300 uniform and r = B / (300 T) <= 1/6, the linear bid that spends the
    budget is a = 300 m theta with m = sqrt(6 r); it wins m / 2 of the requests and earns m / 3 per request.
    Source: Balseiro and Gur (2019), Management Science 65, 3952, for the dual; the integral is elementary.
    """
    s = world.settings
    rate = world.plan.budget / (MAX_PRICE * world.plan.length)
    if s.campaign != "uniform" or s.log is not None or not world.second_price or rate > 1.0 / 6.0:
        return {}
    m = float(np.sqrt(6.0 * rate))
    return {"fluid_scale": MAX_PRICE * m, "fluid_clicks_per_episode": world.plan.length * m / 3.0}


def _number(value: Any) -> float:
    return float(value)
