"""What a comparison may claim, and the words for it.

A claim needs an interval that excludes 0 *and* a permutation p of at most 0.05.  Five pairs cannot
reach that p, one pair shows nothing, and sides that no seed changes differ as a fact, not by statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from equilibria.sim.analysis.facts import MetricFacts
from equilibria.sim.analysis.statistics import PairedDifference, smallest_p
from equilibria.sim.analysis.ticks import short
from equilibria.sim.types import JSON

LEVEL = 0.05
Verdict = Literal["lower", "higher", "equal", "no evidence", "too few pairs", "seed-free", "one pair", "no pairs"]

TESTED: tuple[Verdict, ...] = ("lower", "higher", "no evidence", "too few pairs")
"""Verdicts that rest on a test; the others rest on counting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Outcome for one metric and one pair of groups.

    Attributes:
        metric: What was compared.
        first: Name of A.
        second: Name of B.
        paired: Statistics, ``None`` if nothing could be paired.
        p_adjusted: p after Holm's correction when several groups are compared, else the p itself.
        verdict: Outcome in one word or two.
        left_out: Seeds or members without a partner.
        family: Number of comparisons that p is adjusted for.
        repeats: Pairs not counted because they repeat another one of a setting without randomness.
    """

    metric: MetricFacts
    first: str
    second: str
    paired: PairedDifference | None
    p_adjusted: float
    verdict: Verdict
    left_out: int = 0
    family: int = 1
    repeats: int = 0

    def sentence(self) -> str:
        """Say the outcome in words."""
        return _sentence(self)

    def to_json(self) -> dict[str, JSON]:
        """Return the outcome as a JSON object."""
        return {
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "direction": self.metric.direction,
            "a": self.first,
            "b": self.second,
            "verdict": self.verdict,
            "sentence": self.sentence(),
            "left_out": self.left_out,
            "repeats": self.repeats,
            "p_adjusted": self.p_adjusted,
            "paired": None if self.paired is None else self.paired.to_json(),
        }


def judge(paired: PairedDifference, p: float, *, family: int = 1) -> Verdict:
    """Decide what may be claimed from paired values and their p, adjusted for ``family`` comparisons."""
    if paired.pairs == 1:
        return "one pair"
    if paired.lower_pairs == 0 and paired.higher_pairs == 0:
        return "equal"
    if paired.seed_free:
        return "seed-free"
    if paired.interval.contains(0.0):
        return "no evidence"
    if p > LEVEL:
        one_sided = 0 in (paired.lower_pairs, paired.higher_pairs)
        return "too few pairs" if one_sided and family * smallest_p(paired.pairs) > LEVEL else "no evidence"
    return "lower" if paired.difference < 0 else "higher"


def _sentence(outcome: Comparison) -> str:
    a, b, metric, paired = outcome.first, outcome.second, outcome.metric, outcome.paired
    if paired is None:
        return f"{metric.name}: {a} and {b} share no seed, so nothing can be paired; run both with the same seeds"
    unit = f" {metric.unit}" if metric.unit else ""
    side = "lower" if paired.difference < 0 else "higher"
    size = f"{short(abs(paired.difference))}{unit}"
    n = paired.pairs
    spread = f"[{short(paired.interval.low)}, {short(paired.interval.high)}]"
    if outcome.verdict == "one pair":
        values = f"A {short(paired.first)}, B {short(paired.second)}"
        return f"{metric.name}: one pair cannot show a difference ({values}{unit}); run both as sweeps over seeds"
    if outcome.verdict == "equal":
        return f"{metric.name}: {a} and {b} are equal in all {n} pairs"
    if outcome.verdict == "seed-free":
        return (
            f"{metric.name}: {a} is {side} than {b} by {size}, the same in all {n} pairs: neither side depends "
            "on the seed, so this is a fact about these two scenarios and no statistical claim"
        )
    p = f"{'exact ' if paired.p_exact else ''}p = {outcome.p_adjusted:.2g}"
    if outcome.verdict == "no evidence":
        relation = "contains 0" if paired.interval.contains(0.0) else "excludes 0, but the permutation test does not"
        return f"{metric.name}: no evidence of a difference between {a} and {b} (n = {n}, interval {spread} {relation}, {p})"
    ratio = f", ratio {short(paired.ratio)}" if paired.ratio is not None else ""
    claim = f"{a} is {side} than {b} by {size} {_absolute(paired)}"
    if outcome.verdict == "too few pairs":
        several = f" in {outcome.family} comparisons" if outcome.family > 1 else ""
        return (
            f"{metric.name}: {claim} in all {n} pairs{ratio}, but {n} pairs cannot reach p <= {LEVEL}{several} ({p}); "
            f"use at least {pairs_needed(outcome.family)} {'such settings' if outcome.repeats else 'seeds'}"
        )
    better = {"lower": side == "lower", "higher": side == "higher"}.get(metric.direction)
    judged = "" if better is None else f"; {'better' if better else 'worse'}, as {metric.direction} is better"
    return f"{metric.name}: {claim} (95 % interval, n = {n}, {p}{ratio}{judged})"


def pairs_needed(family: int = 1) -> int:
    """Return the least number of pairs with which ``family`` comparisons can each reach p <= 0.05."""
    return next(n for n in range(1, 64) if family * smallest_p(n) <= LEVEL)


def _absolute(paired: PairedDifference) -> str:
    ends = sorted((paired.interval.low, paired.interval.high), key=abs) if paired.difference < 0 else None
    low, high = (-ends[0], -ends[1]) if ends else (paired.interval.low, paired.interval.high)
    return f"[{short(low)}, {short(high)}]"
