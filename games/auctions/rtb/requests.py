"""Streams of bid requests and what a bidder learns from the training part.

Axes: n requests.  Prices are integers 0 .. 300 in thousandths of a fen (the unit "CNY fen CPM" of the
data); the cost column is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Requests:
    """A stream of requests.

    Attributes:
        theta: float64 [n] predicted click probability.
        price: uint16 [n] market price (the highest competing bid).
        click: uint8 [n] logged or drawn click.
        truth: float64 [n] true click probability; for logs the click itself.
    """

    theta: FloatArray
    price: NDArray[np.uint16]
    click: NDArray[np.uint8]
    truth: FloatArray

    def __post_init__(self) -> None:
        sizes = {self.theta.shape, self.price.shape, self.click.shape, self.truth.shape}
        if len(sizes) != 1 or self.theta.ndim != 1 or self.theta.size == 0:
            raise InvalidValue(f"requests need equally long, non-empty vectors, got shapes {sorted(sizes)}")

    @property
    def count(self) -> int:
        """Number of requests."""
        return int(self.theta.size)

    def part(self, first: int, last: int) -> Requests:
        """Return requests first .. last - 1 as views."""
        return Requests(self.theta[first:last], self.price[first:last], self.click[first:last], self.truth[first:last])


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What bidders know before an episode starts: training requests and the plan.

    Attributes:
        requests: Training stream.
        prices: float64 [301] market price distribution, Laplace-smoothed counts.
        theta_mean: Click rate of the training stream, on the scale of its predictions.
        cpm: Mean market price, money per impression.
        cpc: Training cost per click, money.
        length: T, requests per episode.
        budget: B, money per episode.
        objective: ``"clicks"``, ``"profit"`` or ``"impressions"``.
        first_price: True if winners pay their own bid.
    """

    requests: Requests
    prices: FloatArray
    theta_mean: float
    cpm: float
    cpc: float
    length: int
    budget: int
    objective: str = "clicks"
    first_price: bool = False


def price_distribution(prices: NDArray[np.uint16], top: int = MAX_PRICE) -> FloatArray:
    """Return float64 [top + 1]: (count(d) + 1) / (n + top + 1), Laplace's rule."""
    counts: FloatArray = np.bincount(prices, minlength=top + 1)[: top + 1].astype(np.float64) + 1.0
    share: FloatArray = counts / counts.sum()
    return share


def training(
    requests: Requests,
    *,
    length: int,
    budget_fraction: float,
    objective: str = "clicks",
    expected: bool = False,
    first_price: bool = False,
) -> Training:
    """Summarise a training stream.

    B = floor(cpm * budget_fraction * length).  For logs the click rate is clicks over impressions.  For generated
    streams (``expected``) it is the mean prediction, which the generator sets to the campaign's training click
    rate (true probabilities follow the test phase), and clicks are expected ones.

    Raises:
        InvalidValue: If the stream has no clicks or the plan is out of range.
    """
    if length < 1:
        raise InvalidValue(f"episode_length must be at least 1, got {length}")
    if not 0.0 <= budget_fraction < np.inf:
        raise InvalidValue(f"budget_fraction must be a finite number of at least 0, got {budget_fraction!r}")
    cost = int(requests.price.sum(dtype=np.int64))
    clicks = float(requests.truth.sum()) if expected else float(requests.click.sum(dtype=np.int64))
    if clicks <= 0.0:
        raise InvalidValue("the training requests hold no click; bidders cannot value one")
    cpm = cost / requests.count
    return Training(
        requests=requests,
        prices=price_distribution(requests.price),
        theta_mean=float(requests.theta.mean(dtype=np.float64)) if expected else clicks / requests.count,
        cpm=cpm,
        cpc=cost / clicks,
        length=length,
        budget=int(np.floor(cpm * budget_fraction * length)),
        objective=objective,
        first_price=first_price,
    )
