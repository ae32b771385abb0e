"""Combinatorial auctions with XOR bids: efficient winners, VCG, core-selecting or pay-as-bid payments.

Winners maximise the reported welfare: by dynamic programming over subsets up to 16 items, beyond by a
mixed-integer programme (HiGHS).  Among equally good allocations, bidders that come first by tie key win.

Payments: ``vcg`` p_i = W(N - i) - (W(N) - v_i(S_i)); the core-selecting ones are in ``core``.

Reference: Cramton, Shoham, Steinberg (2006), Combinatorial Auctions; Ausubel and Baranov (2020).
Cost: O(n B 2^m) per auction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import combinatorial_kernels as kernels
from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.checks import check_bids
from equilibria.mechanisms.core import core_payments
from equilibria.mechanisms.outcome import UNSOLD, Outcome, in_blocks
from equilibria.mechanisms.settings import CombinatorialSettings
from equilibria.sim.errors import InvalidValue, NotConverged
from equilibria.sim.types import FloatArray, IntArray

MAX_TABLE_ITEMS = 16


@dataclass(frozen=True)
class CombinatorialRule(Rule):
    """A combinatorial auction.

    Example:
        >>> rule = combinatorial(items=2)
        >>> out = rule.allocate_and_price([[3], [1], [2]], [[2.0], [2.0], [2.0]])  # AB, A, B
        >>> out.winner[0].tolist(), out.pay[0].tolist()
        ([1, 2], [0.0, 0.0, 0.0])
    """

    settings: CombinatorialSettings

    def allocate_and_price(self, bundles: ArrayLike, values: ArrayLike, *, first: int = 0, n_jobs: int = 1) -> Outcome:
        """Run one auction or a batch.

        Args:
            bundles: int [n, B] or [N, n, B] bit masks of items (bit j is item j), 0 for no bid.
            values: [n, B] or [N, n, B] values >= 0 of the bundles; each bidder gets at most one.
            first: Number of the first auction; ties depend on it, so batches can be split anywhere.
            n_jobs: Threads; changes no number.

        Raises:
            InvalidValue: If shapes do not fit, a mask names an item that does not exist, or a value is bad.
        """
        masks, worth = self._checked(bundles, values)
        auctions, bidders, _ = worth.shape
        items = self.settings.items
        out = Outcome.empty(auctions, bidders, items)
        if bidders == 0:
            return out
        if items > MAX_TABLE_ITEMS:
            for i in range(auctions):
                _run_large(masks[i], worth[i], self.settings, out, i)
            return out
        s = self.settings

        def block(low: int, high: int) -> None:
            kernels.run(
                s.payment == "first_price", masks, worth, items, s.random_ties, np.uint64(s.seed), first, 1, low, high,
                out.alloc, out.pay, out.winner, out.welfare, out.revenue,
            )  # fmt: skip

        in_blocks(block, auctions, n_jobs)
        if s.payment.startswith("nearest"):
            for i in range(auctions):
                self._to_core(masks[i], worth[i], out, i)
        return out

    def _to_core(self, bundles: IntArray, values: FloatArray, out: Outcome, i: int) -> None:
        """Replace the VCG payments of auction i by core payments."""
        choice = _choices(bundles, values, out.alloc[i])
        won = np.array([0.0 if c < 0 else values[j, c] for j, c in enumerate(choice)])
        reference = {"nearest_vcg": out.pay[i], "nearest_zero": np.zeros(len(won)), "nearest_bid": won}
        out.pay[i] = core_payments(
            bundles, values, self.settings.items, choice, reference[self.settings.payment].copy()
        )
        out.revenue[i] = out.pay[i].sum()

    def _checked(self, bundles: ArrayLike, values: ArrayLike) -> tuple[IntArray, FloatArray]:
        worth = np.asarray(values, np.float64)
        worth = check_bids(worth[None] if worth.ndim == 2 else worth, ("auctions", "bidders", "bundles"), what="values")
        masks = np.asarray(bundles)
        if masks.size and not np.issubdtype(masks.dtype, np.integer):
            raise InvalidValue(f"bundles must be whole numbers (bit masks of items), got dtype {masks.dtype}")
        if masks.shape not in (worth.shape, worth.shape[1:]):
            raise InvalidValue(f"bundles must have shape {worth.shape[1:]} or {worth.shape}, got {masks.shape}")
        masks = np.ascontiguousarray(np.broadcast_to(masks, worth.shape), np.int64)
        bad = (masks < 0) | (masks >> self.settings.items != 0)
        if bad.any():
            where = tuple(int(k) for k in np.argwhere(bad)[0])
            raise InvalidValue(
                f"bundles{list(where)} = {int(masks[where])} names items outside 0..{self.settings.items - 1}"
            )
        return masks, worth

    def claims(self) -> frozenset[str]:
        """Return the properties that hold: truth is dominant under VCG payments only."""
        held = {"individually_rational", "weakly_budget_balanced", "anonymous", "homogeneous", "efficient"}
        if self.settings.payment == "vcg":
            held.add("truthful")
        return frozenset(held)


def _choices(bundles: IntArray, values: FloatArray, alloc: FloatArray) -> IntArray:
    """Return the accepted bid of each bidder, -1 for none, from the items they got."""
    masks = (alloc.astype(np.int64) << np.arange(alloc.shape[1])).sum(axis=1)
    choice = np.full(len(masks), -1, np.int64)
    for j, mask in enumerate(masks):
        if mask:
            same = np.where(bundles[j] == mask, values[j], -1.0)
            choice[j] = int(same.argmax())
    return choice


def _run_large(bundles: IntArray, values: FloatArray, settings: CombinatorialSettings, out: Outcome, i: int) -> None:
    """Solve one auction of more than 16 items by mixed-integer programming."""
    if settings.payment.startswith("nearest"):
        raise InvalidValue(f"core payments need at most {MAX_TABLE_ITEMS} items, got {settings.items}")
    total, choice = _programme(bundles, values, settings.items, skip=-1)
    out.welfare[i] = total
    for j, b in enumerate(choice):
        if b < 0:
            continue
        for item in range(settings.items):
            if int(bundles[j, b]) >> item & 1:
                out.alloc[i, j, item], out.winner[i, item] = 1.0, j
        value = float(values[j, b])
        without = _programme(bundles, values, settings.items, skip=j)[0] if settings.payment == "vcg" else total
        out.pay[i, j] = max(0.0, without - (total - value))
    out.winner[i, out.alloc[i].sum(axis=0) == 0] = UNSOLD
    out.revenue[i] = out.pay[i].sum()


def _programme(bundles: IntArray, values: FloatArray, items: int, *, skip: int) -> tuple[float, list[int]]:
    """Return the best welfare without bidder ``skip``, and the accepted bids."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    bidders, width = values.shape
    usable = (bundles != 0).ravel() & (np.repeat(np.arange(bidders), width) != skip)
    rows, columns = [], []
    for column in np.flatnonzero(usable):
        mask = int(bundles.ravel()[column])
        holds = [item for item in range(items) if mask >> item & 1]
        rows += [*holds, items + int(column) // width]
        columns += [int(column)] * (len(holds) + 1)
    if not rows:
        return 0.0, [-1] * bidders
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(items + bidders, bidders * width))
    found = milp(
        -values.ravel(), constraints=LinearConstraint(matrix, ub=np.ones(items + bidders)),
        bounds=Bounds(0, usable.astype(float)), integrality=np.ones(values.size), options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    if found.x is None:
        raise NotConverged(f"winner determination: {found.message}")
    taken = (found.x > 0.5).reshape(values.shape)
    choice = [int(row.argmax()) if row.any() else -1 for row in taken]
    return float(sum(values[j, b] for j, b in enumerate(choice) if b >= 0)), choice


def build(name: str, settings: CombinatorialSettings) -> CombinatorialRule:
    """Return the rule of a registry name."""
    return CombinatorialRule(name, settings)


def combinatorial(settings: CombinatorialSettings | None = None, **params: object) -> CombinatorialRule:
    """Build the combinatorial auction; parameters are those of ``CombinatorialSettings``."""
    return build("combinatorial", settings or CombinatorialSettings.model_validate(params))
