"""Auctions of k identical units: pay-as-bid, uniform price and Vickrey.

Bidder i names non-increasing marginal bids b_i1 >= ... >= b_ik; the k highest bids win.

- ``discriminatory``: everybody pays the own winning bids.
- ``uniform_price``: one price per unit, the highest losing bid (or the lowest winning one).
- ``vickrey_multiunit``: for q units, the sum of the q highest losing bids of the *others*.

Reference: Krishna (2010), Auction Theory, 2nd ed., chapters 12 and 13.
Cost: O(n k) per auction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import multi_unit_kernels as kernels
from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.checks import check_bids
from equilibria.mechanisms.outcome import Outcome, in_blocks
from equilibria.mechanisms.settings import MultiUnitSettings, UniformPriceSettings
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


@dataclass(frozen=True)
class MultiUnitRule(Rule):
    """A multi-unit auction.

    Example:
        >>> out = vickrey_multiunit(units=2).allocate_and_price([[[5, 4], [3, 1]]])
        >>> out.pay[0].tolist(), out.winner[0].tolist()
        ([4.0, 0.0], [0, 0])
    """

    settings: MultiUnitSettings

    def allocate_and_price(self, bids: ArrayLike, *, first: int = 0, n_jobs: int = 1) -> Outcome:
        """Run a batch of auctions.

        Args:
            bids: [N, n, k] finite marginal bids >= 0, not increasing along the last axis.
            first: Number of the first auction; ties depend on it, so batches can be split anywhere.
            n_jobs: Threads; changes no number.

        Returns:
            Outcome with m = k; column u is the unit of the u-th highest winning bid.

        Raises:
            InvalidValue: If the shape is wrong, an entry is bad, or a vector increases.
        """
        return self._run(self._checked(bids), first, 1, n_jobs)

    def outcome(self, reports: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return quantities and payments [B, N] of unit-demand bidders with values [B, N]."""
        values = check_bids(reports)
        bids = np.zeros((*values.shape, self.settings.units))
        bids[:, :, 0] = values
        out = self._run(bids, 0, 0, 1)
        # a second unit is worth nothing to these bidders, so it is not counted
        return np.minimum(out.alloc.sum(axis=2), 1.0), out.pay

    def _checked(self, bids: ArrayLike) -> FloatArray:
        array = check_bids(bids, ("auctions", "bidders", "units"))
        if array.shape[2] != self.settings.units:
            raise InvalidValue(f"bids must have shape [auctions, bidders, {self.settings.units}], got {array.shape}")
        rises = np.diff(array, axis=2) > 0
        if rises.any():
            if self.settings.monotonise:
                return np.ascontiguousarray(-np.sort(-array, axis=2))
            i, j, u = (int(k) for k in np.argwhere(rises)[0])
            raise InvalidValue(
                f"bids[{i}, {j}] must not increase, got {float(array[i, j, u])!r} before "
                f"{float(array[i, j, u + 1])!r}; sort it or set monotonise"
            )
        return array

    def _run(self, bids: FloatArray, first: int, stride: int, n_jobs: int) -> Outcome:
        auctions, bidders, units = bids.shape
        out = Outcome.empty(auctions, bidders, units)
        s = self.settings
        lowest = isinstance(s, UniformPriceSettings) and s.price_rule == "lowest_winning"

        def block(low: int, high: int) -> None:
            kernels.run(
                kernels.CODES[self.name], lowest, bids, s.random_ties, np.uint64(s.seed), first, stride, low, high,
                out.alloc, out.pay, out.winner, out.price, out.welfare, out.revenue,
            )  # fmt: skip

        in_blocks(block, auctions, n_jobs)
        return out

    def claims(self) -> frozenset[str]:
        """Return the properties that hold with multi-unit demand (uniform price: truthful for unit demand only)."""
        held = {
            "individually_rational", "weakly_budget_balanced", "monotone", "anonymous", "homogeneous", "efficient",
        }  # fmt: skip
        if self.name == "vickrey_multiunit":
            held |= {"truthful", "payment_identity"}
        return frozenset(held)


def build(name: str, settings: MultiUnitSettings) -> MultiUnitRule:
    """Return the rule of a registry name."""
    return MultiUnitRule(name, settings)


def discriminatory(settings: MultiUnitSettings | None = None, **params: object) -> MultiUnitRule:
    """Build the pay-as-bid auction; parameters are those of ``MultiUnitSettings``."""
    return build("discriminatory", settings or MultiUnitSettings.model_validate(params))


def uniform_price(settings: UniformPriceSettings | None = None, **params: object) -> MultiUnitRule:
    """Build the uniform-price auction; parameters are those of ``UniformPriceSettings``."""
    return build("uniform_price", settings or UniformPriceSettings.model_validate(params))


def vickrey_multiunit(settings: MultiUnitSettings | None = None, **params: object) -> MultiUnitRule:
    """Build the multi-unit Vickrey auction; parameters are those of ``MultiUnitSettings``."""
    return build("vickrey_multiunit", settings or MultiUnitSettings.model_validate(params))
