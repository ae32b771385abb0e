"""What ``equilibria show`` says about a run or a sweep."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from equilibria.sim.analysis.facts import (
    Facts,
    FinalValue,
    RunLike,
    agents_phrase,
    certificate_sentence,
    facts,
    final_values,
    headline_first,
    headline_metric,
    live_values,
    metric_facts,
    require_metric,
)
from equilibria.sim.analysis.plot import can_encode, terminal_plot
from equilibria.sim.analysis.samples import Source, failure_text
from equilibria.sim.analysis.summaries import sweep_rows
from equilibria.sim.analysis.text import clipped, printable, text_table
from equilibria.sim.analysis.thinning import metric_curve
from equilibria.sim.analysis.ticks import short
from equilibria.sim.types import JSON

PLOT_POINTS = 400
MAX_CURVES = 6
STALE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where text is written.

    Attributes:
        width: Columns.
        encoding: Encoding of the stream.
        colour: Whether ANSI colours may be used.
    """

    width: int = 80
    encoding: str = "utf-8"
    colour: bool = False


def run_lines(run: RunLike, terminal: Terminal, *, metric: str = "") -> list[str]:
    """Describe a run as lines of text.

    Args:
        run: The run.
        terminal: Where it is written.
        metric: Metric to plot; empty for the headline metric.

    Raises:
        UnknownName: If ``metric`` was not recorded.
    """
    about, values = facts(run), headline_first(run, final_values(run))
    chosen = require_metric(metric, values) if metric else headline_metric(run, values)
    parts = [about.state, about.progress()] + ([f"seed {about.seed}"] if about.seed is not None else [])
    lines = [f"{about.name}: {', '.join(parts)}"]
    lines.append(", ".join(p for p in (f"game {about.game}", _agents(about)) if p))
    lines += [str(run.path), "", f"Certificate: {certificate_sentence(run)}"]
    lines += _advice(run, about)
    values = values or live_values(run)
    if values:
        lines += ["", *_values(run, values, about)]
    if chosen is not None:
        lines += ["", *_plot(run, about, chosen, values, terminal)]
    tables = _tables(run)
    if tables:
        lines += ["", f"Tables: {tables}"]
    return _safe(lines, terminal)


def run_json(run: RunLike) -> dict[str, JSON]:
    """Return what ``show --json`` prints for a run."""
    about = facts(run)
    values = final_values(run)
    return {
        "kind": "run",
        "path": str(run.path),
        "name": about.name,
        "status": about.state,
        "unit": about.unit,
        "done": about.done,
        "budget": about.budget,
        "seed": about.seed,
        "plan_hash": about.plan_hash,
        "game": about.game,
        "headline": headline_metric(run, values),
        "metrics": [_value_json(run, v) for v in values],
        "certificate": json.loads(json.dumps(run.certificate)) if run.certificate else None,
        "certificate_sentence": certificate_sentence(run),
        "tables": list(run.tables()),
    }


def sweep_lines(source: Source, terminal: Terminal, *, metric: str = "") -> list[str]:
    """Describe a sweep: groups with median and interval over seeds, members, failures as rows."""
    total = len(source.samples) + len(source.failures)
    lines = [f"{source.label}: sweep, {len(source.samples)} of {total} members complete", str(source.path)]
    rows = sweep_rows(source, metric)
    if rows:
        heading, labels = source.group_labels()
        body = [[labels[r.group], str(r.count), r.median_text, r.interval_text] for r in rows]
        head = [heading, "seeds", f"median {rows[0].metric_label}", "95 % interval over seeds"]
        lines += ["", *text_table(head, body, right=(1, 2))]
    members = [[s.label, "complete", _final_text(s.run, rows[0].metric.name if rows else "")] for s in source.samples]
    members += [[f.label, f.state, clipped(f.error, max(30, terminal.width - 40))] for f in source.failures]
    if members:
        lines += ["", *text_table(["member", "state", rows[0].metric_label if rows else "result"], members)]
    if source.failures:
        lines += ["", f"{len(source.failures)} members have no result; continue with: equilibria resume {source.path}"]
    return _safe(lines, terminal)


def sweep_json(source: Source, *, metric: str = "") -> dict[str, JSON]:
    """Return what ``show --json`` prints for a sweep."""
    return {
        "kind": "sweep",
        "path": str(source.path),
        "groups": [row.to_json() for row in sweep_rows(source, metric)],
        "members": [
            {**run_json(s.run), "overrides": json.loads(json.dumps(dict(s.overrides)))} for s in source.samples
        ],
        "failures": [json.loads(json.dumps(asdict(f))) for f in source.failures],
    }


def _agents(about: Facts) -> str:
    names = agents_phrase(about.resolved)
    return f"agents {names}" if names else ""


def _advice(run: RunLike, about: Facts) -> list[str]:
    go_on = f"continue with: equilibria resume {run.path}"
    if about.state == "failed":
        reason = failure_text(run) or "no error was stored"
        return [f"The run failed: {reason}", f"What was recorded before is shown; {go_on}"]
    if about.state == "killed":
        return [f"The run was killed at or after {about.progress()}; {go_on}"]
    if about.state == "interrupted":
        return [f"The run was interrupted at {about.progress()}; {go_on}"]
    if about.state != "running":
        return []
    age = _age(run)
    if age is not None and age > STALE_SECONDS:
        return [f"The run says it is running, but its last sign of life is {age:,.0f} s old; if it died, {go_on}"]
    return [f"The run is in progress ({about.progress()}); the values are those recorded so far"]


def _age(run: RunLike) -> float | None:
    beat = run.status.get("heartbeat") if isinstance(run.status, Mapping) else None
    if isinstance(beat, bool) or not isinstance(beat, (int, float)) or not math.isfinite(beat):
        return None
    return max(0.0, time.time() - float(beat))


def _values(run: RunLike, values: list[FinalValue], about: Facts) -> list[str]:
    rows = []
    for value in values[:24]:
        name = f"{value.metric} [{value.key}]" if value.key else value.metric
        rows.append([name, short(value.value), metric_facts(run, value.metric).unit, f"{value.unit:,}"])
    lines = text_table(["metric", "last value", "unit", f"at {about.unit}"], rows, right=(1, 3))
    return lines if len(values) <= 24 else [*lines, f"... and {len(values) - 24} more (--json shows all)"]


def _plot(run: RunLike, about: Facts, metric: str, values: list[FinalValue], terminal: Terminal) -> list[str]:
    kind = metric_facts(run, metric)
    keys = list(dict.fromkeys(v.key for v in values if v.metric == metric))
    curves = [metric_curve(run.metrics(), metric, key, max_points=PLOT_POINTS) for key in keys[:MAX_CURVES]]
    lines = terminal_plot(
        curves,
        width=terminal.width,
        log=kind.log,
        x_label=about.unit,
        y_label=kind.label,
        encoding=terminal.encoding,
        colour=terminal.colour,
    )
    left = len(keys) - len(curves)
    return [*lines, f"({left} more keys are not drawn)"] if left else lines


def _tables(run: RunLike) -> str:
    parts = []
    for name in run.tables():
        count = int(run.table(name).select(pl.len()).collect().item())
        parts.append(f"{name} ({count:,} rows)")
    return ", ".join(parts)


def _value_json(run: RunLike, value: FinalValue) -> dict[str, JSON]:
    kind = metric_facts(run, value.metric)
    return {
        "metric": value.metric,
        "key": value.key,
        "value": value.value if math.isfinite(value.value) else None,
        "unit": kind.unit,
        "direction": kind.direction,
        "at": value.unit,
    }


def _final_text(run: RunLike, metric: str) -> str:
    found = next((v for v in final_values(run, metric=metric) if v.key == ""), None)
    return "-" if found is None else short(found.value)


def _safe(lines: list[str], terminal: Terminal) -> list[str]:
    """Keep foreign control characters out, and characters that the stream cannot write."""
    clean = [line if "\x1b[" in line and terminal.colour else printable(line) for line in lines]
    encoding: Any = terminal.encoding
    return [
        line if can_encode(line, encoding) else line.encode("ascii", "backslashreplace").decode("ascii")
        for line in clean
    ]
