"""Sealed-bid, clock and posted-price auctions of one item.

========================  =========================  ==================================================
rule                      winner                     payment
========================  =========================  ==================================================
first_price               highest bid b1 >= r        b1
second_price              highest bid b1 >= r        max(b2, r); with a soft floor see the settings
third_price               highest bid b1 >= r        max(b3, r), b3 = 0 with fewer than three bidders
all_pay                   highest bid b1 >= r        everybody the own bid; bids below r pay nothing
war_of_attrition          highest bid                the winner b2, losers the own bid
posted_price              random bidder with b >= p  p
dutch                     highest level of the clock the highest clock price <= b1
english                   highest level of the clock the clock price at which the runner-up has left
========================  =========================  ==================================================

Reference: Krishna (2010), Auction Theory, 2nd ed., chapters 2 and 3.
Cost: O(n) per auction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import single_item_kernels as kernels
from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.checks import apply_budgets, check_bids, per_bidder
from equilibria.mechanisms.outcome import Outcome, in_blocks
from equilibria.mechanisms.settings import (
    ClockSettings,
    PostedPriceSettings,
    ReserveSettings,
    RuleSettings,
    SecondPriceSettings,
)
from equilibria.sim.types import FloatArray

_COMMON = frozenset({"individually_rational", "weakly_budget_balanced", "monotone", "homogeneous"})


@dataclass(frozen=True)
class SingleItemRule(Rule):
    """A single-item auction; build it with the functions of this module or by registry name.

    Example:
        >>> out = second_price(reserve=0.3).allocate_and_price([[0.9, 0.5], [0.2, 0.1]])
        >>> out.winner[:, 0].tolist(), out.revenue.tolist()
        ([0, -1], [0.5, 0.0])
    """

    def allocate_and_price(
        self, bids: ArrayLike, *, budgets: ArrayLike | None = None, first: int = 0, n_jobs: int = 1
    ) -> Outcome:
        """Run a batch of auctions.

        Args:
            bids: [N, n] finite bids >= 0.
            budgets: [n] or [N, n] remaining budgets, ``None`` for none.
            first: Number of the first auction; ties depend on it, so batches can be split anywhere.
            n_jobs: Threads; changes no number.

        Raises:
            InvalidValue: If bids, budgets or personal reserves have a wrong shape or a bad entry.
        """
        checked = apply_budgets(check_bids(bids), budgets, self.settings.on_over_budget)
        return self._run(checked, first, 1, n_jobs)

    def outcome(self, reports: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return allocation and payments [B, N]; every row is auction 0, alone."""
        out = self._run(check_bids(reports), 0, 0, 1)
        return out.alloc[:, :, 0], out.pay

    def _run(self, bids: FloatArray, first: int, stride: int, n_jobs: int) -> Outcome:
        auctions, bidders = bids.shape
        out = Outcome.empty(auctions, bidders, 1)
        reserve, eager, soft, step = self._parameters(bidders)
        s = self.settings

        def block(low: int, high: int) -> None:
            kernels.run(
                kernels.CODES[self.name], bids, reserve, eager, soft, step, s.random_ties, np.uint64(s.seed), first,
                stride, low, high, out.alloc[:, :, 0], out.pay, out.winner, out.price, out.welfare, out.revenue,
            )  # fmt: skip

        in_blocks(block, auctions, n_jobs)
        return out

    def _parameters(self, bidders: int) -> tuple[FloatArray, bool, float, float]:
        """Return reserves [n], whether they are eager, the soft floor and the step of the clock."""
        s = self.settings
        if isinstance(s, PostedPriceSettings):
            return per_bidder(s.price, bidders, what="price"), True, 0.0, 1.0
        if isinstance(s, ClockSettings):
            return per_bidder(s.reserve, bidders, what="reserve"), True, 0.0, s.clock_step
        if isinstance(s, ReserveSettings):
            soft = s.soft_floor if isinstance(s, SecondPriceSettings) else 0.0
            return per_bidder(s.reserve, bidders, what="reserve"), s.reserve_mode == "eager", soft, 1.0
        return np.zeros(bidders), True, 0.0, 1.0

    def claims(self) -> frozenset[str]:
        """Return the properties that hold: truth is dominant in the second price and the posted price only."""
        s = self.settings
        personal = isinstance(s, ReserveSettings) and isinstance(s.reserve, list)
        held = set(_COMMON)
        if not personal:
            held.add("anonymous")
        if self.name in ("all_pay", "war_of_attrition"):
            held.discard("individually_rational")
        if self.name in ("third_price", "war_of_attrition"):
            # the winner may pay less than losers bid, but never more than the own bid
            held.add("monotone")
        hard_only = isinstance(s, SecondPriceSettings) and not s.soft_floor
        if hard_only or self.name == "posted_price":
            held |= {"truthful", "payment_identity"}
        plain = isinstance(s, ReserveSettings) and not personal and s.reserve == 0
        if plain or self.name == "war_of_attrition":
            held.add("efficient")
        return frozenset(held)


def build(name: str, settings: RuleSettings) -> SingleItemRule:
    """Return the rule of a registry name."""
    return SingleItemRule(name, settings)


def first_price(settings: ReserveSettings | None = None, **params: object) -> SingleItemRule:
    """Build the first-price auction; parameters are those of ``ReserveSettings``."""
    return build("first_price", settings or ReserveSettings.model_validate(params))


def second_price(settings: SecondPriceSettings | None = None, **params: object) -> SingleItemRule:
    """Build the second-price (Vickrey) auction; parameters are those of ``SecondPriceSettings``."""
    return build("second_price", settings or SecondPriceSettings.model_validate(params))


def third_price(settings: ReserveSettings | None = None, **params: object) -> SingleItemRule:
    """Build the third-price auction; parameters are those of ``ReserveSettings``."""
    return build("third_price", settings or ReserveSettings.model_validate(params))


def all_pay(settings: ReserveSettings | None = None, **params: object) -> SingleItemRule:
    """Build the all-pay auction; parameters are those of ``ReserveSettings``."""
    return build("all_pay", settings or ReserveSettings.model_validate(params))


def war_of_attrition(settings: RuleSettings | None = None, **params: object) -> SingleItemRule:
    """Build the war of attrition; parameters are those of ``RuleSettings``."""
    return build("war_of_attrition", settings or RuleSettings.model_validate(params))


def posted_price(settings: PostedPriceSettings | None = None, **params: object) -> SingleItemRule:
    """Build the posted price; parameters are those of ``PostedPriceSettings``."""
    return build("posted_price", settings or PostedPriceSettings.model_validate(params))


def dutch(settings: ClockSettings | None = None, **params: object) -> SingleItemRule:
    """Build the descending clock; parameters are those of ``ClockSettings``."""
    return build("dutch", settings or ClockSettings.model_validate(params))


def english(settings: ClockSettings | None = None, **params: object) -> SingleItemRule:
    """Build the ascending clock; parameters are those of ``ClockSettings``."""
    return build("english", settings or ClockSettings.model_validate(params))
