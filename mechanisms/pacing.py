"""Budget pacing and autobidding of one bidder, the hindsight optimum and closed forms.

Rules (``rho`` = budget / number of auctions, ``z`` = own payment of the round):

- ``throttle``: take part with probability pi; pi <- clip(pi + eta (rho - z), 0, 1).
- ``multiplicative``: bid v / (1 + mu); mu <- clip(mu - eps (rho - z), 0, top / rho - 1); stops when less than the
  highest value is left (adaptive pacing).
- ``pid``: bid lambda v; after each control interval lambda <- lambda exp(Kp e + Ki sum e + Kd change of e) with the
  relative underspending e; the integral rests while lambda is clipped.
- ``dual_omd``: value maximiser with a budget and the target "pay at most target x value": bid
  v (1 + lambda) / (mu + lambda / target), multiplicative updates of lambda, projected ones of mu, steps 1 / sqrt(T).

No rule ever bids more than is left, so spend never exceeds the budget.

Reference: Balseiro and Gur (2019), Management Science 65; Aggarwal, Badanidiyuru, Mehta (2019), WINE;
Feng, Padmanabhan, Wang (2023) for the dual rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms import pacing_kernels as kernels
from equilibria.mechanisms.checks import check_bids
from equilibria.sim.errors import InvalidValue, NotConverged
from equilibria.sim.types import BoolArray, FloatArray

Pacing = Literal["throttle", "multiplicative", "pid", "dual_omd"]


@dataclass(frozen=True, slots=True)
class PacedRun:
    """What a pacing rule did.

    Attributes:
        multipliers: [T] bid multiplier, or probability of taking part when throttling, before each auction.
        won: [T] whether the auction was won.
        payments: [T] payments.
        value: Sum of values won.
        spend: Sum of payments, at most the budget.
    """

    multipliers: FloatArray
    won: BoolArray
    payments: FloatArray
    value: float
    spend: float


def paced(
    rule: Pacing, values: ArrayLike, prices: ArrayLike, budget: float, *, payment: str = "second_price",
    step: float | None = None, target: float = 1.0, interval: int | None = None,
    gains: tuple[float, float, float] = (0.5, 0.05, 0.0), bounds: tuple[float, float] = (1e-3, 1e3),
    key: int = 0,
) -> PacedRun:  # fmt: skip
    """Play a stream of auctions with a pacing rule.

    Args:
        rule: Pacing rule.
        values: [T] values >= 0.
        prices: [T] highest competing bids >= 0.
        budget: Money for all auctions, > 0.
        payment: ``second_price`` (pay the price) or ``first_price`` (pay the own bid).
        step: Step size of all rules but ``pid``; 1 / sqrt(T) if ``None``.
        target: Money per unit of value that ``dual_omd`` accepts on average.
        interval: Auctions per control interval of ``pid``; T / 200, at least 1, if ``None``.
        gains: (Kp, Ki, Kd) of ``pid``.
        bounds: Least and greatest multiplier of ``pid``.
        key: 64-bit key of the random draws of ``throttle``.

    Raises:
        InvalidValue: If an input is bad; names index or parameter.
    """
    v, d = check_bids(values, ("auctions",), what="values"), check_bids(prices, ("auctions",), what="prices")
    if rule not in kernels.CODES or payment not in ("first_price", "second_price"):
        raise InvalidValue(f"rule must be one of {', '.join(kernels.CODES)} with first_price or second_price payments")
    if v.shape != d.shape or v.size == 0:
        raise InvalidValue(f"values and prices must be equally long and not empty, got {v.shape} and {d.shape}")
    if not 0 < budget < math.inf:
        raise InvalidValue(f"budget must be a finite number above 0, got {budget!r}")
    every = interval if interval is not None else max(1, v.size // 200)
    if every < 1 or not 0 < bounds[0] <= bounds[1] or target <= 0 or (step is not None and step <= 0):
        raise InvalidValue("interval must be at least 1, bounds rising and above 0, target and step above 0")
    top = float(v.max())
    cap = max(0.0, top * v.size / budget - 1)
    last = target if rule == "dual_omd" else bounds[1]
    parameters = np.array([step or 1 / math.sqrt(v.size), cap, top, every, *gains, bounds[0], last])
    state, won, paid = np.empty(v.size), np.zeros(v.size, np.bool_), np.empty(v.size)
    spend = kernels.replay(
        kernels.CODES[rule], payment == "first_price", v, d, float(budget), parameters, np.uint64(key), state, won, paid
    )
    return PacedRun(state, won, paid, float(v[won].sum()), float(spend))


def hindsight_value(values: ArrayLike, prices: ArrayLike, budget: float, *, target: float | None = None) -> float:
    """Return the best value of fractional wins in hindsight.

    Maximises sum v x with sum p x <= budget, and sum p x <= target sum v x if a target is given.  With the budget
    alone the greedy order of v / p is exact; with a target it is a linear programme (HiGHS).

    Raises:
        InvalidValue: If an input is bad.
        NotConverged: If the programme fails.
    """
    v, p = check_bids(values, ("auctions",), what="values"), check_bids(prices, ("auctions",), what="prices")
    if v.shape != p.shape or budget < 0:
        raise InvalidValue(f"need equally many values and prices and a budget >= 0, got {v.shape}, {p.shape}, {budget}")
    if target is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            order = np.argsort(-np.where(p > 0, v / p, np.inf), kind="stable")
        spent = np.cumsum(p[order])
        full = int(np.searchsorted(spent, budget, side="right"))
        value = float(v[order[:full]].sum())
        if full < v.size:
            left = budget - (float(spent[full - 1]) if full else 0.0)
            value += float(v[order[full]] * left / p[order[full]])
        return value
    from scipy.optimize import linprog

    found = linprog(-v, A_ub=np.stack([p, p - target * v]), b_ub=[budget, 0.0], bounds=(0.0, 1.0))
    if not found.success:
        raise NotConverged(f"hindsight optimum: {found.message}")
    return float(-found.fun)


def uniform_pacing(rate: float) -> dict[str, float]:
    """Return the optimal multiplier and its rates: values and prices U[0, 1], second price, budget rate ``rate``.

    m* = min(1, sqrt(6 rate)); spend m^2 / 6, win rate m / 2, value m / 3 per auction.

    Raises:
        InvalidValue: If the rate is not above 0.
    """
    if not rate > 0:
        raise InvalidValue(f"rate must be above 0, got {rate!r}")
    m = min(1.0, math.sqrt(6 * rate))
    return {"multiplier": m, "spend": m**2 / 6, "win_rate": m / 2, "value": m / 3}


def uniform_target_multiplier(target: float) -> dict[str, float]:
    """Return the best uniform multiplier of a value maximiser who pays at most ``target`` per value: m* = 2 target.

    Values and prices U[0, 1], second price, target in (0, 1/2]; the value per auction is 2 target / 3.

    Raises:
        InvalidValue: If the target is out of range.
    """
    if not 0 < target <= 0.5:
        raise InvalidValue(f"target must lie in (0, 1/2], got {target!r}")
    return {"multiplier": 2 * target, "value": 2 * target / 3}
