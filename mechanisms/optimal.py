"""The revenue-optimal auction of one item for independent private values.

The item goes to the highest ironed virtual value if that is at least the seller's value; the winner pays the
least bid that would still have won.  Bids outside the support of the prior are taken by continuing the virtual
value (regular families) or its last step (ironed ones).

Reference: Myerson (1981), Mathematics of Operations Research 6.
Cost: O(n) per auction, O(n log G) with ironed tables of G points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equilibria.mechanisms import myerson_kernels as kernels
from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.checks import apply_budgets, check_bids
from equilibria.mechanisms.outcome import Outcome, in_blocks
from equilibria.mechanisms.priors import TABLE, Prior, prior_from, priors_from
from equilibria.mechanisms.settings import MyersonSettings
from equilibria.mechanisms.ties import tie_key_reference
from equilibria.sim.types import FloatArray, IntArray


@dataclass(frozen=True)
class MyersonRule(Rule):
    """The optimal auction.

    Example:
        >>> myerson().allocate_and_price([[0.9, 0.2]]).revenue.tolist()
        [0.5]
    """

    settings: MyersonSettings

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
            InvalidValue: If bids have a wrong shape or a bad entry, or the number of priors does not fit.
        """
        return self._run(apply_budgets(check_bids(bids), budgets, self.settings.on_over_budget), first, 1, n_jobs)

    def outcome(self, reports: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return allocation and payments [B, N]; every row is auction 0, alone."""
        out = self._run(check_bids(reports), 0, 0, 1)
        return out.alloc[:, :, 0], out.pay

    def _run(self, bids: FloatArray, first: int, stride: int, n_jobs: int) -> Outcome:
        s = self.settings
        out = Outcome.empty(bids.shape[0], bids.shape[1], 1)
        if bids.shape[1] == 0:
            return out
        codes, rows, grids, slopes = _tables(tuple(priors_from(s.priors, bids.shape[1])))

        def block(low: int, high: int) -> None:
            kernels.run(
                bids, codes, rows, grids, slopes, s.seller_value, s.random_ties, np.uint64(s.seed), first, stride, low,
                high, out.alloc[:, :, 0], out.pay, out.winner, out.price, out.welfare, out.revenue,
            )  # fmt: skip

        in_blocks(block, bids.shape[0], n_jobs)
        return out

    def claims(self) -> frozenset[str]:
        """Return the properties that hold."""
        held = {
            "truthful", "individually_rational", "weakly_budget_balanced", "monotone", "homogeneous",
            "payment_identity",
        }  # fmt: skip
        priors = [prior_from(spec) for spec in self.settings.priors]
        if len(priors) == 1 and priors[0].code != TABLE:  # equal ironed values are ties, which the key decides
            held.add("anonymous")
        return frozenset(held)


@lru_cache(maxsize=32)
def _tables(priors: tuple[Prior, ...]) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Return codes [n], rows [n, 2] and ironed tables [n, G] of the priors."""
    width = max((p.ironed_table[0].size for p in priors if p.code == TABLE), default=1)
    codes: NDArray[np.int64] = np.array([p.code for p in priors], np.int64)
    rows = np.array([p.kernel_row for p in priors])
    grids, slopes = np.zeros((len(priors), width)), np.zeros((len(priors), width))
    for j, p in enumerate(priors):
        if p.code == TABLE:
            grids[j], slopes[j] = p.ironed_table
    return codes, rows, grids, slopes


def myerson_reference(
    bids: Sequence[float],
    priors: Sequence[Prior],
    *,
    seller_value: float = 0.0,
    random_ties: bool = True,
    seed: int = 0,
    auction: int = 0,
) -> tuple[int, list[float]]:
    """Run one optimal auction in plain Python; returns the winner (-1 if nobody) and the n payments."""
    pay = [0.0] * len(bids)
    if not bids:
        return -1, pay
    virtual = [float(p.ironed_virtual_value(b)) for p, b in zip(priors, bids, strict=True)]
    keys = [(tie_key_reference(random_ties, seed, auction, j), j) for j in range(len(bids))]
    order = sorted(range(len(bids)), key=lambda j: (-virtual[j], keys[j]))
    winner = order[0]
    if virtual[winner] < seller_value:
        return -1, pay
    bar, weak = seller_value, True
    if len(order) > 1 and virtual[order[1]] >= bar:
        bar, weak = virtual[order[1]], keys[winner] < keys[order[1]]
    pay[winner] = max(0.0, min(_least_bid(priors[winner], bar, weak), bids[winner]))
    return winner, pay


def _least_bid(prior: Prior, bar: float, weak: bool) -> float:
    if prior.code != TABLE:
        return prior.inverse_virtual_value(bar)
    values, slopes = prior.ironed_table
    enough = slopes >= bar if weak else slopes > bar
    return float(values[int(np.argmax(enough))] if enough.any() else values[-1])


def build(name: str, settings: MyersonSettings) -> MyersonRule:
    """Return the rule of a registry name.

    Raises:
        InvalidValue: If a prior is misspelt or out of range.
    """
    for spec in settings.priors:
        prior_from(spec)
    return MyersonRule(name, settings)


def myerson(settings: MyersonSettings | None = None, **params: object) -> MyersonRule:
    """Build the optimal auction; parameters are those of ``MyersonSettings``."""
    return build("myerson", settings or MyersonSettings.model_validate(params))
