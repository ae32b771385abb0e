"""Checks of bids and parameters, shared by all rules; every message names the index and what was expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms.check_kernels import all_good
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


def check_bids(bids: ArrayLike, axes: Sequence[str] = ("auctions", "bidders"), *, what: str = "bids") -> FloatArray:
    """Return bids as a C-contiguous float64 array.

    Args:
        bids: Finite numbers >= 0.
        axes: Names of the expected axes, for example ``("auctions", "bidders", "units")``.
        what: Name of the argument for messages.

    Raises:
        InvalidValue: If the rank is wrong, or an entry is NaN, infinite or negative; names its index.
    """
    try:
        array = np.ascontiguousarray(bids, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"{what} must be a rectangular array of numbers: {error}") from error
    shape = np.shape(bids)
    if len(shape) != len(axes):
        raise InvalidValue(f"{what} must have shape [{', '.join(axes)}], got shape {shape}")
    if all_good(array.reshape(-1)):
        return array
    bad = ~np.isfinite(array)
    rule = "be finite" if bad.any() else "be at least 0"
    where = _index(bad if bad.any() else array < 0)
    raise InvalidValue(f"{what}{list(where)} must {rule}, got {float(array[where])!r}")


def _index(bad: np.typing.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argwhere(bad)[0])


def per_bidder(value: ArrayLike, bidders: int, *, what: str) -> FloatArray:
    """Return one finite number >= 0 for each bidder [n], from one number or n of them."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(bidders, float(array))
    if array.shape != (bidders,):
        raise InvalidValue(f"{what} must be one number or {bidders} numbers (one per bidder), got shape {array.shape}")
    return check_bids(array, ("bidders",), what=what)


def apply_budgets(bids: FloatArray, budgets: ArrayLike | None, mode: str) -> FloatArray:
    """Return bids [N, n] that respect the remaining budgets.

    Args:
        bids: [N, n] checked bids.
        budgets: [n] or [N, n] remaining budgets >= 0, ``None`` for no limits.
        mode: ``"clip"`` lowers a bid to the budget, ``"reject"`` makes it 0, ``"error"`` refuses it.

    Raises:
        InvalidValue: If a budget is negative or not finite, shapes differ, or a bid is refused.
    """
    if budgets is None:
        return bids
    limit = np.asarray(budgets, dtype=np.float64)
    limit = check_bids(limit, ("auctions", "bidders") if limit.ndim == 2 else ("bidders",), what="budgets")
    if limit.shape not in (bids.shape, bids.shape[1:]):
        raise InvalidValue(f"budgets must have shape {bids.shape[1:]} or {bids.shape}, got {limit.shape}")
    over = bids > limit
    if mode == "error" and over.any():
        where = _index(over)
        cap = float(np.broadcast_to(limit, bids.shape)[where])
        raise InvalidValue(f"bids{list(where)} = {float(bids[where])!r} exceeds the remaining budget {cap!r}")
    return np.where(over, 0.0, bids) if mode == "reject" else np.minimum(bids, limit)


def check_slots(ctr: Sequence[float]) -> FloatArray:
    """Return click-through rates [K] of slots.

    Raises:
        InvalidValue: If there is no slot, a rate lies outside [0, 1], or the rates increase.
    """
    rates = check_bids(ctr, ("slots",), what="ctr")
    if rates.size < 1:
        raise InvalidValue("ctr must name at least one slot")
    if rates.max() > 1:
        k = int(rates.argmax())
        raise InvalidValue(f"ctr[{k}] must lie in [0, 1], got {float(rates[k])!r}")
    rises = np.flatnonzero(np.diff(rates) > 0)
    if rises.size:
        k = int(rises[0]) + 1
        raise InvalidValue(f"ctr must not increase: ctr[{k}] = {rates[k]!r} is above ctr[{k - 1}] = {rates[k - 1]!r}")
    return rates
