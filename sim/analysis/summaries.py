"""Summary rows of a sweep: one per group of overrides, median and interval over the seeds."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from equilibria.sim.analysis.facts import MetricFacts, final_values, headline_metric, metric_facts, require_metric
from equilibria.sim.analysis.samples import Source
from equilibria.sim.analysis.statistics import Interval, bootstrap_interval
from equilibria.sim.analysis.ticks import short
from equilibria.sim.types import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """Final values of one group.

    Attributes:
        group: The group's overrides as one phrase.
        metric: The metric.
        count: Number of seeds with a finite final value.
        median: Median over the seeds, ``None`` without a value.
        interval: Bootstrap interval of the median, ``None`` without a value.
        least: Least value.
        greatest: Greatest value.
    """

    group: str
    metric: MetricFacts
    count: int
    median: float | None
    interval: Interval | None
    least: float
    greatest: float

    @property
    def metric_label(self) -> str:
        """Name and unit of the metric."""
        return self.metric.label

    @property
    def median_text(self) -> str:
        """The median in few characters."""
        return "-" if self.median is None else short(self.median)

    @property
    def interval_text(self) -> str:
        """The interval, or why there is none."""
        if self.interval is None:
            return "-"
        if self.interval.method == "none":
            return "one seed"
        if self.interval.method == "constant":
            return "all seeds equal"
        return f"[{short(self.interval.low)}, {short(self.interval.high)}]"

    def to_json(self) -> dict[str, JSON]:
        """Return the row as a JSON object."""
        ends: JSON = None if self.interval is None else [self.interval.low, self.interval.high]
        return {
            "group": self.group,
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "seeds": self.count,
            "median": self.median,
            "interval": ends,
            "min": None if math.isnan(self.least) else self.least,
            "max": None if math.isnan(self.greatest) else self.greatest,
        }


def sweep_rows(source: Source, metric: str = "") -> list[SweepRow]:
    """Summarise each group of a sweep.

    Args:
        source: The sweep.
        metric: Metric to summarise; empty for the headline metric.

    Raises:
        UnknownName: If no member recorded ``metric``.
    """
    if not source.samples:
        return []
    first = source.samples[0].run
    recorded = [v for s in source.samples for v in final_values(s.run)]
    name = require_metric(metric, recorded) if metric else headline_metric(first, recorded)
    if name is None:
        return []
    about = metric_facts(first, name)
    rows = []
    for group, samples in source.groups().items():
        finals = [v.value for s in samples for v in final_values(s.run, metric=name) if v.key == ""]
        values = [v for v in finals if math.isfinite(v)]
        rows.append(
            SweepRow(
                group=group,
                metric=about,
                count=len(values),
                median=statistics.median(values) if values else None,
                interval=bootstrap_interval(values, statistic="median") if values else None,
                least=min(values, default=math.nan),
                greatest=max(values, default=math.nan),
            )
        )
    return rows
