"""Position auctions: K slots with click-through rates, bidders ranked by quality x bid.

- ``gsp``: slot k pays per click s_(k+1) / q_(k), the next score over the own quality.
- ``gfp``: everybody pays the own bid per click.
- ``vcg_position``: slot k pays per impression sum over j = k+1 .. K+1 of (ctr_(j-1) - ctr_j) s_(j).

Reference: Edelman, Ostrovsky, Schwarz (2007), American Economic Review 97; Varian (2007), IJIO 25.
Cost: see the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import position_kernels as kernels
from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.checks import apply_budgets, check_bids, check_slots, per_bidder
from equilibria.mechanisms.outcome import Outcome, in_blocks
from equilibria.mechanisms.settings import PositionSettings
from equilibria.sim.types import FloatArray


@dataclass(frozen=True)
class PositionRule(Rule):
    """A position auction.

    Example:
        >>> out = gsp(ctr=[1.0, 0.5]).allocate_and_price([[10, 4, 2]])
        >>> out.pay[0].tolist()
        [4.0, 1.0, 0.0]
    """

    settings: PositionSettings

    def allocate_and_price(
        self, bids: ArrayLike, *, budgets: ArrayLike | None = None, first: int = 0, n_jobs: int = 1
    ) -> Outcome:
        """Run a batch of auctions.

        Args:
            bids: [N, n] finite bids per click >= 0.
            budgets: [n] or [N, n] remaining budgets, ``None`` for none.
            first: Number of the first auction; ties depend on it, so batches can be split anywhere.
            n_jobs: Threads; changes no number.

        Returns:
            Outcome with m = K slots: ``alloc`` is 1 where the bidder has the slot, ``price`` is per click,
            ``pay`` and ``welfare`` are expected values per impression.

        Raises:
            InvalidValue: If bids, budgets or qualities have a wrong shape or a bad entry.
        """
        checked = apply_budgets(check_bids(bids), budgets, self.settings.on_over_budget)
        return self._run(checked, first, 1, n_jobs)

    def outcome(self, reports: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return expected clicks and payments [B, N]; every row is auction 0, alone."""
        bids = check_bids(reports)
        out = self._run(bids, 0, 0, 1)
        return out.alloc @ check_slots(self.settings.ctr) * self._quality(bids.shape[1]), out.pay

    def _quality(self, bidders: int) -> FloatArray:
        quality = self.settings.quality
        return per_bidder(1.0 if quality is None else quality, bidders, what="quality")

    def _run(self, bids: FloatArray, first: int, stride: int, n_jobs: int) -> Outcome:
        auctions, bidders = bids.shape
        s, ctr, quality = self.settings, check_slots(self.settings.ctr), self._quality(bids.shape[1])
        out = Outcome.empty(auctions, bidders, ctr.size)

        def block(low: int, high: int) -> None:
            kernels.run(
                kernels.CODES[self.name], bids, quality, ctr, s.reserve, s.reserve_kind == "per_click", s.random_ties,
                np.uint64(s.seed), first, stride, low, high, out.alloc, out.pay, out.winner, out.price, out.welfare,
                out.revenue,
            )  # fmt: skip

        in_blocks(block, auctions, n_jobs)
        return out

    def claims(self) -> frozenset[str]:
        """Return the properties that hold: truth is dominant under VCG payments only."""
        held = {"individually_rational", "weakly_budget_balanced", "monotone", "homogeneous"}
        if self.settings.quality is None:
            held.add("anonymous")
        if self.name == "vcg_position":
            held |= {"truthful", "payment_identity"}
        if self.settings.reserve == 0:
            held.add("efficient")
        return frozenset(held)


def build(name: str, settings: PositionSettings) -> PositionRule:
    """Return the rule of a registry name."""
    return PositionRule(name, settings)


def gsp(settings: PositionSettings | None = None, **params: object) -> PositionRule:
    """Build the generalised second-price auction; parameters are those of ``PositionSettings``."""
    return build("gsp", settings or PositionSettings.model_validate(params))


def gfp(settings: PositionSettings | None = None, **params: object) -> PositionRule:
    """Build the generalised first-price auction; parameters are those of ``PositionSettings``."""
    return build("gfp", settings or PositionSettings.model_validate(params))


def vcg_position(settings: PositionSettings | None = None, **params: object) -> PositionRule:
    """Build the VCG position auction; parameters are those of ``PositionSettings``."""
    return build("vcg_position", settings or PositionSettings.model_validate(params))
