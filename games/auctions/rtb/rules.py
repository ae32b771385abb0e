"""How a bidder bids, as numbers that compiled worlds read.

A *bid rule* is one of two kinds:

* linear: a = min(floor(scale theta), P, b), where scale may be steered (pacing), or with a curve c > 0
  the concave a = min(floor(sqrt(scale theta + c^2) - c), P, b);
* table: the largest price d <= min(b, P) that keeps
  v1 theta - v0 d + gamma (V(t-1, b-d) - V(t-1, b)) >= 0, from a table of V.

Money units are those of the prices (thousandths of a fen for the shipped campaigns).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

LINEAR, TABLE = 0, 1
MAX_PRICE: Final = 300
"""Highest bid and price of the shipped campaigns."""

Mapping_ = Literal["none", "action", "difference", "segment", "extrapolate"]
MAPPINGS: Final[dict[str, int]] = {"none": 0, "action": 1, "difference": 2, "segment": 3, "extrapolate": 4}
NO_MAPPING, MAP_ACTION, MAP_DIFFERENCE, SEGMENT, EXTRAPOLATE = range(5)
CONTROLS: Final[dict[str, int]] = {"none": 0, "pid": 1, "adaptive": 2}
NO_CONTROL, PID, ADAPTIVE = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTable:
    """V(t, b) for t = 0 .. R - 1 requests to come and budgets 0 .. B.

    Attributes:
        values: float64 [R, fine + K]; budget b < fine in column b, nodes fine, fine + stride ... after.
        fine: Number of budgets with a column of their own.
        stride: Budget between two nodes above; linear in between.
        budget: Largest budget B.
        top: Highest price P.
        click_value: v1, value of a click.
        cost_weight: v0, value of a unit of money.
        gamma: Discount per request.
    """

    values: FloatArray
    fine: int
    stride: int
    budget: int
    top: int = MAX_PRICE
    click_value: float = 1.0
    cost_weight: float = 0.0
    gamma: float = 1.0

    @property
    def requests(self) -> int:
        """Largest t."""
        return int(self.values.shape[0]) - 1

    def value(self, t: int, b: int) -> float:
        """Return V(t, b).

        Raises:
            InvalidValue: If (t, b) lies outside the table.
        """
        self._check(t, b)
        if b < self.fine:
            return float(self.values[t, b])
        k, rest = divmod(b - self.fine, self.stride)
        left = float(self.values[t, self.fine + k])
        if rest == 0:
            return left
        return left + rest / self.stride * (float(self.values[t, self.fine + k + 1]) - left)

    def bid(self, t: int, b: int, theta: float) -> int:
        """Return the bid with t requests to come (the present one included) and budget b."""
        self._check(t - 1, b)
        reward = self.click_value * theta - self.gamma * self.value(t - 1, b)
        low, high = -1, min(b, self.top)
        while low < high:  # the bracket decreases in d
            d = (low + high + 1) // 2
            if reward - self.cost_weight * d + self.gamma * self.value(t - 1, b - d) >= 0.0:
                low = d
            else:
                high = d - 1
        return max(low, 0)

    def _check(self, t: int, b: int) -> None:
        if not (0 <= t <= self.requests and 0 <= b <= self.budget):
            raise InvalidValue(
                f"state (t, b) must lie in 0..{self.requests} x 0..{self.budget} of the value table, got ({t}, {b})"
            )


NO_TABLE: Final = ValueTable(values=np.zeros((1, 1)), fine=1, stride=1, budget=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BidRule:
    """One bidder's rule.

    Attributes:
        kind: ``LINEAR`` or ``TABLE``.
        scale: Linear: money per unit of theta.
        curve: Linear: constant c of concave bids, 0 for straight ones; such a rule has no controller.
        table: Table: the values.
        theta: Value that replaces every request's own click probability; NaN keeps the own ones.
        network: Weights for mapping ``extrapolate``, as ``ValueNetwork.packed`` gives them.
        mapping: How states beyond the table are brought into it (a key of ``MAPPINGS``).
        control: Who steers ``scale``: nobody, a PID controller per interval, or adaptive pacing per request.
        parameters: float64 [8] of the controller; see ``kernels``.
    """

    kind: int
    scale: float = 0.0
    curve: float = 0.0
    table: ValueTable = NO_TABLE
    theta: float = float("nan")
    mapping: Mapping_ = "none"
    network: FloatArray = field(default_factory=lambda: np.zeros(0))
    control: Literal["none", "pid", "adaptive"] = "none"
    parameters: FloatArray = field(default_factory=lambda: np.zeros(8))

    def __post_init__(self) -> None:
        if self.kind not in (LINEAR, TABLE):
            raise InvalidValue(f"kind of a bid rule must be {LINEAR} (linear) or {TABLE} (table), got {self.kind!r}")
        if not 0.0 <= self.scale < np.inf:
            raise InvalidValue(f"scale of a bid rule must be a finite number of at least 0, got {self.scale!r}")
        if self.mapping == "extrapolate" and self.network.size == 0:
            raise InvalidValue("mapping of a bid rule is 'extrapolate', but it has no network")
        if not 0.0 <= self.curve < np.inf or (self.curve > 0.0 and self.control != "none"):
            raise InvalidValue(
                f"curve of a bid rule must be a finite number of at least 0, and 0 with a controller, got {self.curve!r}"
            )

    def wish(self, theta: FloatArray, multiplier: float = 1.0) -> FloatArray:
        """Return what a linear rule would bid before rounding and limits."""
        straight = self.scale * multiplier * theta
        return straight if self.curve == 0.0 else np.asarray(np.sqrt(straight + self.curve**2) - self.curve)


@dataclass(frozen=True, slots=True)
class PackedRules:
    """Rules of N bidders as flat arrays.

    Attributes:
        integers: int64 [N, 12] kind, mapping, control, first entry of the table, step from t to t + 1, fine, stride,
            largest t, largest b, highest price, step from b to b + 1, first weight of the network (-1: none).
        reals: float64 [N, 6] scale, replacing theta (NaN: none), v1, v0, gamma, curve.
        parameters: float64 [N, 8] of the controllers.
        tables: float64 [...] all tables, one after the other, equal ones once; networks after theirs.
    """

    integers: IntArray
    reals: FloatArray
    parameters: FloatArray
    tables: FloatArray


def pack(rules: tuple[BidRule, ...], *, by: Literal["budget", "time"] = "budget") -> PackedRules:
    """Return the arrays of several rules.

    Args:
        rules: The rules.
        by: ``budget``: V(t, b) of consecutive t are neighbours; a replay walks down t, seldom changes b and compares
            two values per request.  ``time``: those of consecutive b are; a market searches bids among the budgets of one t.
    """
    places: dict[int, int] = {}
    parts: list[FloatArray] = []
    size = 0
    integers, reals = np.zeros((len(rules), 12), np.int64), np.zeros((len(rules), 6))
    for i, rule in enumerate(rules):
        t = rule.table
        if id(t.values) not in places:
            places[id(t.values)] = size
            parts.append(np.ascontiguousarray(t.values.T if by == "budget" else t.values).reshape(-1))
            size += t.values.size
        weights = -1
        if rule.network.size:
            weights = size
            parts.append(rule.network)
            size += rule.network.size
        down, across = (1, t.values.shape[0]) if by == "budget" else (t.values.shape[1], 1)
        integers[i] = (
            rule.kind, MAPPINGS[rule.mapping], CONTROLS[rule.control], places[id(t.values)], down,
            t.fine, t.stride, t.requests, t.budget, t.top, across, weights,
        )  # fmt: skip
        reals[i] = rule.scale, rule.theta, t.click_value, t.cost_weight, t.gamma, rule.curve
    parameters = np.array([rule.parameters for rule in rules]).reshape(len(rules), 8)
    tables = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.zeros(1)])
    return PackedRules(integers, reals, parameters, tables)
