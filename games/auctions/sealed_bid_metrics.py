"""Metrics of sealed-bid auctions: numbers that the solver computes exactly, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from equilibria.sim.errors import Unsupported
from equilibria.sim.plugin import NoSettings

Direction = Literal["lower", "higher", "none"]
_MEMO: Final = "sealed_bid_numbers"


@dataclass(frozen=True, slots=True)
class AuctionNumber:
    """One number of the solver's ``metrics()``.

    Attributes:
        key: Name of the number in ``metrics()``.
        name: Name of the metric.
        unit: Unit of the value.
        direction: Which way is better.
    """

    key: str
    name: str
    unit: str = "money per auction"
    direction: Direction = "lower"

    def compute(self, view: Any) -> float:
        """Return the number; all metrics of one recording point share one evaluation."""
        if _MEMO not in view.memo:
            view.memo[_MEMO] = view.solver.metrics()
        numbers: dict[str, float] = view.memo[_MEMO]
        if self.key not in numbers:
            raise Unsupported(
                f"{self.name}: the theory of this auction is not known in closed form; leave the metric out"
            )
        return numbers[self.key]


def nash_conv(settings: NoSettings) -> AuctionNumber:
    """Build the sum of ex-ante gains."""
    return AuctionNumber("nash_conv", "auction_nash_conv")


def interim_loss(settings: NoSettings) -> AuctionNumber:
    """Build the largest loss of a type."""
    return AuctionNumber("interim_loss", "interim_loss")


def revenue(settings: NoSettings) -> AuctionNumber:
    """Build the expected revenue."""
    return AuctionNumber("revenue", "auction_revenue", direction="none")


def bid_error(settings: NoSettings) -> AuctionNumber:
    """Build the largest distance of mean bids from the closed form."""
    return AuctionNumber("bid_error", "bid_error", unit="money")


def bid_l2(settings: NoSettings) -> AuctionNumber:
    """Build the root mean square distance of mean bids from the closed form."""
    return AuctionNumber("bid_l2", "bid_l2", unit="money")


def menu_revenue(settings: NoSettings) -> AuctionNumber:
    """Build the revenue of a menu."""
    return AuctionNumber("revenue", "menu_revenue", unit="money per sale", direction="higher")


def menu_revenue_share(settings: NoSettings) -> AuctionNumber:
    """Build the revenue of a menu over the optimum."""
    return AuctionNumber("revenue_share", "menu_revenue_share", unit="share of the optimum", direction="higher")


def auction_regret(settings: NoSettings) -> AuctionNumber:
    """Build the regret of a learned auction."""
    return AuctionNumber("regret", "auction_regret", unit="money per sale")
