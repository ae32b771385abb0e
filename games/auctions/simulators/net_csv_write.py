"""Days of the AuctionNet world as csv in the published format.

Columns as in ``net_csv``: ``leastWinningCost`` is the fourth highest bid of the impression, at least the reserve,
``cost`` the price of a won slot whether it was shown or not, and bids that the repair of budgets dropped are 0.
Numbers are written so that reading gives the same values bit by bit.

Cost: about 3 s and 100 MB per million lines (a day of n impressions has 48 n).
"""

from __future__ import annotations

import gzip
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equilibria.games.auctions.simulators import net_kernels as kernels
from equilibria.games.auctions.simulators.net_bidders import NetStep
from equilibria.games.auctions.simulators.net_csv import FIELDS
from equilibria.games.auctions.simulators.net_settings import LEAST_BUDGET, PER_CATEGORY, STEPS
from equilibria.sim.errors import InvalidValue

if TYPE_CHECKING:
    from equilibria.games.auctions.simulators.net import AuctionNet


def write_days(
    world: AuctionNet, path: str | Path, days: Collection[int], *, advertisers: Collection[int] | None = None
) -> int:
    """Play days and write them to one file; a day's number becomes ``deliveryPeriodIndex``.

    Args:
        world: Has bidders and seeds (``use`` and ``reset``).
        path: ``*.csv``, or ``*.csv.gz`` to compress.
        days: Numbers of days, from 1.
        advertisers: Whose lines are written (0..47), ``None`` for all.

    Returns:
        The number of lines after the header.

    Raises:
        InvalidValue: If a day or an advertiser does not exist, or the world was not reset.
    """
    chosen = sorted(range(world.agents) if advertisers is None else set(advertisers))
    if not chosen or chosen[0] < 0 or chosen[-1] >= world.agents:
        raise InvalidValue(f"advertisers must lie in 0..{world.agents - 1}, got {chosen}")
    if any(day < 1 for day in days):
        raise InvalidValue(f"days must be at least 1, got {sorted(days)}")
    file, written = Path(path), 0
    with gzip.GzipFile(file, "wb", mtime=0) if file.suffix == ".gz" else file.open("wb") as handle:
        handle.write(",".join(FIELDS).encode() + b"\n")
        for day in days:
            left, first, ratio = world.budgets.copy(), 0, world.episode(day).ratio

            def watch(
                predicted: Any, bids: Any, step: NetStep, t: int, day: int = day, left: Any = left, ratio: Any = ratio
            ) -> None:
                nonlocal first, written
                for a in chosen:
                    end = t == STEPS - 1 or left[a] < LEAST_BUDGET
                    sigma = np.empty(step.shown.size)
                    kernels.sigmas(world.key, day * STEPS + t, a, ratio[a], predicted[a], sigma)
                    own = (predicted[a], sigma, bids[a])
                    frame = _rows(world, day, a, t, first, float(left[a]), own, step, end)
                    handle.write(frame.write_csv(include_header=False).encode())
                    written += frame.height
                left[:] = np.maximum(0.0, left - step.totals[:, 0])
                first += int(step.shown.size)

            world.play(day, watch)
    return written


def _rows(
    world: AuctionNet, day: int, a: int, t: int, first: int, left: float, own: tuple[Any, Any, Any], step: NetStep,
    end: bool,
) -> Any:  # fmt: skip
    """Return a polars frame of an advertiser's lines of a step, in the order of the columns."""
    import polars as pl

    n = step.shown.size
    slot = step.slot(a)
    column = np.maximum(slot - 1, 0)[None]
    won = slot > 0
    price = np.where(won, np.take_along_axis(step.paid, column, 0)[0], 0.0)
    exposed = won & (slot <= step.shown)
    converted = exposed & (np.take_along_axis(step.converted, column, 0)[0] > 0)
    predicted, sigma, bids = own
    fixed = {
        "deliveryPeriodIndex": day, "advertiserNumber": a, "advertiserCategoryIndex": a // PER_CATEGORY,
        "budget": float(world.budgets[a]), "CPAConstraint": float(world.limits[a]), "timeStepIndex": t,
        "remainingBudget": left, "isEnd": int(end),
    }  # fmt: skip
    moving = {
        "pvIndex": np.arange(first, first + n), "pValue": predicted, "pValueSigma": sigma, "bid": bids,
        "xi": won.astype(np.int8), "adSlot": slot, "cost": price, "isExposed": exposed.astype(np.int8),
        "conversionAction": converted.astype(np.int8), "leastWinningCost": np.maximum(step.top[3], step.reserve),
    }  # fmt: skip
    return pl.DataFrame(moving).with_columns(pl.lit(v).alias(k) for k, v in fixed.items()).select(FIELDS)
