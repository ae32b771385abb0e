"""Price of anarchy: worst equilibrium welfare over optimal welfare, with instances that attain the bound.

Reference: Roughgarden, Syrgkanis, Tardos (2017), The price of anarchy in auctions, JAIR 59 (survey);
Jin and Lu (2022) for independent first-price; Caragiannis et al. (2015) for GSP; Aggarwal, Badanidiyuru,
Mehta (2019) for autobidding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bound:
    """One known value.

    Attributes:
        setting: Auction, values and equilibrium concept.
        ratio: Worst equilibrium welfare over optimum, in (0, 1].
        tight: Whether an instance attains it; else welfare is at least this share.
        source: Where it is shown.
    """

    setting: str
    ratio: float
    tight: bool
    source: str


_SURVEY = "Roughgarden, Syrgkanis, Tardos (2017)"
_GSP = "Caragiannis et al. (2015)"

BOUNDS: Final[tuple[Bound, ...]] = (
    Bound("first price, independent values, Bayes-Nash", 1 - math.exp(-2), True, "Jin and Lu (2022)"),
    Bound("first price, correlated values, Bayes-Nash", 1 - math.exp(-1), True, _SURVEY),
    Bound("first price, complete information, pure Nash", 1.0, True, _SURVEY),
    Bound("second price, single item, no overbidding", 1.0, True, _SURVEY),
    Bound("GSP, two slots, pure Nash, conservative", 0.8, True, _GSP),
    Bound("GSP, three slots, pure Nash, conservative", 1 / 1.259, True, _GSP),
    Bound("GSP, pure Nash, conservative", 1 / 1.282, False, _GSP),
    Bound("GSP, Bayes-Nash, conservative", 1 / 2.927, False, _GSP),
    Bound("all-pay, single item, two bidders, complete information", 7 / 8, True, "Baye, Kovenock, de Vries (1996)"),
    Bound("all-pay item bidding, XOS, mixed Nash", 1 / 1.82, False, _SURVEY),
    Bound("simultaneous first price, XOS, mixed Nash", 1 - math.exp(-1), True, _SURVEY),
    Bound("simultaneous second price, XOS, no overbidding", 0.5, True, _SURVEY),
    Bound("uniform price, submodular", 1 / 3.1462, False, _SURVEY),
    Bound("discriminatory, submodular", 1 - math.exp(-1), False, _SURVEY),
    Bound("second price, target-CPA autobidders, uniform bidding", 0.5, True, "Aggarwal et al. (2019)"),
)


@dataclass(frozen=True, slots=True)
class PositionInstance:
    """A position auction with bids in equilibrium.

    Attributes:
        values: Values per click.
        ctr: Click-through rates.
        bids: Equilibrium bids.
        welfare: Welfare of the equilibrium.
        optimum: Largest welfare.
    """

    values: tuple[float, ...]
    ctr: tuple[float, ...]
    bids: tuple[float, ...]
    welfare: float
    optimum: float


GSP_TWO_SLOTS: Final = PositionInstance((1.0, 0.5), (1.0, 0.5), (0.0, 0.5), 1.0, 1.25)
"""GSP at 0.8: bidder 2 holds the top slot, and bidder 1 does not gain by outbidding."""


@dataclass(frozen=True, slots=True)
class AutobiddingInstance:
    """Queries sold by second price to value maximisers with target cost per value of 1.

    Attributes:
        values: [bidder][query] values.
        multipliers: Uniform bid multiplier of each bidder.
        welfare: Liquid welfare of the equilibrium.
        optimum: Largest welfare.
    """

    values: tuple[tuple[float, ...], ...]
    multipliers: tuple[float, ...]
    welfare: float
    optimum: float


def autobidding_instance(epsilon: float = 0.01) -> AutobiddingInstance:
    """Return the instance whose ratio (1 + eps) / 2 tends to 1/2.

    Bidder A values the queries (1, eps), bidder B (0, 1); A's multiplier above 1 / eps wins both and pays 1.
    """
    return AutobiddingInstance(((1.0, epsilon), (0.0, 1.0)), (1.01 / epsilon, 1.0), 1 + epsilon, 2.0)
