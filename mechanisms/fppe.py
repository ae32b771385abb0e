"""First-price pacing equilibria (unique) and second-price pacing profiles with their measured error.

First price: every buyer i scales all bids by alpha_i <= 1.  Prices are p_j = max_i alpha_i v_ij, goods go to the
highest paced bids, nobody exceeds the budget, and a buyer with budget left does not shade.  It solves the
Eisenberg-Gale programme max sum_i [B_i log(u_i + delta_i) - delta_i], where delta_i is unspent money.

1. Spread each budget over goods and a saving slot.
2. Proportional response: x_ij = b_ij / sum_i b_ij, then b_ij <- B_i v_ij x_ij / (u_i + delta_i) and
   delta_i <- B_i delta_i / (u_i + delta_i).
3. Stop when the duality gap of the programme is below the tolerance; the gap is returned as certificate.

Second price: equilibria are not unique and hard to find in general; ``second_price_pacing`` moves multipliers by
tatonnement, returns the best profile it saw and how far that is from an equilibrium.  It claims no uniqueness.

Reference: Conitzer, Kroer, Panigrahi, Schrijvers, Sodomka, Stier-Moses, Wilkens (2022), Pacing equilibrium in
first-price auction markets, Management Science 68; Birnbaum, Devanur, Xiao (2011) for proportional response;
Conitzer, Kroer, Sodomka, Stier-Moses (2022), Multiplicative pacing equilibria, Operations Research 70.
Cost: O(n m) per iteration, O(1 / t) error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import fppe_kernels as kernels
from equilibria.mechanisms.checks import check_bids, per_bidder
from equilibria.sim.errors import InvalidValue, NotConverged
from equilibria.sim.types import FloatArray

_BLOCK = 64


@dataclass(frozen=True, slots=True)
class PacingEquilibrium:
    """A pacing profile.

    Attributes:
        alpha: [n] multipliers in (0, 1].
        allocation: [n, m] shares of the goods.
        prices: [m] prices.
        spend: [n] money spent.
        error: First price: duality gap over total budget.  Second price: largest relative violation of
            "spend at most the budget, and all of it when shading".
        iterations: Iterations done.
    """

    alpha: FloatArray
    allocation: FloatArray
    prices: FloatArray
    spend: FloatArray
    error: float
    iterations: int


def _checked(values: ArrayLike, budgets: ArrayLike) -> tuple[FloatArray, FloatArray]:
    v = check_bids(values, ("buyers", "goods"), what="values")
    b = per_bidder(budgets, v.shape[0], what="budgets")
    if (b <= 0).any():
        raise InvalidValue(f"budgets[{int((b <= 0).argmax())}] must be above 0")
    if v.size == 0 or (v.max(axis=1) <= 0).any():
        raise InvalidValue("every buyer must value at least one good")
    return v, b


def first_price_pacing(
    values: ArrayLike, budgets: ArrayLike, *, tolerance: float = 1e-9, max_iterations: int = 1_000_000
) -> PacingEquilibrium:
    """Solve for the first-price pacing equilibrium.

    Args:
        values: [n, m] values >= 0 of the goods, each buyer values one at least.
        budgets: [n] budgets > 0.
        tolerance: Duality gap over total budget at which to stop; multipliers are about its root away.
        max_iterations: Limit of proportional-response iterations.

    Raises:
        InvalidValue: If an input is bad.
        NotConverged: If the gap stays above the tolerance.

    Example:
        >>> first_price_pacing([[2, 1], [1, 2]], [1, 1]).alpha.round(6).tolist()
        [0.5, 0.5]
    """
    v, budget = _checked(values, budgets)
    money = np.where(v > 0, budget[:, None] / (v.shape[1] + 1), 0.0)
    saved = budget - money.sum(axis=1)
    done, gap = 0, np.inf
    while gap > tolerance:
        if done >= max_iterations:
            raise NotConverged(f"first-price pacing: gap {gap:.3g} above {tolerance:g} after {done} iterations")
        steps = min(max(_BLOCK, done // 4), max_iterations - done)
        kernels.respond(v, budget, money, saved, steps)
        done += steps
        alpha, gap = _certify(v, budget, money, saved)
    prices = (alpha[:, None] * v).max(axis=0)
    total = money.sum(axis=0)
    allocation = np.divide(money, total, out=np.zeros_like(money), where=total > 0)
    return PacingEquilibrium(alpha, allocation, prices, allocation @ prices, gap, done)


def _certify(v: FloatArray, budget: FloatArray, money: FloatArray, saved: FloatArray) -> tuple[FloatArray, float]:
    """Return multipliers and the relative duality gap of the primal point (money, saved)."""
    total = money.sum(axis=0)
    allocation = np.divide(money, total, out=np.zeros_like(money), where=total > 0)
    wealth = (v * allocation).sum(axis=1) + saved
    alpha = np.minimum(1.0, budget / wealth)
    primal = float((budget * np.log(wealth) - saved).sum())
    prices = (alpha[:, None] * v).max(axis=0)
    dual = float(prices.sum() + (budget * (np.log(budget) - np.log(alpha)) - budget).sum())
    return alpha, max(0.0, dual - primal) / float(budget.sum())


def second_price_pacing(
    values: ArrayLike, budgets: ArrayLike, *, iterations: int = 2000, step: float = 0.5
) -> PacingEquilibrium:
    """Search a second-price pacing profile by tatonnement; ``error`` says how good the best one is.

    Args:
        values: [n, m] values >= 0.
        budgets: [n] budgets > 0.
        iterations: Updates of the multipliers.
        step: First step of log alpha per relative overspending; falls as 1 / sqrt(t).

    Raises:
        InvalidValue: If an input is bad.
    """
    v, budget = _checked(values, budgets)
    if iterations < 1 or not 0 < step < np.inf:
        raise InvalidValue(f"need iterations >= 1 and step > 0, got {iterations} and {step!r}")
    alpha = np.ones(v.shape[0])
    best: PacingEquilibrium | None = None
    for t in range(1, iterations + 1):
        found = _second_price(v, budget, alpha, t)
        if best is None or found.error < best.error:
            best = found
        move = np.clip((budget - found.spend) / budget, -2.0, 1.0)
        alpha = np.minimum(1.0, alpha * np.exp(step / np.sqrt(t) * move))
    assert best is not None
    return best


def _second_price(v: FloatArray, budget: FloatArray, alpha: FloatArray, t: int) -> PacingEquilibrium:
    bids = alpha[:, None] * v
    order = np.sort(bids, axis=0)
    prices = order[-2] if len(bids) > 1 else np.zeros(v.shape[1])
    top = (bids == order[-1]) & (order[-1] > 0)
    allocation = top / np.maximum(top.sum(axis=0), 1)
    spend = allocation @ prices
    over = np.maximum(spend / budget - 1, 0.0)
    under = np.where(alpha < 1, np.maximum(1 - spend / budget, 0.0), 0.0)
    return PacingEquilibrium(alpha.copy(), allocation, prices, spend, float(np.maximum(over, under).max()), t)
