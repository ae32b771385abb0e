"""Value of remaining requests and budget: the dynamic programmes behind RLB.

V(t, b) is the expected value that the next t requests bring with budget b, prices drawn independently
from m, wins worth v1 theta - v0 price:

* ``solve`` takes every theta at its mean (the published programme);
* ``solve_spread`` takes the distribution of theta into account, so that V is the value of the
  policy that bids by it (exact for independent requests).

The bid at (t, b) for a request with theta is the largest price d <= min(b, P) with
v1 theta - v0 d + gamma (V(t-1, b-d) - V(t-1, b)) >= 0, and 0 if there is none.

Source: Cai, Ren, Zhang, Malialis, Wang, Yu, Guo (2017), Real-Time Bidding by Reinforcement Learning in
Display Advertising, WSDM, eqs. 6-11.  The second programme and the coarse grid are ours.
Cost: time sum of a(t, b) multiply-adds, about 0.1 ns each; memory 8 bytes per entry of the table.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from equilibria.agents.bidding import value_kernels as kernels
from equilibria.games.auctions.rtb.rules import ValueTable
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

_log = logging.getLogger(__name__)

FINE = 4096
"""Budgets below this are computed one by one in tables with a stride."""
MEMORY_LIMIT = 512 * 2**20
_GAIN_NODES = 4000
_GAIN_AT_QUANTILE = 3333  # 1.2 times the quantile is the end of the table, and the quantile is a node
_PREFIX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What a win is worth.

    Attributes:
        click_value: v1, value of one click (times theta).
        cost_weight: v0, value of one unit of money spent.
        gamma: Discount per request, in (0, 1].
    """

    click_value: float = 1.0
    cost_weight: float = 0.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("click_value", self.click_value), ("cost_weight", self.cost_weight)):
            if not 0.0 <= value < np.inf:
                raise InvalidValue(f"{name} must be a finite number of at least 0, got {value!r}")
        if not 0.0 < self.gamma <= 1.0:
            raise InvalidValue(f"gamma must lie in (0, 1], got {self.gamma!r}")


CLICKS = Objective()


def solve(
    prices: FloatArray,
    theta: float,
    requests: int,
    budget: int,
    *,
    objective: Objective = CLICKS,
    zero_budget_value: bool = True,
    budget_stride: int = 1,
    memory_limit: int = MEMORY_LIMIT,
) -> ValueTable:
    """Solve the programme that takes theta at its mean.

    Args:
        prices: float64 [P + 1] probabilities of prices 0 .. P (in money units), summing to at most 1.
        theta: Mean click probability, in [0, 1].
        requests: T >= 1, requests of an episode; the table has rows 0 .. T.
        budget: B >= 0, largest budget.
        objective: What a win is worth.
        zero_budget_value: False keeps V(t, 0) = 0, as the published code does; the formula counts
            free wins at price 0.
        budget_stride: Budgets from 4096 on are computed at multiples of this power of two, linear in
            between; relative error about 1e-5 at stride 8.
        memory_limit: Bytes; a larger table gets a stride, with a warning that states its error.

    Raises:
        InvalidValue: If an argument is out of range, or no stride fits into the memory.
    """
    plan = _Problem(prices, requests, budget, objective, np.empty(0), 1.0, zero_budget_value, theta=theta)
    return plan.solve(budget_stride, memory_limit)


def final_values(
    prices: FloatArray, theta: float, requests: int, budget: int, *, objective: Objective = CLICKS
) -> FloatArray:
    """Return V(T, 0 .. B) alone, exactly, in the memory of two rows; arguments as ``solve``.

    Raises:
        InvalidValue: If an argument is out of range.
    """
    _Problem(prices, requests, budget, objective, np.empty(0), 1.0, True, theta)  # checks
    reward = objective.click_value * theta
    row: FloatArray = kernels.last_row(
        np.asarray(prices, np.float64), reward, objective.cost_weight, objective.gamma, requests, budget
    )
    return row


def solve_spread(
    prices: FloatArray,
    thetas: FloatArray,
    requests: int,
    budget: int,
    *,
    objective: Objective = CLICKS,
    budget_stride: int = 1,
    memory_limit: int = MEMORY_LIMIT,
) -> ValueTable:
    """Solve the programme that knows the distribution of theta.

    Args:
        prices: float64 [P + 1] probabilities of prices 0 .. P.
        thetas: float64 [n] sample of click probabilities, for example those of the training requests.
        requests: T >= 1.
        budget: B >= 0.
        objective: What a win is worth.
        budget_stride: See ``solve``.
        memory_limit: See ``solve``.

    Raises:
        InvalidValue: If an argument is out of range.
    """
    values = np.asarray(thetas, np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InvalidValue(f"thetas must be a non-empty vector, got shape {values.shape}")
    bad = np.flatnonzero(~((values >= 0.0) & (values <= 1.0)))
    if bad.size:
        raise InvalidValue(f"thetas[{bad[0]}] must lie in [0, 1], got {float(values[bad[0]])!r}")
    gain, step = gain_table(values * objective.click_value)
    plan = _Problem(prices, requests, budget, objective, gain, step, True, theta=float(values.mean()))
    return plan.solve(budget_stride, memory_limit)


def gain_table(values: FloatArray) -> tuple[FloatArray, float]:
    """Return G(y) = mean of (values - y)^+ at multiples of a step, and the step.

    The 0.99999 quantile of the values is a node; the table ends at 1.2 times it, with G = 0 there.
    """
    ordered = np.sort(values)
    high = float(ordered[min(ordered.size - 1, int(np.ceil(0.99999 * ordered.size)) - 1)])
    step = high / _GAIN_AT_QUANTILE if high > 0.0 else 1.0
    nodes = np.arange(_GAIN_NODES + 1) * step
    nodes[_GAIN_AT_QUANTILE] = high if high > 0.0 else nodes[_GAIN_AT_QUANTILE]
    above = np.searchsorted(ordered, nodes, side="right")
    suffix = np.concatenate([np.cumsum(ordered[::-1])[::-1], [0.0]])
    gain = (suffix[above] - nodes * (ordered.size - above)) / ordered.size
    return np.maximum(np.append(gain, 0.0), 0.0), step


@dataclass(frozen=True, slots=True)
class _Problem:
    prices: FloatArray
    requests: int
    budget: int
    objective: Objective
    gain: FloatArray
    step: float
    free_wins: bool
    theta: float

    def __post_init__(self) -> None:
        check_prices(self.prices)
        if not 0.0 <= self.theta <= 1.0:
            raise InvalidValue(f"theta must lie in [0, 1], got {self.theta!r}")
        if self.requests < 1:
            raise InvalidValue(f"requests must be at least 1, got {self.requests!r}")
        if self.budget < 0:
            raise InvalidValue(f"budget must be at least 0, got {self.budget!r}")

    def solve(self, stride: int, memory_limit: int) -> ValueTable:
        if stride < 1 or stride & (stride - 1) or stride > 1024:
            raise InvalidValue(f"budget_stride must be a power of two in 1..1024, got {stride!r}")
        chosen = self._fitting(stride, memory_limit)
        table = self.table(chosen, self.requests)
        if chosen != stride:
            _log.warning(
                "value table of %d requests x %d budgets exceeds %d bytes: budgets from %d on have stride %d, "
                "relative error about %.1e",
                self.requests, self.budget, memory_limit, FINE, chosen, self.stride_error(chosen),
            )  # fmt: skip
        return table

    def _fitting(self, stride: int, memory_limit: int) -> int:
        chosen = stride
        while self._bytes(chosen) > memory_limit:
            chosen *= 2
            if chosen > 1024:
                raise InvalidValue(
                    f"requests = {self.requests} with budget = {self.budget} needs {self._bytes(1024)} bytes even at "
                    f"stride 1024, the limit is {memory_limit}: map long episodes onto a shorter table (rlb_long)"
                )
        return chosen

    def _bytes(self, stride: int) -> int:
        fine, nodes = self._shape(stride)
        return 8 * (self.requests + 1) * (fine + nodes)

    def _shape(self, stride: int) -> tuple[int, int]:
        if stride == 1 or self.budget < FINE:
            return self.budget + 1, 0
        return FINE, (self.budget - FINE + stride - 1) // stride + 1

    def table(self, stride: int, rows: int) -> ValueTable:
        fine, nodes = self._shape(stride)
        values = np.zeros((rows + 1, fine + nodes))
        o = self.objective
        reward = o.click_value * self.theta
        if nodes:
            kernels.solve_coarse(
                values, fine, stride, self.prices, reward, self.gain, self.step, o.cost_weight, o.gamma, self.free_wins
            )
        elif self.gain.size:
            kernels.solve_spread_rows(values, self.prices, self.gain, self.step, o.cost_weight, o.gamma)
        else:
            kernels.solve_rows(values, self.prices, reward, o.cost_weight, o.gamma, self.free_wins)
        return ValueTable(
            values=values, fine=fine, stride=stride if nodes else 1, budget=self.budget, top=self.prices.size - 1,
            click_value=o.click_value, cost_weight=o.cost_weight, gamma=o.gamma,
        )  # fmt: skip

    def stride_error(self, stride: int) -> float:
        """Estimate the relative error at b = B: stride against half the stride over the first 200 rows."""
        rows = min(_PREFIX, self.requests)
        # The budget of a prefix is its share, so that the compared states are as tight as the real ones.
        share = max(2 * FINE, self.budget * rows // self.requests)
        part = _Problem(
            self.prices, rows, min(self.budget, share), self.objective, self.gain, self.step, self.free_wins, self.theta
        )
        whole, half = part.table(stride, rows), part.table(max(1, stride // 2), rows)
        exact = half.value(rows, part.budget)
        return abs(whole.value(rows, part.budget) - exact) / exact if exact else 0.0


def stride_error(prices: FloatArray, theta: float, requests: int, budget: int, stride: int) -> float:
    """Estimate the relative error of ``solve(..., budget_stride=stride)`` for the click objective."""
    return _Problem(prices, requests, budget, CLICKS, np.empty(0), 1.0, True, theta).stride_error(stride)


def check_prices(prices: FloatArray) -> None:
    """Check a price distribution.

    Raises:
        InvalidValue: If it is no vector of non-negative numbers with a sum in (0, 1].
    """
    m = np.asarray(prices)
    if m.ndim != 1 or m.size < 1:
        raise InvalidValue(f"prices must be a vector of probabilities of prices 0 .. P, got shape {m.shape}")
    bad = np.flatnonzero(~(np.isfinite(m) & (m >= 0.0)))
    if bad.size:
        raise InvalidValue(f"prices[{bad[0]}] must be a finite probability of at least 0, got {float(m[bad[0]])!r}")
    total = float(m.sum())
    if not 0.0 < total <= 1.0 + 1e-9:
        raise InvalidValue(f"prices must sum to a number in (0, 1], got {total!r}")
