"""Comparison of two runs, two sweeps, or the groups of one sweep: paired by seed, honest about chance.

A claim ("A is lower than B") needs an interval that excludes 0 *and* a permutation p of at most 0.05.
Five pairs cannot reach that p (the smallest is 0.0625), one pair shows nothing at all, and the text
says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from equilibria.sim.analysis.facts import (
    MetricFacts,
    agents_phrase,
    certificate_sentence,
    facts,
    final_values,
    headline_metric,
    metric_facts,
    plural,
    require_metric,
)
from equilibria.sim.analysis.samples import Sample, Source, overrides_phrase, varying_keys
from equilibria.sim.analysis.statistics import PairedDifference, holm, paired_difference, smallest_p
from equilibria.sim.analysis.ticks import short
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import JSON

LEVEL = 0.05
Verdict = Literal["lower", "higher", "equal", "no evidence", "too few pairs", "seed-free", "one pair", "no pairs"]


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
    """

    metric: MetricFacts
    first: str
    second: str
    paired: PairedDifference | None
    p_adjusted: float
    verdict: Verdict
    left_out: int = 0

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
            "p_adjusted": self.p_adjusted,
            "paired": None if self.paired is None else self.paired.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All comparisons of one call.

    Attributes:
        comparisons: Outcomes, headline metric first.
        notes: What differs between the two sides and what a reader must know.
        certificates: Certificate sentences by side.
        other_metrics: Recorded metrics that were not compared.
    """

    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    certificates: Mapping[str, str]
    other_metrics: tuple[str, ...]

    def to_json(self) -> dict[str, JSON]:
        """Return the report as a JSON object."""
        return {
            "comparisons": [c.to_json() for c in self.comparisons],
            "notes": list(self.notes),
            "certificates": dict(self.certificates),
            "other_metrics": list(self.other_metrics),
        }


def compare_sources(first: Source, second: Source, *, metrics: Sequence[str] = (), at: int | None = None) -> Report:
    """Compare two runs or sweeps.

    Args:
        first: Side A.
        second: Side B.
        metrics: Metrics to compare; empty for the headline metric of A.
        at: Compare the last record at or before this unit instead of the last one.

    Raises:
        InvalidValue: If a side has no complete run, or sweeps share no group.
        UnknownName: If a metric was recorded on neither side.
    """
    pairs = _matching_groups(first, second)
    names, others = _metrics(first, second, metrics)
    comparisons = []
    for name in names:
        outcomes = [
            _compare_groups(name, label_a, label_b, samples_a, samples_b, at=at, ignore=())
            for label_a, label_b, samples_a, samples_b in pairs
        ]
        comparisons += _adjusted(outcomes)
    notes = _notes(first.samples[0], second.samples[0], at=at) + _failures(first) + _failures(second)
    if not first.is_sweep and not second.is_sweep:
        notes += _crossings(first.samples[0], second.samples[0], names)
    return Report(
        comparisons=tuple(comparisons),
        notes=tuple(dict.fromkeys(notes)),
        certificates=_certificates(pairs),
        other_metrics=tuple(others),
    )


def compare_groups(
    sweep: Source, *, by: str = "", baseline: str = "", metrics: Sequence[str] = (), at: int | None = None
) -> Report:
    """Compare the groups of one sweep with its first group (or ``baseline``).

    Args:
        sweep: A sweep in which ``by`` takes at least two values.
        by: Override key that tells the groups apart; may be left out if only one key varies.
        baseline: Value of ``by`` that the others are compared with; the first one if empty.
        metrics: Metrics to compare; empty for the headline metric.
        at: Compare the last record at or before this unit.

    Raises:
        InvalidValue: If ``by`` does not name one varying key, or ``baseline`` is no value of it.
    """
    keys = varying_keys(sweep.samples)
    if not by and len(keys) == 1:
        by = keys[0]
    if by not in keys:
        found = f"{by!r} does not vary" if by else f"{len(keys)} keys vary"
        raise InvalidValue(
            f"{sweep.path}: {found}; choose the groups with --by KEY; varying keys: {', '.join(keys) or '(none)'}"
        )
    groups: dict[str, list[Sample]] = {}
    for sample in sweep.samples:
        groups.setdefault(overrides_phrase({by: sample.overrides.get(by)}), []).append(sample)
    base = f"{by}={baseline}" if baseline else next(iter(groups))
    if base not in groups:
        raise InvalidValue(f"{sweep.path}: no group {base!r}; groups: {', '.join(groups)}")
    names, others = _metrics(sweep, sweep, metrics)
    comparisons = []
    for name in names:
        outcomes = [
            _compare_groups(name, label, base, samples, groups[base], at=at, ignore=(by,))
            for label, samples in groups.items()
            if label != base
        ]
        comparisons += _adjusted(outcomes)
    pairs = [(label, label, samples, samples) for label, samples in groups.items()]
    notes = _failures(sweep)
    if len(groups) > 2:
        notes.append(f"p values are adjusted for {len(groups) - 1} comparisons (Holm)")
    return Report(
        comparisons=tuple(comparisons),
        notes=tuple(notes),
        certificates=_certificates(pairs),
        other_metrics=tuple(others),
    )


_Groups = list[tuple[str, str, list[Sample], list[Sample]]]


def _matching_groups(first: Source, second: Source) -> _Groups:
    for side in (first, second):
        if not side.samples:
            reasons = "; ".join(f"{f.label}: {f.state}" for f in side.failures[:3])
            raise InvalidValue(f"{side.path}: no complete run to compare ({reasons or 'the sweep is empty'})")
    ours, theirs = first.groups(), second.groups()
    if len(ours) == 1 and len(theirs) == 1:
        label_a, label_b = _side_labels(first, second)
        return [(label_a, label_b, next(iter(ours.values())), next(iter(theirs.values())))]
    shared = [group for group in ours if group in theirs]
    if not shared:
        raise InvalidValue(
            f"{first.path} and {second.path} share no group of overrides: "
            f"A has {'; '.join(ours) or '(none)'}, B has {'; '.join(theirs) or '(none)'}"
        )
    return [(f"A {g}".strip(), f"B {g}".strip(), ours[g], theirs[g]) for g in shared]


def _side_labels(first: Source, second: Source) -> tuple[str, str]:
    names = [agents_phrase(facts(side.samples[0].run).resolved) for side in (first, second)]
    if names[0] == names[1] or not all(names):
        names = [first.label, second.label]
    if names[0] == names[1]:
        return "A", "B"
    return f"A ({names[0]})", f"B ({names[1]})"


def _metrics(first: Source, second: Source, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    ours, theirs = final_values(first.samples[0].run), final_values(second.samples[0].run)
    common = [v for v in ours if any(v.metric == w.metric and v.key == w.key for w in theirs)]
    if not common:
        raise InvalidValue(f"{first.path} and {second.path} recorded no common metric")
    if wanted:
        names = [require_metric(name, common) for name in dict.fromkeys(wanted)]
    else:
        names = [str(headline_metric(first.samples[0].run, common))]
    return names, [m for m in dict.fromkeys(v.metric for v in common) if m not in names]


def _compare_groups(
    metric: str,
    label_a: str,
    label_b: str,
    samples_a: Sequence[Sample],
    samples_b: Sequence[Sample],
    *,
    at: int | None,
    ignore: Sequence[str],
) -> Comparison:
    about = metric_facts(samples_a[0].run, metric)
    ours, theirs = _by_partner(metric, samples_a, at, ignore), _by_partner(metric, samples_b, at, ignore)
    if len(samples_a) == 1 and len(samples_b) == 1 and not ours.keys() & theirs.keys():
        theirs = dict(zip(ours, theirs.values(), strict=False))  # two single runs with other seeds: shown, no claim
    keys = [key for key in ours if key in theirs]
    left_out = len(samples_a) + len(samples_b) - 2 * len(keys)
    if not keys:
        return Comparison(
            metric=about,
            first=label_a,
            second=label_b,
            paired=None,
            p_adjusted=1.0,
            verdict="no pairs",
            left_out=left_out,
        )
    paired = paired_difference([ours[k] for k in keys], [theirs[k] for k in keys])
    return Comparison(
        metric=about,
        first=label_a,
        second=label_b,
        paired=paired,
        p_adjusted=paired.p_value,
        verdict=_verdict(paired, paired.p_value),
        left_out=left_out,
    )


def _by_partner(metric: str, samples: Sequence[Sample], at: int | None, ignore: Sequence[str]) -> dict[Any, float]:
    """Return the final value by what a partner must share: the seed and the other overrides."""
    found: dict[Any, float] = {}
    for sample in samples:
        rest = {k: v for k, v in sample.overrides.items() if k not in ignore} if ignore else {}
        value = _scalar(metric, sample, at)
        if value is not None:
            found[(sample.seed, overrides_phrase(rest))] = value
    return found


def _scalar(metric: str, sample: Sample, at: int | None) -> float | None:
    """Return the value of the empty key, or the mean over keys of a metric that has only keyed values."""
    values = {v.key: v.value for v in final_values(sample.run, metric=metric, at=at)}
    if not values:
        return None
    value = values[""] if "" in values else math.fsum(values.values()) / len(values)
    return value if math.isfinite(value) else None


def _adjusted(outcomes: list[Comparison]) -> list[Comparison]:
    testable = [i for i, c in enumerate(outcomes) if c.paired is not None and c.paired.pairs > 1]
    for index, p in zip(testable, holm([outcomes[i].p_adjusted for i in testable]), strict=True):
        paired = outcomes[index].paired
        if paired is not None:
            outcomes[index] = replace(outcomes[index], p_adjusted=p, verdict=_verdict(paired, p))
    return outcomes


def _verdict(paired: PairedDifference, p: float) -> Verdict:
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
        return "too few pairs" if one_sided and smallest_p(paired.pairs) > LEVEL else "no evidence"
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
        return (
            f"{metric.name}: {claim} in all {n} pairs{ratio}, but {n} pairs cannot reach p <= {LEVEL} ({p}); "
            "use at least 6 seeds"
        )
    better = {"lower": side == "lower", "higher": side == "higher"}.get(metric.direction)
    judged = "" if better is None else f"; {'better' if better else 'worse'}, as {metric.direction} is better"
    return f"{metric.name}: {claim} (95 % interval, n = {n}, {p}{ratio}{judged})"


def _absolute(paired: PairedDifference) -> str:
    ends = sorted((paired.interval.low, paired.interval.high), key=abs) if paired.difference < 0 else None
    low, high = (-ends[0], -ends[1]) if ends else (paired.interval.low, paired.interval.high)
    return f"[{short(low)}, {short(high)}]"


def _notes(first: Sample, second: Sample, *, at: int | None) -> list[str]:
    a, b = facts(first.run), facts(second.run)
    notes = []
    if a.game != b.game:
        notes.append(f"the games differ: A {a.game}, B {b.game}; values of different games are rarely comparable")
    if a.unit != b.unit:
        notes.append(f"the units of progress differ: A counts {plural(a.unit)}, B counts {plural(b.unit)}")
    if a.done != b.done and at is None:
        notes.append(
            f"the sides reached different units: A {a.progress()}, B {b.progress()}; "
            f"--at {min(a.done, b.done)} compares both at one unit"
        )
    for label, about in (("A", a), ("B", b)):
        if about.state != "complete":
            notes.append(f"{label} is {about.state} at {about.progress()}; its last value is not a result")
    if a.seed != b.seed:
        notes.append(f"the seeds differ: A {a.seed}, B {b.seed}; such runs are not paired")
    changed = _changed(a.resolved, b.resolved)
    if changed:
        more = f" and {len(changed) - 8} more" if len(changed) > 8 else ""
        notes.append(f"the scenarios differ in {', '.join(changed[:8])}{more}")
    return notes


def _changed(first: Any, second: Any, prefix: str = "") -> list[str]:
    """Return the dotted keys at which two resolved scenarios differ, with both values when they are short."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        keys = list(dict.fromkeys([*first, *second]))
        skip = {"name", "description", "versions", "sweep", "source", "version"} if not prefix else set()
        found: list[str] = []
        for key in keys:
            if key not in skip:
                found += _changed(first.get(key), second.get(key), f"{prefix}{key}.")
        return found
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [
            hit for i, (x, y) in enumerate(zip(first, second, strict=True)) for hit in _changed(x, y, f"{prefix}{i}.")
        ]
    if first == second:
        return []
    key = prefix.rstrip(".")
    if isinstance(first, (Mapping, list)) or isinstance(second, (Mapping, list)):
        return [key]
    return [f"{key} ({first} / {second})"]


def _failures(side: Source) -> list[str]:
    if not side.failures:
        return []
    names = ", ".join(f"{f.label} ({f.state})" for f in side.failures[:4])
    more = f" and {len(side.failures) - 4} more" if len(side.failures) > 4 else ""
    return [f"{side.label}: {len(side.failures)} members without a result are left out: {names}{more}"]


def _crossings(first: Sample, second: Sample, names: Sequence[str]) -> list[str]:
    """Say when each run first reached the other one's final value."""
    notes = []
    for name in names:
        about = metric_facts(first.run, name)
        goal_a, goal_b = _scalar(name, first, None), _scalar(name, second, None)
        if about.direction != "lower" or goal_a is None or goal_b is None:
            continue
        for label, other, sample, goal in (("A", "B", first, goal_b), ("B", "A", second, goal_a)):
            unit = first_unit_at_or_below(sample, name, goal)
            if unit is not None:
                notes.append(
                    f"{label} reaches {other}'s final {name} ({short(goal)}) at {facts(sample.run).unit} {unit:,}"
                )
    return notes


def first_unit_at_or_below(sample: Sample, metric: str, threshold: float) -> int | None:
    """Return the first recorded unit at which a scalar metric is at most ``threshold``."""
    rows = sample.run.metrics().filter(
        (pl.col("metric") == metric) & (pl.col("key") == "") & (pl.col("value") <= threshold)
    )
    unit = rows.select(pl.col("unit").min()).collect().item()
    return None if unit is None else int(unit)


def _certificates(pairs: _Groups) -> dict[str, str]:
    found: dict[str, str] = {}
    for label_a, label_b, samples_a, samples_b in pairs:
        for label, samples in ((label_a, samples_a), (label_b, samples_b)):
            worst = max(samples, key=_distance)
            lead = "" if len(samples) == 1 else f"worst of {len(samples)}: "
            found[label] = lead + certificate_sentence(worst.run)
    return found


def _distance(sample: Sample) -> float:
    certificate = sample.run.certificate if isinstance(sample.run.certificate, Mapping) else {}
    value, target = certificate.get("value"), certificate.get("target", 0.0)
    if not isinstance(value, (int, float)) or not isinstance(target, (int, float)):
        return -math.inf
    return abs(float(value) - float(target))
