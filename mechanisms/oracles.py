"""Known equilibria of auction games as bid functions, with the revenue and welfare they imply.

Unless said otherwise: n risk-neutral bidders, independent private values, symmetric equilibrium.  Bid functions are
vectorised over values.  Dashboards draw them as the theory line, tests hold learned bids against them.

Reference: Krishna (2010), Auction Theory, 2nd ed.; each function names its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms.checks import check_bids, check_slots
from equilibria.mechanisms.priors import Power, Prior, Uniform
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

NEAREST_VCG_SHADE = 3 - 2 * math.sqrt(2)


def _bidders(n: int, least: int = 2) -> None:
    if n < least:
        raise InvalidValue(f"n must be at least {least} bidders, got {n}")


def first_price_bid(
    v: ArrayLike, n: int, prior: Prior | None = None, *, reserve: float = 0.0, risk: float = 1.0
) -> FloatArray:
    """Return the equilibrium bid of the first-price auction.

    Args:
        v: Values inside the support of the prior.
        n: Number of bidders.
        prior: Distribution of values, U[0, 1] if ``None``.
        reserve: Reserve price; values below it bid 0, that is, stay out.
        risk: Exponent rho in (0, 1] of the utility x^rho (constant relative risk aversion); below 1 needs a
            power or uniform prior from 0 and no reserve.

    Raises:
        InvalidValue: If the parameters are out of range or the combination has no closed form here.
    """
    _bidders(n)
    prior = prior or Uniform()
    x = np.asarray(v, np.float64)
    if not 0 < risk <= 1:
        raise InvalidValue(f"risk must lie in (0, 1], got {risk!r}")
    exponent = _exponent(prior)
    if risk < 1 and (exponent is None or reserve > 0):
        raise InvalidValue("risk aversion has a closed form for power priors from 0 without reserve only")
    if exponent is not None and reserve == 0:
        m = exponent * (n - 1)
        return x * (m / (m + risk))
    if isinstance(prior, Uniform) and reserve <= prior.low:
        return prior.low + (x - prior.low) * (n - 1) / n
    return _shaded(x, n, prior, reserve)


def _exponent(prior: Prior) -> float | None:
    """Return a if F(v) = (v / h)^a."""
    if isinstance(prior, Power):
        return prior.exponent
    return 1.0 if isinstance(prior, Uniform) and prior.low == 0 else None


def _shaded(v: FloatArray, n: int, prior: Prior, reserve: float) -> FloatArray:
    """Return v - integral from r to v of (F(y) / F(v))^(n-1) dy, 0 below the reserve."""
    start = max(reserve, float(prior.low))
    if isinstance(prior, Uniform) and prior.low == 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            bid = (n - 1) / n * v + start**n / (n * v ** (n - 1))
        return np.where(v >= start, bid, 0.0) if start > 0 else np.asarray((n - 1) / n * v)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    flat = np.atleast_1d(v).ravel()
    y = start + np.multiply.outer(np.maximum(flat - start, 0.0), (nodes + 1) / 2)
    top = prior.cdf(flat)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(top[:, None] > 0, prior.cdf(y) / top[:, None], 0.0)
    bid = flat - np.maximum(flat - start, 0.0) / 2 * (ratio ** (n - 1) @ weights)
    return np.where(flat >= start, bid, 0.0).reshape(np.shape(v))


def third_price_bid(v: ArrayLike, n: int) -> FloatArray:
    """Return v (n-1) / (n-2), uniform values from 0, n >= 3."""
    _bidders(n, 3)
    return np.asarray(v, np.float64) * (n - 1) / (n - 2)


def all_pay_bid(v: ArrayLike, n: int, exponent: float = 1.0) -> FloatArray:
    """Return the all-pay bid for F(v) = v^a on [0, 1]: a(n-1) / (a(n-1) + 1) v^(a(n-1)+1)."""
    _bidders(n)
    m = exponent * (n - 1)
    return np.asarray(m / (m + 1) * np.asarray(v, np.float64) ** (m + 1))


def war_of_attrition_bid(v: ArrayLike) -> FloatArray:
    """Return -v - ln(1 - v), two bidders, U[0, 1]; infinite at v = 1."""
    x = np.asarray(v, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(-x - np.log1p(-x))


def asymmetric_first_price_bids(v: ArrayLike, weak_high: float, strong_high: float) -> tuple[FloatArray, FloatArray]:
    """Return the bids of the weak and of the strong bidder with value ``v``.

    Values are U[0, weak_high] and U[0, strong_high], weak_high < strong_high; both bid up to
    weak_high strong_high / (weak_high + strong_high).

    Reference: Plum (1992), International Journal of Game Theory 20; Krishna, section 4.3.
    """
    if not 0 < weak_high < strong_high:
        raise InvalidValue(f"need 0 < weak_high < strong_high, got {weak_high!r} and {strong_high!r}")
    x = np.asarray(v, np.float64)
    c = 1 / weak_high**2 - 1 / strong_high**2
    with np.errstate(invalid="ignore"):
        return x / (1 + np.sqrt(1 - c * x**2)), x / (1 + np.sqrt(1 + c * x**2))


def wallet_bid(signal: ArrayLike, rule: str) -> FloatArray:
    """Return the bid of the wallet game V = s1 + s2, signals U[0, 1]: s in the first, 2 s in the second price."""
    if rule not in ("first_price", "second_price"):
        raise InvalidValue(f"the wallet game is known for first_price and second_price, got {rule!r}")
    return np.asarray(signal, np.float64) * (1.0 if rule == "first_price" else 2.0)


def affiliated_bid(signal: ArrayLike) -> FloatArray:
    """Return 2 x / 3: first price, signals X_i = S_i + T, common value (X_1 + X_2) / 2 (Krishna, example 6.2)."""
    return np.asarray(signal, np.float64) * (2 / 3)


def mineral_rights_bid(signal: ArrayLike) -> FloatArray:
    """Return 2 x / (2 + x): second price, n = 3, V ~ U[0, 1], signals U[0, 2 V] (Krishna, example 6.1)."""
    x = np.asarray(signal, np.float64)
    return 2 * x / (2 + x)


def discriminatory_bid(v: ArrayLike, n: int, units: int) -> FloatArray:
    """Return E[Y | Y < v], Y the k-th highest of n - 1 values U[0, 1]: pay-as-bid, unit demand, k < n units."""
    from scipy.special import betainc

    if not 1 <= units < n:
        raise InvalidValue(f"units must lie in 1..{n - 1} for {n} bidders, got {units}")
    x = np.asarray(v, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        bid = (n - units) / n * betainc(n - units + 1, units, x) / betainc(n - units, units, x)
    return np.where(x > 0, bid, 0.0)


def locally_envy_free_bids(values: ArrayLike, ctr: Sequence[float]) -> FloatArray:
    """Return the lowest symmetric Nash bids of the generalised second-price auction.

    Args:
        values: [n] values per click, not increasing.
        ctr: [K] click-through rates, not increasing, all above 0.

    Returns:
        [n] bids; with them GSP earns exactly the VCG revenue.  The top bid may be anything above the second.

    Reference: Edelman, Ostrovsky, Schwarz (2007); Varian (2007).
    """
    v, rates = check_bids(values, ("bidders",), what="values"), check_slots(ctr)
    if (np.diff(v) > 0).any() or rates[-1] <= 0:
        raise InvalidValue("values must not increase and click-through rates must be above 0")
    bids = v.copy()
    for k in range(min(v.size, rates.size + 1) - 1, 0, -1):  # slot k + 1 in the usual counting from 1
        here = rates[k] if k < rates.size else 0.0
        following = bids[k + 1] if k + 1 < v.size else 0.0
        bids[k] = v[k] - here / rates[k - 1] * (v[k] - following)
    return bids


def llg_local_bid(v: ArrayLike, payment: str) -> FloatArray:
    """Return the symmetric bid of the locals, U[0, 1] against a truthful global bidder U[0, 2].

    Reference: Ausubel and Baranov (2020), Journal of Economic Theory 190, with independent values.
    """
    x = np.asarray(v, np.float64)
    if payment == "vcg":
        return x.copy()
    if payment == "nearest_vcg":
        return np.maximum(0.0, x - NEAREST_VCG_SHADE)
    if payment == "nearest_zero":
        with np.errstate(divide="ignore"):
            return np.asarray(np.maximum(0.0, 1 + np.log(x)))
    if payment == "nearest_bid":
        return np.asarray(math.log(2) - np.log(2 - x))
    raise InvalidValue(f"payment must be vcg, nearest_vcg, nearest_zero or nearest_bid, got {payment!r}")


def bilateral_bids(value: ArrayLike, cost: ArrayLike, k: float = 0.5) -> tuple[FloatArray, FloatArray]:
    """Return the linear equilibrium of the bilateral k-double auction, U[0, 1] both.

    Outside the trading region buyers bid at most their value and sellers ask at least their cost.

    Reference: Chatterjee and Samuelson (1983), Operations Research 31.
    """
    v, c = np.asarray(value, np.float64), np.asarray(cost, np.float64)
    buyer = v / (1 + k) + k * (1 - k) / (2 * (1 + k))
    seller = c / (2 - k) + (1 - k) / 2
    return np.minimum(buyer, v), np.maximum(seller, c)


def bilateral_gains(k: float = 0.5) -> float:
    """Return the expected gains from trade of that equilibrium: 9/64 at k = 1/2, 1/8 at k = 0 and 1.

    The buyer's offer meets the seller's on v / (1+k) + k(1-k) / (2(1+k)) >= c / (2-k) + (1-k) / 2.
    """
    # trade iff c <= s v - t, a line; gains are the integral of v - c over the triangle under it
    slope = (2 - k) / (1 + k)
    shift = (2 - k) * ((1 - k) / 2 - k * (1 - k) / (2 * (1 + k)))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    start, stop = shift / slope, min(1.0, (1 + shift) / slope)
    v = start + (stop - start) * (nodes + 1) / 2
    c = slope * v - shift
    lower = float(weights @ (v * c - c**2 / 2) * (stop - start) / 2)
    return lower + max(0.0, (1 - stop**2) / 2 - (1 - stop) / 2)


def all_pay_complete(v1: float, v2: float) -> dict[str, float]:
    """Return facts of the two-bidder all-pay auction with known values v1 >= v2 > 0.

    Bidder 1 bids U[0, v2]; bidder 2 bids 0 with probability 1 - v2 / v1, else U[0, v2].

    Reference: Baye, Kovenock, de Vries (1996), Economic Theory 8.
    """
    if not v1 >= v2 > 0:
        raise InvalidValue(f"need v1 >= v2 > 0, got {v1!r} and {v2!r}")
    return {
        "revenue": v2 / 2 * (1 + v2 / v1),
        "welfare": v1 - v2 / (2 * v1) * (v1 - v2),
        "second_stays_out": 1 - v2 / v1,
    }


def standard_revenue(n: int) -> float:
    """Return (n-1) / (n+1): first, second, third and all-pay revenue, U[0, 1], no reserve (revenue equivalence)."""
    _bidders(n, 1)
    return (n - 1) / (n + 1)


def crra_revenue(n: int, risk: float) -> float:
    """Return the first-price revenue with utility x^rho: (n-1) n / ((n-1+rho)(n+1)), U[0, 1]."""
    _bidders(n)
    return (n - 1) * n / ((n - 1 + risk) * (n + 1))


def efficient_welfare(n: int) -> float:
    """Return n / (n+1), the expected highest of n values U[0, 1]."""
    _bidders(n, 1)
    return n / (n + 1)


def optimal_revenue(priors: Sequence[Prior], seller_value: float = 0.0) -> float:
    """Return the revenue of the optimal auction, net of nothing: E[max(c, max_i phi-bar_i)] - c P(unsold).

    With seller value c = 0 it is the expected highest positive virtual value.  For c > 0 it is the expected
    payment.  Computed as an integral over t of 1 - prod F_i(phi_i^{-1}(t)), to about 1e-9 for regular priors
    and the ironing grid (1e-6) for others.

    Reference: Myerson (1981), eq. 6.
    """
    top = max(_upper(p) for p in priors)
    knots = sorted({seller_value, top, *(p.high for p in priors if seller_value < p.high < top)})
    total = 0.0
    nodes, weights = np.polynomial.legendre.leggauss(400)
    for a, b in itertools.pairwise(knots):
        t = a + (b - a) * (nodes + 1) / 2
        total += float((b - a) / 2 * weights @ (1 - np.prod([_virtual_cdf(p, t) for p in priors], axis=0)))
    if seller_value:
        at = np.array([seller_value])
        total += seller_value * (1 - float(np.prod([_virtual_cdf(p, at)[0] for p in priors])))
    return total


def _upper(prior: Prior) -> float:
    return float(prior.high) if math.isfinite(prior.high) else float(prior.quantile(1 - 1e-15))


def _virtual_cdf(prior: Prior, t: FloatArray) -> FloatArray:
    """Return P(ironed virtual value < t)."""
    return prior.cdf([prior.reserve_price(float(x)) for x in t])


def second_price_revenue(priors: Sequence[Prior]) -> float:
    """Return the expected second highest of independent values, no reserve."""
    _bidders(len(priors))
    top = max(_upper(p) for p in priors)
    knots = sorted({0.0, top, *(p.high for p in priors if p.high < top)})
    total = 0.0
    nodes, weights = np.polynomial.legendre.leggauss(400)
    for a, b in itertools.pairwise(knots):
        t = a + (b - a) * (nodes + 1) / 2
        below = np.array([p.cdf(t) for p in priors])
        others = np.array([np.prod(np.delete(below, i, axis=0), axis=0) for i in range(len(priors))])
        # P(at most one value is above t)
        most_one = np.prod(below, axis=0) + ((1 - below) * others).sum(axis=0)
        total += float((b - a) / 2 * weights @ (1 - most_one))
    return total


OPTIMAL_MENU_REVENUE: dict[str, float] = {
    "additive U[0,1]^2": (12 + 2 * math.sqrt(2)) / 27,
    "additive U[4,16] x U[4,7]": 88 / 9,
    "additive triangle": 2 / (3 * math.sqrt(3)),
    "unit demand U[0,1]^2": 2 / (3 * math.sqrt(3)),
    "unit demand U[2,3]^2": 2.1331,
}
"""Optimal revenue of one bidder and two items (Daskalakis, Deckelbaum, Tzamos; Manelli and Vincent; Pavlov)."""
