"""Wide tables of bidding worlds: bid curves beside the fluid optimum, pacing within an episode, prices to beat.

**bid_curves.** Bids over the click probability in four states of an episode: shares of time and of budget left.
*theory* is the bid of the fluid problem, which may spend the budget left evenly in expectation and buys every
request whose click probability per unit of money is high enough: a = s theta with E[price 1(price <= s theta)] =
budget left / requests left (for profit at most the value of a click).  NaN at first prices, where it does not hold.

**pacing.** The last episode played once more with the present multipliers: the share of the budget spent and of
the requests won up to every fiftieth of it.  Learners and controllers are left as they were.

**landscape.** The chance to win by the bid: the share of requests whose price to beat is at most that, for the
training stream and for what each bidder met in the judged episodes (a market) or the test stream (a campaign).

Source of the fluid problem: Balseiro and Gur (2019), Management Science 65, 3952.
Cost: about 13 episodes per recorded ``pacing``, a sort of at most 1e5 requests per state for ``bid_curves``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.rules import LINEAR, MAX_PRICE, pack
from equilibria.sim.errors import unknown_name
from equilibria.sim.types import AnyArray, FloatArray

if TYPE_CHECKING:
    from equilibria.games.auctions.rtb.world import Campaign

TABLES: Final = ("bid_curves", "pacing", "landscape")
STATES: Final = ((1.0, 1.0), (0.5, 0.5), (0.5, 0.25), (0.5, 0.75))
CHECKPOINTS: Final = 50
_THETAS, _PRICE_STEP, _SAMPLE, _NEVER = 41, 5, 100_000, 65_535


def table(world: Campaign, name: str) -> Mapping[str, AnyArray]:
    """Return the rows of a table, columns without ``unit``.

    Raises:
        UnknownName: If the world offers no such table.
    """
    if name == "bid_curves":
        return bid_curves(world)
    if name == "pacing":
        return pacing(world)
    if name == "landscape":
        return landscape(world)
    raise unknown_name("table", name, TABLES)


def bid_curves(world: Campaign) -> Mapping[str, AnyArray]:
    """Return bids and the fluid optimum by bidder, state and click probability; see the module."""
    plan, met = world.plan, _met(world)
    top = float(np.quantile(plan.requests.theta[:_SAMPLE], 0.995))
    thetas = np.linspace(0.0, top, _THETAS)
    rows = []
    for i, label in enumerate(world.labels):
        for time, money in STATES:
            left, budget = max(1, round(time * plan.length)), int(money * plan.budget)
            scale = fluid_scale(world, met[i], budget / left)
            flat = plan.objective == "impressions"
            theory = np.minimum(scale * (np.ones(_THETAS) if flat else thetas), MAX_PRICE)
            rows.append((label, time, money, thetas, _bids(world, i, thetas, left, budget), theory))
    return {
        "bidder": np.repeat([r[0] for r in rows], _THETAS),
        "time_left": np.repeat([r[1] for r in rows], _THETAS),
        "budget_left": np.repeat([r[2] for r in rows], _THETAS),
        "theta": np.concatenate([r[3] for r in rows]),
        "bid": np.concatenate([r[4] for r in rows]),
        "theory": np.concatenate([r[5] for r in rows]),
    }


def fluid_scale(world: Campaign, met: FloatArray, rate: float) -> float:
    """Return the scale of the fluid optimum, NaN at first prices.

    Args:
        world: The world; its objective and pricing are read.
        met: float64 [n, 2] click probability and price to beat of the requests that are expected.
        rate: Money that may be spent per request.
    """
    if not world.second_price:
        return float("nan")
    plan = world.plan
    theta = np.ones(len(met)) if plan.objective == "impressions" else met[:, 0]
    price = met[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(price > 0, price / theta, 0.0)
    order = np.argsort(ratio, kind="stable")
    bought = int(np.searchsorted(np.cumsum(price[order]) / len(met), rate, side="right"))
    unbound = MAX_PRICE / max(float(theta.min()), 1e-12)
    scale = float(ratio[order[bought]]) if bought < len(order) else unbound
    return min(scale, plan.cpc) if plan.objective == "profit" else min(scale, unbound)


def pacing(world: Campaign) -> Mapping[str, AnyArray]:
    """Return spent shares and won shares by bidder over the last episode; see the module."""
    requests = np.unique(np.linspace(0, world.plan.length, CHECKPOINTS + 1).round().astype(np.int64))
    played = world.replay_last(requests[1:])
    budget = max(world.plan.budget, 1)
    spent = np.vstack([np.zeros(world.agents), played[:, :, kernels.COST]]) / budget
    won = np.vstack([np.zeros(world.agents), played[:, :, kernels.IMPRESSIONS]]) / np.maximum(requests, 1)[:, None]
    return {
        "bidder": np.repeat(np.asarray(world.labels), len(requests)),
        "request": np.tile(requests, world.agents),
        "spent": spent.T.ravel(),
        "won": won.T.ravel(),
    }


def landscape(world: Campaign) -> Mapping[str, AnyArray]:
    """Return the chance to win by the bid; see the module."""
    prices = np.arange(0, MAX_PRICE + 1, _PRICE_STEP)
    series: dict[str, AnyArray] = {"training": world.plan.requests.price}
    series |= {label: met[:, 1] for label, met in zip(world.labels, _met(world), strict=True)}
    if not world.meets:
        series = {"training": series["training"], "test": world.present_prices()}
    chances = [np.searchsorted(np.sort(p), prices, side="right") / max(len(p), 1) for p in series.values()]
    return {
        "stream": np.repeat(list(series), len(prices)),
        "price": np.tile(prices, len(series)),
        "win_probability": np.concatenate(chances),
    }


def _met(world: Campaign) -> list[FloatArray]:
    """Return (theta, price to beat) [n, 2] per bidder: what it met in a market, else the training stream."""
    r = world.plan.requests.part(0, min(world.plan.requests.count, _SAMPLE))
    known = np.stack([r.theta, r.price.astype(np.float64)], axis=1)
    if not world.meets:
        return [known] * world.agents
    count, _, met = world.judged()
    return [m[:, :2] if count else known for m in met]


def _bids(world: Campaign, bidder: int, thetas: FloatArray, left: int, budget: int) -> FloatArray:
    """Return the bids [K] of one bidder with ``left`` requests to come and ``budget`` left."""
    rule, multiplier = world.rule(bidder)
    if rule.kind == LINEAR:
        return np.floor(np.minimum(rule.wish(thetas, multiplier), min(budget, rule.table.top)))
    packed: Any = pack((rule,))
    never, bids = np.full(1, _NEVER, np.uint16), np.zeros(1, np.int64)
    found = np.zeros(len(thetas))
    for k in range(len(thetas)):
        kernels.explicit_bids(
            thetas[k : k + 1], left, budget, packed.integers, packed.reals, packed.tables, never, bids
        )
        found[k] = max(int(bids[0]), 0)
    return found
