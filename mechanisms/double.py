"""Double auctions of single units: the k-double auction, McAfee's and VCG.

With bids sorted down, asks sorted up and k* the number of efficient trades:

- ``k_double_auction``: one price L + k (U - L) inside [max(s_k*, b_k*+1), min(b_k*, s_k*+1)]; balanced.
- ``mcafee``: all k* trade at the mean of the first excluded pair if that price suits the last included pair, else
  k* - 1 trade, buyers pay b_k*, sellers receive s_k*; truthful, never a deficit.
- ``vcg_double``: buyers pay max(s_k*, b_k*+1), sellers receive min(b_k*, s_k*+1); truthful, efficient, a deficit.

Reference: Chatterjee and Samuelson (1983), Operations Research 31; McAfee (1992), Journal of Economic Theory 56.
Cost: two sorts per auction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import double_kernels as kernels
from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.checks import check_bids
from equilibria.mechanisms.outcome import Outcome, in_blocks
from equilibria.mechanisms.settings import DoubleSettings, KDoubleSettings
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


@dataclass(frozen=True)
class DoubleRule(Rule):
    """A double auction.

    Example:
        >>> out = k_double_auction(k=0.5).allocate_and_price([[0.8]], [[0.2]])
        >>> out.pay[0].tolist()
        [0.5, -0.5]
    """

    settings: DoubleSettings

    def allocate_and_price(self, bids: ArrayLike, asks: ArrayLike, *, first: int = 0, n_jobs: int = 1) -> Outcome:
        """Run a batch of auctions.

        Args:
            bids: [N, nb] finite bids >= 0.
            asks: [N, ns] finite asks >= 0.
            first: Number of the first auction; ties depend on it, so batches can be split anywhere.
            n_jobs: Threads; changes no number.

        Returns:
            Outcome over the nb + ns participants, m = 1: ``alloc`` is +1 for a purchase, -1 for a sale, ``pay`` is
            negative for sellers, ``revenue`` is the surplus of the budget, ``price`` what buyers pay.

        Raises:
            InvalidValue: If shapes do not fit or an entry is bad.
        """
        buy, sell = check_bids(bids, ("auctions", "buyers")), check_bids(asks, ("auctions", "sellers"), what="asks")
        if buy.shape[0] != sell.shape[0]:
            raise InvalidValue(f"bids and asks must have equally many auctions, got {buy.shape[0]} and {sell.shape[0]}")
        return self._run(buy, sell, first, 1, n_jobs)

    def outcome(self, reports: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return net trades and payments [B, N]; the first ``buyers`` participants are buyers."""
        values = check_bids(reports)
        nb = min(self.settings.buyers, values.shape[1])
        buy, sell = np.ascontiguousarray(values[:, :nb]), np.ascontiguousarray(values[:, nb:])
        out = self._run(buy, sell, 0, 0, 1)
        return out.alloc[:, :, 0], out.pay

    def _run(self, bids: FloatArray, asks: FloatArray, first: int, stride: int, n_jobs: int) -> Outcome:
        s = self.settings
        out = Outcome.empty(bids.shape[0], bids.shape[1] + asks.shape[1], 1)
        k = s.k if isinstance(s, KDoubleSettings) else 0.0

        def block(low: int, high: int) -> None:
            kernels.run(
                kernels.CODES[self.name], k, bids, asks, s.random_ties, np.uint64(s.seed), first, stride, low, high,
                out.alloc, out.pay, out.winner, out.price, out.welfare, out.revenue,
            )  # fmt: skip

        in_blocks(block, bids.shape[0], n_jobs)
        return out

    def claims(self) -> frozenset[str]:
        """Return the properties that hold; no rule has all of truth, efficiency and balance (Myerson, Satterthwaite)."""
        held = {"individually_rational", "monotone", "anonymous", "homogeneous"}
        if self.name != "vcg_double":
            held.add("weakly_budget_balanced")
        if self.name == "k_double_auction":
            held.add("budget_balanced")
        else:
            held.add("truthful")
        if self.name != "mcafee":
            held.add("efficient")
        return frozenset(held)


def build(name: str, settings: DoubleSettings) -> DoubleRule:
    """Return the rule of a registry name."""
    return DoubleRule(name, settings)


def k_double_auction(settings: KDoubleSettings | None = None, **params: object) -> DoubleRule:
    """Build the k-double auction; parameters are those of ``KDoubleSettings``."""
    return build("k_double_auction", settings or KDoubleSettings.model_validate(params))


def mcafee(settings: DoubleSettings | None = None, **params: object) -> DoubleRule:
    """Build McAfee's trade-reduction auction; parameters are those of ``DoubleSettings``."""
    return build("mcafee", settings or DoubleSettings.model_validate(params))


def vcg_double(settings: DoubleSettings | None = None, **params: object) -> DoubleRule:
    """Build the VCG double auction; parameters are those of ``DoubleSettings``."""
    return build("vcg_double", settings or DoubleSettings.model_validate(params))
