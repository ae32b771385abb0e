"""A run or a sweep as one self-contained HTML page.

No script, no external request (a content security policy in the page forbids both), inline CSS and
SVG, light and dark by ``prefers-color-scheme``, readable at 390 pixels.  Every text that comes from a
run is escaped.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

from equilibria.sim.analysis.curves import CHART_POINTS, group_curve
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
    metric_facts,
)
from equilibria.sim.analysis.page import certificate, header, key_table, page, section
from equilibria.sim.analysis.samples import Source
from equilibria.sim.analysis.summaries import SweepRow, sweep_rows
from equilibria.sim.analysis.svg import line_chart
from equilibria.sim.analysis.thinning import Curve, metric_curve
from equilibria.sim.analysis.ticks import short

MAX_CURVES = 8
_CERTIFICATE_KEYS = (
    "measure",
    "value",
    "unit",
    "low",
    "high",
    "confidence",
    "sample_size",
    "kind",
    "method",
    "target",
    "warning",
)
_SCENARIO_KEYS = (
    "version",
    "name",
    "description",
    "game",
    "agents",
    "mechanisms",
    "metrics",
    "tables",
    "run",
    "sweep",
)
_PART_KEYS = ("role", "use", "name", "params", "every", "sample", "engine")


def run_page(run: RunLike) -> str:
    """Return the page of one run.

    Args:
        run: Any readable run; one that is not complete says so.

    Cost:
        Two lazy scans per drawn curve; the page stays below about 1 MB whatever the run's length.
    """
    about, values = facts(run), headline_first(run, final_values(run))
    body = [
        header(about.name, about.state, _subtitle(run, about)),
        certificate(certificate_sentence(run)),
        _tiles(run, values),
        section("Convergence", _charts(run, about, values)),
        section("Certificate", _certificate_table(run)),
        section("Recorded tables", _tables(run)),
        section("Reproduce", _reproduce(about)),
        section("Scenario", _scenario(about)),
        section("Environment", _environment(run)),
    ]
    return page(about.name, body)


def sweep_page(source: Source) -> str:
    """Return the page of a sweep: members by group with intervals over seeds, curves by group, failures."""
    rows = sweep_rows(source)
    first = source.samples[0] if source.samples else None
    body = [
        header(source.label, "complete" if not source.failures else "incomplete", _sweep_subtitle(source)),
        section("Groups", _group_table(source, rows)),
        section("Convergence over seeds", _sweep_chart(source)),
        section("Members", _member_table(source)),
        section("Scenario", _given_sweep(source)),
        section("Environment", _environment(first.run) if first else ""),
    ]
    return page(source.label, body)


def _subtitle(run: RunLike, about: Facts) -> str:
    parts = [about.game, agents_phrase(about.resolved), about.progress()]
    if about.seed is not None:
        parts.append(f"seed {about.seed}")
    return " · ".join(p for p in parts if p)


def _sweep_subtitle(source: Source) -> str:
    text = f"{len(source.samples)} complete members"
    return f"{text}, {len(source.failures)} without a result" if source.failures else text


def _tiles(run: RunLike, values: Sequence[FinalValue]) -> str:
    tiles = []
    for value in values[:12]:
        about = metric_facts(run, value.metric)
        name = f"{value.metric} · {value.key}" if value.key else value.metric
        unit = f" {escape(about.unit)}" if about.unit else ""
        tiles.append(f'<div class="tile"><b>{escape(short(value.value))}</b><span>{escape(name)}{unit}</span></div>')
    return f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""


def _charts(run: RunLike, about: Facts, values: Sequence[FinalValue]) -> str:
    charts = []
    for metric in list(dict.fromkeys(v.metric for v in values))[:12]:
        keys = list(dict.fromkeys(v.key for v in values if v.metric == metric))
        curves = [metric_curve(run.metrics(), metric, key, max_points=CHART_POINTS) for key in keys[:MAX_CURVES]]
        charts.append(_figure(curves, metric, run, about, left_out=len(keys) - len(curves)))
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _figure(
    curves: Sequence[Curve], metric: str, run: RunLike, about: Facts, *, left_out: int = 0, bucket_note: bool = True
) -> str:
    kind = metric_facts(run, metric)
    chart = line_chart(
        curves, title=metric, x_label=about.unit, y_label=kind.label, log=kind.log, goal=0.0 if kind.log else None
    )
    notes = []
    if kind.direction == "lower":
        notes.append("Lower is better; 0 at equilibrium." if kind.log else "Lower is better.")
    elif kind.direction == "higher":
        notes.append("Higher is better.")
    if bucket_note and any(c.thinned for c in curves):
        notes.append("Mean per bucket; the band spans minimum to maximum.")
    if left_out:
        notes.append(f"{left_out} more keys are in the table.")
    caption = f'<figcaption class="soft">{escape(" ".join(notes))}</figcaption>' if notes else ""
    return f"<figure>{chart}{caption}</figure>"


def _certificate_table(run: RunLike) -> str:
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    rows = [(k.replace("_", " "), certificate[k]) for k in _CERTIFICATE_KEYS if certificate.get(k) not in (None, "")]
    details = certificate.get("details")
    if isinstance(details, Mapping):
        rows += [(str(k).replace("_", " "), v) for k, v in details.items()]
    return key_table(rows)


def _tables(run: RunLike) -> str:
    rows = []
    for name in run.tables():
        frame = run.table(name)
        count = int(frame.select(pl.len()).collect().item())
        columns = ", ".join(frame.collect_schema().names())
        rows.append(
            f'<tr><td class="key">{escape(name)}</td><td class="n">{count:,}</td><td class="any">{escape(columns)}</td></tr>'
        )
    if not rows:
        return ""
    head = '<tr><th>table</th><th class="n">rows</th><th>columns</th></tr>'
    return f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def _given_sweep(source: Source) -> str:
    """Return the sweep's scenario as it was given, with the command that runs it again."""
    try:
        given = (source.path / "scenario.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    command = f"equilibria sweep scenario.yaml --out {shlex.quote(source.label + '-again')}"
    return f"<pre>{escape(command)}</pre><pre>{escape(given)}</pre>"


def _reproduce(about: Facts) -> str:
    seed = f" --seed {about.seed}" if about.seed is not None else ""
    command = f"equilibria run scenario.yaml{seed} --out {shlex.quote(about.name + '-again')}"
    lines = [
        "# save the scenario below as scenario.yaml, then",
        command,
        "# or, with the run directory at hand: run it again and compare every table",
        "equilibria replay RUN",
    ]
    note = (
        "The same scenario, seed, product and dependency versions on the same CPU architecture give "
        "bit-identical tables, for any number of threads, workers and interruptions."
    )
    return f'<pre>{escape(chr(10).join(lines))}</pre><p class="soft">{escape(note)}</p>'


def _scenario(about: Facts) -> str:
    if not about.resolved:
        return ""
    plan = f'<p class="soft">plan hash {escape(about.plan_hash)}</p>' if about.plan_hash else ""
    return (
        f"{plan}<details open><summary>Resolved scenario (defaults filled in)</summary>"
        f"<pre>{escape(to_yaml(loadable(about.resolved)))}</pre></details>"
    )


def loadable(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved scenario as a scenario: usual order of keys, without versions, sweep and empty sections."""
    kept = {k: v for k, v in resolved.items() if k not in ("versions", "sweep") and v not in (None, [], "")}
    kept.setdefault("version", 1)
    if "agents" in resolved:
        kept["agents"] = resolved["agents"]
    ordered = _ordered(kept, _SCENARIO_KEYS)
    return {key: _ordered_parts(value) for key, value in ordered.items()}


def _ordered_parts(value: Any) -> Any:
    if isinstance(value, list):
        return [_ordered_parts(entry) for entry in value]
    return _ordered(value, _PART_KEYS) if isinstance(value, Mapping) and "use" in value else value


def _ordered(value: Mapping[str, Any], first: Sequence[str]) -> dict[str, Any]:
    known = {key: value[key] for key in first if key in value}
    return {**known, **{key: value[key] for key in value if key not in known}}


def _environment(run: RunLike) -> str:
    manifest = run.manifest if isinstance(run.manifest, Mapping) else {}
    skip = {"resolved"}
    rows: list[tuple[str, Any]] = []
    for key, value in manifest.items():
        if key in skip or value is None:
            continue
        if isinstance(value, Mapping):
            rows += [(f"{key}.{k}", v) for k, v in value.items()]
        else:
            rows.append((key, value))
    return key_table(rows)


def to_yaml(value: Any) -> str:
    """Write a JSON value as YAML 1.2, in the order of its keys."""
    from ruamel.yaml import YAML

    writer, out = YAML(pure=True), io.StringIO()
    writer.default_flow_style = False
    writer.width = 100
    writer.dump(json.loads(json.dumps(value)), out)
    return out.getvalue()


def _group_table(source: Source, rows: Sequence[SweepRow]) -> str:
    if not rows:
        return ""
    heading, labels = source.group_labels()
    head = (
        f'<tr><th>{escape(heading)}</th><th class="n">seeds</th>'
        f'<th class="n">median {escape(rows[0].metric_label)}</th><th class="n">95 % interval</th></tr>'
    )
    cells = "".join(
        f'<tr><td class="any">{escape(labels[r.group])}</td><td class="n">{r.count}</td>'
        f'<td class="n">{escape(r.median_text)}</td><td class="n">{escape(r.interval_text)}</td></tr>'
        for r in rows
    )
    return f'<div class="scroll"><table>{head}{cells}</table></div>'


def _member_table(source: Source) -> str:
    cells = [
        f'<tr><td class="any">{escape(s.label)}</td><td><span class="complete">complete</span></td>'
        f'<td class="any">{escape(certificate_sentence(s.run))}</td></tr>'
        for s in source.samples
    ] + [
        f'<tr><td class="any">{escape(f.label)}</td><td><span class="{_state_class(f.state)}">{escape(f.state)}</span></td>'
        f'<td class="any">{escape(f.error)}</td></tr>'
        for f in source.failures
    ]
    head = "<tr><th>member</th><th>state</th><th>certificate or error</th></tr>"
    return f'<div class="scroll"><table>{head}{"".join(cells)}</table></div>' if cells else ""


def _state_class(state: str) -> str:
    return state if state in ("failed", "broken", "running", "interrupted") else "unknown"


def _sweep_chart(source: Source) -> str:
    if not source.samples:
        return ""
    first = source.samples[0].run
    metric = headline_metric(first, final_values(first))
    if metric is None:
        return ""
    groups = source.groups()
    heading, labels = source.group_labels()
    curves = [group_curve(samples, metric, labels[name]) for name, samples in list(groups.items())[:MAX_CURVES]]
    about = facts(first)
    figure = _figure(curves, metric, first, about, bucket_note=False)
    left = len(groups) - len(curves)
    more = f" The first {len(curves)} of {len(groups)} groups." if left else ""
    by = "" if heading == "group" else f" Groups by {heading}."
    note = f"Line: mean over the seeds of a group; band: least to greatest.{by}{more}"
    return f'<div class="charts">{figure}</div><p class="soft">{escape(note)}</p>'
