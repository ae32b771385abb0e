"""Comparison of two runs, two sweeps, or the groups of one sweep: paired by seed, honest about chance.

A claim ("A is lower than B") needs an interval that excludes 0 *and* a permutation p of at most 0.05.
Five pairs cannot reach that p (the smallest is 0.0625), one pair shows nothing at all, and the text
says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from equilibria.sim.analysis.differences import failure_notes, scenario_notes
from equilibria.sim.analysis.facts import (
    agents_phrase,
    certificate_sentence,
    facts,
    final_values,
    first_at_or_below,
    headline_metric,
    metric_facts,
    require_metric,
)
from equilibria.sim.analysis.samples import Sample, Source, overrides_phrase, varying_keys
from equilibria.sim.analysis.statistics import holm, paired_difference
from equilibria.sim.analysis.ticks import short
from equilibria.sim.analysis.verdicts import TESTED, Comparison, judge
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All comparisons of one call.

    Attributes:
        comparisons: Outcomes, headline metric first.
        notes: What differs between the two sides and what a reader must know.
        certificates: Certificate sentences by side.
        other_metrics: Recorded metrics that were not compared.
        groups: Runs by name of the side or group, for drawing.
    """

    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    certificates: Mapping[str, str]
    other_metrics: tuple[str, ...]
    groups: Mapping[str, Sequence[Sample]]

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
    notes = scenario_notes(first.samples[0], second.samples[0], at=at) + failure_notes(first) + failure_notes(second)
    if not first.is_sweep and not second.is_sweep:
        notes += _crossings(first.samples[0], second.samples[0], names)
    return Report(
        comparisons=tuple(comparisons),
        notes=tuple(dict.fromkeys(notes)),
        certificates=_certificates(pairs),
        other_metrics=tuple(others),
        groups=_sides(pairs),
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
    notes = failure_notes(sweep)
    if any(c.repeats for c in comparisons):
        notes.append("settings in which the seed changes nothing count once, however many seeds were run")
    family = max(c.family for c in comparisons)
    if family > 1:
        notes.append(f"p values are adjusted for {family} comparisons (Holm)")
    return Report(
        comparisons=tuple(comparisons),
        notes=tuple(notes),
        certificates=_certificates(pairs),
        other_metrics=tuple(others),
        groups=_sides(pairs),
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
    keys, repeats = _without_repeats(keys, ours, theirs)
    paired = paired_difference([ours[k] for k in keys], [theirs[k] for k in keys])
    return Comparison(
        metric=about,
        first=label_a,
        second=label_b,
        paired=paired,
        p_adjusted=paired.p_value,
        verdict=judge(paired, paired.p_value),
        left_out=left_out,
        repeats=repeats,
    )


_Partner = tuple[int | None, str]


def _without_repeats(
    keys: list[_Partner], ours: Mapping[_Partner, float], theirs: Mapping[_Partner, float]
) -> tuple[list[_Partner], int]:
    """Let a setting count once when its seeds change nothing on either side: its pairs are copies, not evidence."""
    settings: dict[str, list[_Partner]] = {}
    for key in keys:
        settings.setdefault(key[1], []).append(key)
    if len(settings) == 1:
        return keys, 0
    kept: list[_Partner] = []
    for same in settings.values():
        free = all(ours[k] == ours[same[0]] and theirs[k] == theirs[same[0]] for k in same)
        kept += same[:1] if free else same
    return kept, len(keys) - len(kept)


def _by_partner(metric: str, samples: Sequence[Sample], at: int | None, ignore: Sequence[str]) -> dict[_Partner, float]:
    """Return the final value by what a partner must share: the seed and the other overrides."""
    found: dict[_Partner, float] = {}
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
    testable = [i for i, c in enumerate(outcomes) if c.verdict in TESTED]
    for index, p in zip(testable, holm([outcomes[i].p_adjusted for i in testable]), strict=True):
        paired = outcomes[index].paired
        if paired is not None:
            verdict = judge(paired, p, family=len(testable))
            outcomes[index] = replace(outcomes[index], p_adjusted=p, verdict=verdict, family=len(testable))
    return outcomes


def _crossings(first: Sample, second: Sample, names: Sequence[str]) -> list[str]:
    """Say when each run first reached the other one's final value."""
    notes = []
    for name in names:
        about = metric_facts(first.run, name)
        goal_a, goal_b = _scalar(name, first, None), _scalar(name, second, None)
        if about.direction != "lower" or goal_a is None or goal_b is None:
            continue
        for label, other, sample, goal in (("A", "B", first, goal_b), ("B", "A", second, goal_a)):
            unit = first_at_or_below(sample.run, name, goal)
            if unit is not None:
                notes.append(
                    f"{label} reaches {other}'s final {name} ({short(goal)}) at {facts(sample.run).unit} {unit:,}"
                )
    return notes


def _sides(pairs: _Groups) -> dict[str, Sequence[Sample]]:
    found: dict[str, Sequence[Sample]] = {}
    for label_a, label_b, samples_a, samples_b in pairs:
        found |= {label_a: samples_a, label_b: samples_b}
    return found


def _certificates(pairs: _Groups) -> dict[str, str]:
    found: dict[str, str] = {}
    for label, samples in _sides(pairs).items():
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
