"""Executable properties of the rules: probes for ``sim.testing.check_mechanism``.

Every probe draws random problems (1 to 8 bidders, tied values in a fifth of the entries, some zero bids),
evaluates them in batches and returns the size of the worst violation.  Truthfulness is tried with a grid
of 64 misreports and with reports 1e-9 around every number that can be a threshold.

Axes: P problems, n participants, d numbers in a report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np

from equilibria.mechanisms.base import Rule
from equilibria.mechanisms.bundles import CombinatorialRule
from equilibria.mechanisms.checks import check_slots
from equilibria.mechanisms.double import DoubleRule
from equilibria.mechanisms.local_global import LLGRule
from equilibria.mechanisms.multi_unit import MultiUnitRule
from equilibria.mechanisms.optimal import MyersonRule
from equilibria.mechanisms.outcome import Outcome
from equilibria.mechanisms.position import PositionRule
from equilibria.mechanisms.priors import prior_from
from equilibria.sim.testing.mechanism import check_mechanism
from equilibria.sim.types import FloatArray, IntArray

Probe = Callable[[Any, np.random.Generator], float]
PROBLEMS: Final = 128
MISREPORTS: Final = 64
NUDGE: Final = 1e-9
_MONEY = ("reserve", "soft_floor", "price", "clock_step", "seller_value")


@dataclass(frozen=True)
class Case:
    """One batch of problems of a rule.

    Attributes:
        rule: The rule.
        values: [P, n, d] true values (costs for sellers).
        bundles: [n, d] bit masks of combinatorial bids, else empty.
        buyers: Number of buyers in a double auction, else n.
    """

    rule: Any
    values: FloatArray
    bundles: IntArray
    buyers: int

    def run(self, reports: FloatArray) -> Outcome:
        """Return the outcome of reports [P, n, d]; row p is auction p, so ties do not move."""
        rule = self.rule
        if isinstance(rule, DoubleRule):
            return rule.allocate_and_price(reports[:, : self.buyers, 0], reports[:, self.buyers :, 0])
        if isinstance(rule, CombinatorialRule):
            return rule.allocate_and_price(self.bundles, reports)
        if isinstance(rule, MultiUnitRule):
            return rule.allocate_and_price(reports)
        out: Outcome = rule.allocate_and_price(reports[:, :, 0])
        return out

    def amounts(self, out: Outcome) -> FloatArray:
        """Return what a single value multiplies [P, n]; for one-parameter rules only."""
        if isinstance(self.rule, PositionRule):
            s = self.rule.settings
            return np.asarray(out.alloc @ check_slots(s.ctr) * np.asarray(s.quality or [1.0] * out.pay.shape[1]))
        if isinstance(self.rule, LLGRule):
            return np.asarray(out.alloc.max(axis=2))
        return out.alloc[:, :, 0]

    def worth(self, out: Outcome) -> FloatArray:
        """Return the true value [P, n] of what everybody got."""
        if isinstance(self.rule, MultiUnitRule):
            units = out.alloc.sum(axis=2)
            return np.asarray(
                np.where(np.arange(self.values.shape[2]) < units[:, :, None], self.values, 0.0).sum(axis=2)
            )
        if isinstance(self.rule, CombinatorialRule):
            got = (out.alloc.astype(np.int64) << np.arange(out.alloc.shape[2])).sum(axis=2)
            inside = (self.bundles & ~got[:, :, None]) == 0
            return np.asarray(np.where(inside & (self.bundles != 0), self.values, 0.0).max(axis=2))
        return self.values[:, :, 0] * self.amounts(out)

    def utility(self, reports: FloatArray) -> FloatArray:
        """Return utilities [P, n] of reports."""
        out = self.run(reports)
        return self.worth(out) - out.pay


def draw_case(rule: Rule, rng: np.random.Generator, problems: int = PROBLEMS) -> Case:
    """Draw a batch of problems that fit the rule."""
    n, d, buyers = _size(rule, rng)
    values = rng.random((problems, n, d))
    tied = rng.random(values.shape) < 0.2
    values = np.where(tied, np.round(values * 4) / 4, values)
    values *= _scale(rule)
    bundles = np.zeros((n, d), np.int64)
    if isinstance(rule, CombinatorialRule):
        bundles = rng.integers(0, 1 << rule.settings.items, (n, d))
    if isinstance(rule, MultiUnitRule):
        values = -np.sort(-values, axis=2)
    if isinstance(rule, LLGRule):
        values[:, 2] *= 2
    return Case(rule, values, bundles, buyers)


def _size(rule: Rule, rng: np.random.Generator) -> tuple[int, int, int]:
    n = int(rng.integers(1, 9))
    if isinstance(rule, MultiUnitRule):
        return n, rule.settings.units, n
    if isinstance(rule, CombinatorialRule):
        return int(rng.integers(1, 5)), 3, n
    if isinstance(rule, LLGRule):
        return 3, 1, 3
    fixed = _named_bidders(rule)
    return (fixed or n), 1, int(rng.integers(0, n + 1))


def _named_bidders(rule: Rule) -> int:
    """Return the number of bidders that personal parameters fix, 0 if none do."""
    s = rule.settings
    for name in ("reserve", "quality", "priors"):
        value = getattr(s, name, None)
        if isinstance(value, list) and (name != "priors" or len(value) > 1):
            return len(value)
    return 0


def _scale(rule: Rule) -> float:
    """Return the size of typical values."""
    if isinstance(rule, MyersonRule):
        return max(min(prior_from(p).high, 10.0) for p in rule.settings.priors)
    return 1.0


def truthful(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest gain from a misreport."""
    case = draw_case(rule, rng)
    honest = case.utility(case.values)
    worst = 0.0
    for i in range(case.values.shape[1]):
        for report in _misreports(case, i, rng):
            reports = case.values.copy()
            reports[:, i] = -np.sort(-report, axis=1) if isinstance(rule, MultiUnitRule) else report
            worst = max(worst, float((case.utility(reports)[:, i] - honest[:, i]).max()))
    return worst


def _misreports(case: Case, i: int, rng: np.random.Generator) -> list[FloatArray]:
    """Return reports [P, d] of participant i: a grid, and numbers next to those of the others and of the rule."""
    own = case.values[:, i]
    top = 1.25 * float(case.values.max()) + 0.25
    single = own.shape[1] == 1
    grid = np.linspace(0.0, top, MISREPORTS)
    reports = [np.full_like(own, x) if single else np.abs(rng.random(own.shape) * top) for x in grid]
    others = np.delete(case.values, i, axis=1).reshape(len(own), -1)
    points = [others[:, k] for k in range(others.shape[1])]
    points += [np.full(len(own), x) for x in _money(case.rule)]
    for point in points:
        for shift in (-NUDGE, 0.0, NUDGE):
            moved = own.copy()
            moved[:, int(rng.integers(own.shape[1]))] = np.maximum(point + shift, 0.0)
            reports.append(moved)
    return reports


def _money(rule: Rule) -> list[float]:
    found: list[float] = []
    for name in _MONEY:
        value = getattr(rule.settings, name, None)
        found += [float(x) for x in (value if isinstance(value, list) else [value]) if x]
    return found


def individually_rational(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest loss of a truthful participant."""
    case = draw_case(rule, rng)
    return max(0.0, float(-case.utility(case.values).min()))


def budget_balanced(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest sum of payments in absolute value."""
    case = draw_case(rule, rng)
    return float(np.abs(case.run(case.values).pay.sum(axis=1)).max())


def weakly_budget_balanced(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest deficit of the designer."""
    case = draw_case(rule, rng)
    return max(0.0, float(-case.run(case.values).pay.sum(axis=1).min()))


def efficient(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest loss of reported welfare against the optimum by enumeration or sorting."""
    case = draw_case(rule, rng)
    out = case.run(case.values)
    lie = float(np.abs(_attained(case, out) - out.welfare).max())
    return max(lie, float((_best_welfare(case) - out.welfare).max()))


def _attained(case: Case, out: Outcome) -> FloatArray:
    return np.asarray(case.worth(out).sum(axis=1))


def _best_welfare(case: Case) -> FloatArray:
    """Return the greatest welfare [P] that the reported values allow."""
    v = case.values
    if isinstance(case.rule, CombinatorialRule):
        return _best_bundles(case)
    if isinstance(case.rule, LLGRule):
        return np.maximum(v[:, 0, 0] + v[:, 1, 0], v[:, 2, 0])
    if isinstance(case.rule, MultiUnitRule):
        return np.asarray(-np.sort(-v.reshape(len(v), -1), axis=1)[:, : v.shape[2]].sum(axis=1))
    if isinstance(case.rule, DoubleRule):
        bids, asks = -np.sort(-v[:, : case.buyers, 0], axis=1), np.sort(v[:, case.buyers :, 0], axis=1)
        pairs = min(bids.shape[1], asks.shape[1])
        return np.asarray(np.maximum(bids[:, :pairs] - asks[:, :pairs], 0.0).sum(axis=1))
    score = v[:, :, 0]
    if isinstance(case.rule, PositionRule):
        ctr = check_slots(case.rule.settings.ctr)
        score = score * np.asarray(case.rule.settings.quality or [1.0] * score.shape[1])
        slots = min(ctr.size, score.shape[1])
        return np.asarray(-np.sort(-score, axis=1)[:, :slots] @ ctr[:slots])
    return np.asarray(score.max(axis=1))


def _best_bundles(case: Case) -> FloatArray:
    """Enumerate all choices of one bid per bidder."""
    n, width = case.bundles.shape
    best = np.zeros(len(case.values))
    for choice in product(range(-1, width), repeat=n):
        masks = [int(case.bundles[j, b]) for j, b in enumerate(choice) if b >= 0]
        if sum(masks) != int(np.bitwise_or.reduce(masks or [0])) or 0 in masks:
            continue  # two bundles share an item
        chosen = [case.values[:, j, b] for j, b in enumerate(choice) if b >= 0]
        best = np.maximum(best, np.sum(chosen, axis=0)) if chosen else best
    return best


def monotone(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest fall of the own amount after raising the own report (first number of it)."""
    case = draw_case(rule, rng)
    before = _quantity(case, case.run(case.values))
    worst = 0.0
    for i in range(case.values.shape[1]):
        for size in (NUDGE, 0.25, 1.0):
            raised = case.values.copy()
            raised[:, i] += size * rng.random((len(raised), 1))
            worst = max(worst, float((before[:, i] - _quantity(case, case.run(raised))[:, i]).max()))
    return worst


def _quantity(case: Case, out: Outcome) -> FloatArray:
    return np.asarray(out.alloc.sum(axis=2)) if isinstance(case.rule, MultiUnitRule) else case.amounts(out)


def anonymous(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest change of payments when participants change places (problems without ties)."""
    case = draw_case(rule, rng)
    untied = np.abs(case.values + 1e-6 * rng.random(case.values.shape))
    values = -np.sort(-untied, axis=2) if isinstance(rule, MultiUnitRule) else untied
    n = values.shape[1]
    moved = rng.permutation(n)
    if isinstance(rule, DoubleRule):
        moved = np.concatenate([rng.permutation(case.buyers), case.buyers + rng.permutation(n - case.buyers)])
    before = case.run(values)
    other = Case(rule, values[:, moved], case.bundles[moved], case.buyers)
    after = other.run(other.values)
    if getattr(rule, "name", "") in ("posted_price", "dutch", "english"):
        # who is asked first, or wins within one step of the clock, is a tie in all but name
        return float(np.abs(before.revenue - after.revenue).max())
    return float(np.abs(before.pay[:, moved] - after.pay).max())


def homogeneous(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest error of payments after multiplying all money by a power of two."""
    case = draw_case(rule, rng)
    worst = 0.0
    for factor in (0.25, 8.0):
        scaled = Case(scale_money(rule, factor), case.values, case.bundles, case.buyers)
        after = scaled.run(case.values * factor)
        worst = max(worst, float(np.abs(after.pay - factor * case.run(case.values).pay).max()))
    return worst


def scale_money(rule: Rule, factor: float) -> Rule:
    """Return the rule with every amount of money in its settings multiplied by ``factor``."""
    update: dict[str, Any] = {}
    for name in _MONEY:
        value = getattr(rule.settings, name, None)
        if value is not None:
            update[name] = [factor * x for x in value] if isinstance(value, list) else factor * value
    if isinstance(rule, MyersonRule):
        update["priors"] = [_scaled_prior(p, factor) for p in rule.settings.priors]
    return type(rule)(rule.name, rule.settings.model_copy(update=update))


def _scaled_prior(spec: Mapping[str, Any], factor: float) -> dict[str, Any]:
    out = dict(spec)
    defaults = {"uniform": {"low": 0.0, "high": 1.0}, "power": {"high": 1.0}, "exponential": {"mean": 1.0}}
    for key, default in {**defaults.get(str(spec["family"]), {}), "lows": None, "highs": None}.items():
        value = out.get(key, default)
        if value is not None:
            out[key] = [factor * x for x in value] if isinstance(value, list) else factor * value
    return out


def payment_identity(rule: Rule, rng: np.random.Generator) -> float:
    """Return the largest error of p(b) = b x(b) - integral of x over [0, b], jumps bracketed to 1e-12."""
    case = draw_case(rule, rng, problems=1)
    worst = 0.0
    for i in range(case.values.shape[1]):
        worst = max(worst, _identity_error(case, i, 400))
    return worst


def _identity_error(case: Case, i: int, points: int) -> float:
    bid = float(case.values[0, i, 0])
    others = case.values.copy()
    if isinstance(case.rule, MultiUnitRule):
        others[:, i, 1:] = 0.0  # one parameter: the value of a first unit

    def amount(z: FloatArray) -> tuple[FloatArray, FloatArray]:
        # one auction at a time would be auction 0; rows of one batch are not, so ties use the lowest index here
        rule = type(case.rule)(case.rule.name, case.rule.settings.model_copy(update={"tie": "lowest_index"}))
        reports = np.repeat(others, z.size, axis=0)
        reports[:, i, 0] = z
        fixed = Case(rule, reports, case.bundles, case.buyers)
        out = fixed.run(reports)
        got = (
            np.minimum(_quantity(fixed, out)[:, i], 1.0)
            if isinstance(rule, MultiUnitRule)
            else fixed.amounts(out)[:, i]
        )
        return got, out.pay[:, i]

    knots = np.linspace(0.0, bid, points)
    level, _ = amount(knots)
    low, high, below, above = knots[:-1], knots[1:], level[:-1], level[1:]
    area = 0.0
    for _ in range(50):  # halve every interval in which the amount changes; it is monotone, so others are flat
        flat = below == above
        area += float(((high - low) * below)[flat].sum())
        low, high, below, above = (x[~flat] for x in (low, high, below, above))
        if not low.size:
            break
        middle = (low + high) / 2
        at, _ = amount(middle)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        below, above = np.concatenate([below, at]), np.concatenate([at, above])
    got, paid = amount(np.array([bid]))
    return abs(float(paid[0]) - (bid * float(got[0]) - area))


PROBES: Final[Mapping[str, Probe]] = {
    "truthful": truthful,
    "individually_rational": individually_rational,
    "budget_balanced": budget_balanced,
    "weakly_budget_balanced": weakly_budget_balanced,
    "efficient": efficient,
    "monotone": monotone,
    "anonymous": anonymous,
    "homogeneous": homogeneous,
    "payment_identity": payment_identity,
}
"""Probes of the rules of this package, by property; pass them to ``check_mechanism``."""


@dataclass(frozen=True)
class _Indirect:
    """A rule without its direct view, for rules whose parameters fix the number of bidders."""

    rule: Rule

    def properties(self) -> Mapping[str, bool]:
        return self.rule.properties()


def check_rule(rule: Rule, *, rounds: int = 16, seed: int = 1, tolerance: float = 2 * NUDGE) -> None:
    """Check every claim of a rule on ``rounds`` x 128 random problems.

    Raises:
        PluginError: If a claim does not hold; names the claim and the size of the violation.
    """
    if not _named_bidders(rule):
        check_mechanism(rule, probes=PROBES, rounds=rounds, seed=seed, tolerance=tolerance)
        return

    def of_rule(probe: Probe) -> Probe:
        return lambda wrapped, rng: probe(wrapped.rule, rng)

    probes = {name: of_rule(probe) for name, probe in PROBES.items()}
    check_mechanism(_Indirect(rule), probes=probes, rounds=rounds, seed=seed, tolerance=tolerance)
