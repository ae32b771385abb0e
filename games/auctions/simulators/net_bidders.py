"""What the AuctionNet world shows to bidders and asks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class NetProfile:
    """An advertiser: number, category, budget (money), CPA limit (money per conversion), least price."""

    agent: int
    category: int
    budget: float
    cpa_limit: float
    reserve: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NetStep:
    """A step that is over; shared by all advertisers.

    Attributes:
        totals: float64 [A, 4] cost, conversions, wins, exposures.
        top: float64 [4, n] highest bids.
        who: int16 [4, n] whose they are, -1 for nobody.
        shown: int8 [n] number of slots shown.
        paid: float64 [3, n] price of sold slots, 0 for unsold ones.
        converted: int8 [3, n].
        reserve: Least price.
    """

    totals: FloatArray
    top: FloatArray
    who: NDArray[np.int16]
    shown: NDArray[np.int8]
    paid: FloatArray
    converted: NDArray[np.int8]
    reserve: float

    @property
    def least_winning_cost(self) -> FloatArray:
        """Lowest bid [n] that would have won a slot after all others had bid (third bid, or the reserve)."""
        return np.asarray(np.maximum(self.top[2], self.reserve))

    def slot(self, agent: int) -> IntArray:
        """Return the slot [n] an advertiser won, 1..3, or 0."""
        won = (self.who[:3] == agent) & (self.paid > 0.0)
        return np.where(won.any(axis=0), won.argmax(axis=0) + 1, 0).astype(np.int64)

    def cost(self, agent: int) -> FloatArray:
        """Return what an advertiser paid [n] per impression."""
        shown = np.arange(3)[:, None] < self.shown
        return np.asarray(np.where((self.who[:3] == agent) & shown, self.paid, 0.0).sum(axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class NetView:
    """What an advertiser sees in a step.

    Attributes:
        step: 0..47.
        agent: Own number.
        predicted: float32 [n] predicted values (conversion rates).
        left: Money left.
        history: Earlier steps of the episode; read one's own part only.
        noise: Function of the own number that returns the standard deviations [n] of the values.
    """

    step: int
    agent: int
    predicted: NDArray[np.float32]
    left: float
    history: tuple[NetStep, ...]
    noise: Callable[[int], FloatArray]

    @property
    def sigma(self) -> FloatArray:
        """Standard deviations [n] of the own values."""
        return self.noise(self.agent)

    @property
    def last_cost(self) -> float:
        """Money spent in the step before, 0 in the first one."""
        return float(self.history[-1].totals[self.agent, 0]) if self.history else 0.0


class NetBidder(Protocol):
    """A bidder of the AuctionNet world; it forgets everything at the begin of an episode."""

    def begin(self, profile: NetProfile) -> None:
        """Begin an episode."""
        ...

    def bid(self, view: NetView) -> FloatArray:
        """Return the bids [n] for all impressions of the step, finite and at least 0."""
        ...


def score(conversions: ArrayLike, cost: ArrayLike, limits: ArrayLike) -> FloatArray:
    """Return conversions times min(1, (limit / CPA)^2), CPA = cost / conversions; 0 without conversions."""
    gained, spent, limit = (np.asarray(x, np.float64) for x in (conversions, cost, limits))
    return np.asarray(gained * np.minimum(1.0, (limit * gained / np.maximum(spent, 1e-12)) ** 2))


def checked_bids(given: ArrayLike, size: int, where: str) -> FloatArray:
    """Return bids as float64 [size].

    Raises:
        InvalidValue: If they have another shape, or one is negative or not finite; begins with ``where``.
    """
    bids = np.asarray(given, np.float64)
    if bids.shape != (size,):
        raise InvalidValue(f"{where}: bids must have shape ({size},), got {bids.shape}")
    low, high = (bids.min(), bids.max()) if size else (0.0, 0.0)
    if not (low >= 0.0 and high < np.inf):
        at = int(np.argmax(~((bids >= 0.0) & (bids < np.inf))))
        raise InvalidValue(f"{where}: bid {at} must be a finite number of at least 0, got {float(bids[at])!r}")
    return bids
