"""The local-local-global auction: two items, two locals that want one each, a global bidder that wants both.

When the locals win (b1 + b2 >= G) they pay, with V1 = max(0, G - b2) and V2 = max(0, G - b1):

- ``vcg``: V1 and V2;
- ``nearest_vcg``: V_i + max(0, (G - V1 - V2) / 2);
- ``nearest_zero``: G / 2 each, or the weaker local its bid and the other the rest;
- ``nearest_bid``: b_i - d with d = (b1 + b2 - G) / 2, clipped at 0.

A winning global bidder pays b1 + b2.  With one item at stake ``alloc[:, 0]`` is item A, ``alloc[:, 1]`` item B.

Reference: Ausubel and Baranov (2020), Journal of Economic Theory 190.
Cost: O(1) per auction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import llg_kernels as kernels
from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.checks import check_bids
from equilibria.mechanisms.outcome import Outcome, in_blocks
from equilibria.mechanisms.settings import LLGSettings
from equilibria.mechanisms.ties import tie_key_reference
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


@dataclass(frozen=True)
class LLGRule(Rule):
    """The local-local-global auction.

    Example:
        >>> llg(payment="nearest_zero").allocate_and_price([[0.2, 0.9, 1.0]]).pay[0].tolist()
        [0.2, 0.8, 0.0]
    """

    settings: LLGSettings

    def allocate_and_price(self, bids: ArrayLike, *, first: int = 0, n_jobs: int = 1) -> Outcome:
        """Run a batch of auctions.

        Args:
            bids: [N, 3] finite bids >= 0 of local 1, local 2 and the global bidder.
            first: Number of the first auction; ties depend on it, so batches can be split anywhere.
            n_jobs: Threads; changes no number.

        Raises:
            InvalidValue: If the shape is not [N, 3] or an entry is bad.
        """
        return self._run(self._checked(bids), first, 1, n_jobs)

    def utilities(self, values: ArrayLike, bids: ArrayLike) -> FloatArray:
        """Return utilities [N, 3] of bidders with ``values`` [N, 3] who bid ``bids`` [N, 3]."""
        worth = self._checked(values)
        out = self.allocate_and_price(bids)
        return np.asarray(worth * out.alloc.max(axis=2) - out.pay)

    def _checked(self, bids: ArrayLike) -> FloatArray:
        array = check_bids(bids)
        if array.shape[1] != 3:
            raise InvalidValue(f"bids must have shape [auctions, 3] (local, local, global), got {array.shape}")
        return array

    def _run(self, bids: FloatArray, first: int, stride: int, n_jobs: int) -> Outcome:
        s = self.settings
        out = Outcome.empty(bids.shape[0], 3, 2)

        def block(low: int, high: int) -> None:
            kernels.run(
                kernels.CODES[s.payment], bids, s.random_ties, np.uint64(s.seed), first, stride, low, high, out.alloc,
                out.pay, out.winner, out.welfare, out.revenue,
            )  # fmt: skip

        in_blocks(block, bids.shape[0], n_jobs)
        return out

    def claims(self) -> frozenset[str]:
        """Return the properties that hold; anonymity does not, the roles differ."""
        held = {"individually_rational", "weakly_budget_balanced", "homogeneous", "efficient"}
        if self.settings.payment == "vcg":
            held.add("truthful")
        return frozenset(held)


def llg_reference(
    payment: str, b1: float, b2: float, g: float, *, random_ties: bool = True, seed: int = 0, auction: int = 0
) -> tuple[bool, list[float]]:
    """Run one auction in plain Python; returns whether the locals win, and the three payments."""
    local_first = tie_key_reference(random_ties, seed, auction, 0) < tie_key_reference(random_ties, seed, auction, 2)
    if not (b1 + b2 > g or (b1 + b2 == g and local_first)):
        return False, [0.0, 0.0, g if payment == "first_price" else b1 + b2]
    vickrey = [max(0.0, g - b2), max(0.0, g - b1)]
    if payment == "first_price":
        return True, [b1, b2, 0.0]
    if payment == "vcg":
        return True, [*vickrey, 0.0]
    if payment == "nearest_vcg":
        lift = max(0.0, (g - sum(vickrey)) / 2)
        return True, [vickrey[0] + lift, vickrey[1] + lift, 0.0]
    if payment == "nearest_zero":
        low = min(b1, b2, g / 2)
        return True, [low, g - low, 0.0] if b1 <= b2 else [g - low, low, 0.0]
    cut = (b1 + b2 - g) / 2
    p1 = min(max(b1 - cut, 0.0), g)
    return True, [p1, g - p1, 0.0]


def build(name: str, settings: LLGSettings) -> LLGRule:
    """Return the rule of a registry name."""
    return LLGRule(name, settings)


def llg(settings: LLGSettings | None = None, **params: object) -> LLGRule:
    """Build the local-local-global auction; parameters are those of ``LLGSettings``."""
    return build("llg", settings or LLGSettings.model_validate(params))
