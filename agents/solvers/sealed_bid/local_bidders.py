"""CFR+ for the local bidders of the local-local-global auction, against a truthful global bidder U[0, 2].

1. Expected winning probability and payment of local 1 for each pair of local bids, the global value integrated out.
2. Regret matching+ of each type of both locals on grids, as in ``solver``; the linear average is returned.

Reference: Ausubel and Baranov (2020), Journal of Economic Theory 190; Tammelin (2014), arXiv 1407.5042.
Cost: O(A^2 + T A) per iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.auctions.sealed_bid import grid_of
from equilibria.mechanisms.llg_kernels import CODES, local_prices
from equilibria.mechanisms.priors import Uniform
from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray

_GLOBAL_POINTS = 2000


@dataclass(frozen=True, slots=True)
class LocalBidding:
    """A symmetric profile of the two locals.

    Attributes:
        values: [T] values.
        masses: [T] their probabilities.
        mean_bids: [T] mean bid of each value.
        gain: Ex-ante gain of a best response, exact on the grids.
    """

    values: FloatArray
    masses: FloatArray
    mean_bids: FloatArray
    gain: float


@kernel
def _pair_tables(code, bids, points, win, pay):  # type: ignore[no-untyped-def]
    """Write win [A, A] and pay [A, A] of local 1, integrating over ``points`` midpoints of the global value."""
    for a in range(bids.shape[0]):
        for b in range(bids.shape[0]):
            total = bids[a] + bids[b]
            win[a, b] = min(1.0, total / 2.0)
            cost = 0.0
            for k in range(points):
                g = 2.0 * (k + 0.5) / points
                if g <= total:
                    cost += local_prices(code, bids[a], bids[b], g)[0]
            pay[a, b] = cost / points


def local_equilibrium(payment: str, *, types: int = 101, bids: int = 101, iterations: int = 3000) -> LocalBidding:
    """Approximate the symmetric equilibrium of the locals, values U[0, 1].

    Args:
        payment: ``vcg``, ``nearest_vcg``, ``nearest_zero``, ``nearest_bid`` or ``first_price``.
        types: Number of values.
        bids: Number of bids on [0, 1].
        iterations: Iterations of CFR+.

    Raises:
        InvalidValue: If the payment is unknown or a size is too small.
    """
    if payment not in CODES or types < 2 or bids < 2 or iterations < 1:
        raise InvalidValue(f"need a payment of {', '.join(CODES)}, types and bids >= 2, iterations >= 1")
    values, masses = grid_of(Uniform(), types)
    grid = np.linspace(0.0, 1.0, bids)
    win, pay = np.empty((bids, bids)), np.empty((bids, bids))
    _pair_tables(CODES[payment], grid, _GLOBAL_POINTS, win, pay)
    regret, average = np.zeros((types, bids)), np.zeros((types, bids))
    policy = np.full((types, bids), 1 / bids)
    for t in range(1, iterations + 1):
        utility = _utilities(policy, masses, values, win, pay)
        average += t * policy
        regret = np.maximum(0.0, regret + utility - (policy * utility).sum(axis=1, keepdims=True))
        total = regret.sum(axis=1, keepdims=True)
        policy = np.where(total > 0, regret / np.where(total > 0, total, 1.0), 1 / bids)
    average /= average.sum(axis=1, keepdims=True)
    utility = _utilities(average, masses, values, win, pay)
    gain = float(masses @ (utility.max(axis=1) - (average * utility).sum(axis=1)))
    return LocalBidding(values, masses, average @ grid, gain)


def _utilities(
    policy: FloatArray, masses: FloatArray, values: FloatArray, win: FloatArray, pay: FloatArray
) -> FloatArray:
    """Return utilities [T, A] against the other local's bid distribution."""
    other = masses @ policy
    return np.asarray(values[:, None] * (win @ other) - pay @ other)
