"""A run or a sweep as one self-contained HTML page.

No script, no external request (a content security policy in the page forbids both), inline CSS and
SVG, light and dark by ``prefers-color-scheme``, readable at 390 pixels.  Every text that comes from a
run is escaped.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import polars as pl

from equilibria.sim.analysis.facts import (
    Facts,
    FinalValue,
    RunLike,
    agents_phrase,
    certificate_sentence,
    facts,
    final_values,
    headline_metric,
    metric_facts,
    plural,
)
from equilibria.sim.analysis.samples import Sample, Source
from equilibria.sim.analysis.summaries import SweepRow, sweep_rows
from equilibria.sim.analysis.svg import STYLE, line_chart
from equilibria.sim.analysis.thinning import Curve, metric_curve
from equilibria.sim.analysis.ticks import short

CHART_POINTS = 500
MAX_CURVES = 8
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_PAGE_STYLE = (
    "*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{max-width:1160px;margin:0 auto;padding:28px 20px 48px}"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2.2rem 0 .7rem}"
    "p{margin:.35rem 0}.soft{color:var(--soft);font-size:.92rem}"
    ".pill{display:inline-block;padding:.05rem .65rem;border-radius:1rem;font-size:.85rem;font-weight:600;"
    "border:1px solid currentColor}.complete{color:var(--green)}.failed,.broken{color:var(--vermilion)}"
    ".running,.interrupted,.unknown,.missing{color:var(--gold)}"
    ".certificate{border-left:4px solid var(--accent);background:var(--panel);padding:.8rem 1rem;margin:1.1rem 0;"
    "font-size:1.06rem;border-radius:0 6px 6px 0;overflow-wrap:anywhere}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px;margin:1rem 0}"
    ".tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem;min-width:0}"
    ".tile b{display:block;font-size:1.35rem;line-height:1.3;font-variant-numeric:tabular-nums}"
    ".tile span{color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px}"
    ".charts>figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:10px 10px 6px;min-width:0}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93rem}"
    "th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}"
    "th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td.key{white-space:nowrap;color:var(--soft)}td.any{overflow-wrap:anywhere}"
    "pre{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;overflow-x:auto;"
    "font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:.4rem 0}"
    "summary{cursor:pointer;font-weight:600}summary:focus-visible{outline:2px solid var(--accent)}"
    "footer{margin-top:2.5rem;color:var(--soft);font-size:.85rem}"
    "@media(max-width:520px){main{padding:18px 14px 36px}h1{font-size:1.35rem}.tiles{grid-template-columns:1fr 1fr}"
    ".tile b{font-size:1.1rem}}@media print{pre{white-space:pre-wrap}.charts>figure{break-inside:avoid}}"
)


def run_page(run: RunLike) -> str:
    """Return the page of one run.

    Args:
        run: Any readable run; one that is not complete says so.

    Cost:
        Two lazy scans per drawn curve; the page stays below about 1 MB whatever the run's length.
    """
    about, values = facts(run), final_values(run)
    body = [
        _header(about.name, about.state, _subtitle(run, about)),
        _certificate(certificate_sentence(run)),
        _tiles(run, values),
        _section("Convergence", _charts(run, about, values)),
        _section("Certificate", _certificate_table(run)),
        _section("Recorded tables", _tables(run)),
        _section("Reproduce", _reproduce(about)),
        _section("Scenario", _scenario(about)),
        _section("Environment", _environment(run)),
    ]
    return _page(about.name, body)


def sweep_page(source: Source) -> str:
    """Return the page of a sweep: members by group with intervals over seeds, curves by group, failures."""
    rows = sweep_rows(source)
    first = source.samples[0] if source.samples else None
    body = [
        _header(source.label, "complete" if not source.failures else "failed", _sweep_subtitle(source)),
        _section("Groups", _group_table(rows)),
        _section("Convergence over seeds", _sweep_chart(source)),
        _section("Members", _member_table(source)),
        _section("Reproduce", _reproduce(facts(first.run), sweep=True) if first else ""),
        _section("Scenario of the first member", _scenario(facts(first.run)) if first else ""),
        _section("Environment", _environment(first.run) if first else ""),
    ]
    return _page(source.label, body)


def _page(title: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} · Equilibria</title><style>{STYLE}{_PAGE_STYLE}</style></head><body><main>\n"
        + "\n".join(part for part in body if part)
        + "\n<footer>Made by Equilibria: no equilibrium without a certificate.</footer></main></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _header(name: str, state: str, subtitle: str) -> str:
    css = state if state in ("complete", "failed", "running", "interrupted") else "unknown"
    return (
        f'<header><h1>{escape(name)}</h1><p><span class="pill {css}">{escape(state)}</span> '
        f'<span class="soft">{escape(subtitle)}</span></p></header>'
    )


def _subtitle(run: RunLike, about: Facts) -> str:
    parts = [about.game, agents_phrase(about.resolved), about.progress()]
    if about.seed is not None:
        parts.append(f"seed {about.seed}")
    return " · ".join(p for p in parts if p)


def _sweep_subtitle(source: Source) -> str:
    text = f"{len(source.samples)} complete members"
    return f"{text}, {len(source.failures)} without a result" if source.failures else text


def _certificate(sentence: str) -> str:
    return f'<div class="certificate">{escape(sentence)}</div>'


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
    order = list(dict.fromkeys(v.metric for v in values))
    headline = headline_metric(run, values)
    order.sort(key=lambda name: name != headline)
    for metric in order[:12]:
        keys = list(dict.fromkeys(v.key for v in values if v.metric == metric))
        curves = [
            metric_curve(run.metrics(), metric, key, name=key or metric, max_points=CHART_POINTS)
            for key in keys[:MAX_CURVES]
        ]
        charts.append(_figure(curves, metric, run, about, left_out=len(keys) - len(curves)))
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _figure(curves: Sequence[Curve], metric: str, run: RunLike, about: Facts, *, left_out: int = 0) -> str:
    kind = metric_facts(run, metric)
    chart = line_chart(
        curves, title=metric, x_label=about.unit, y_label=kind.label, log=kind.log, goal=0.0 if kind.log else None
    )
    notes = []
    if kind.direction == "lower":
        notes.append("Lower is better; 0 at equilibrium." if kind.log else "Lower is better.")
    elif kind.direction == "higher":
        notes.append("Higher is better.")
    if any(c.thinned for c in curves):
        notes.append("Mean per bucket; the band spans minimum to maximum.")
    if left_out:
        notes.append(f"{left_out} more keys are in the table.")
    caption = f'<figcaption class="soft">{escape(" ".join(notes))}</figcaption>' if notes else ""
    return f"<figure>{chart}{caption}</figure>"


def _certificate_table(run: RunLike) -> str:
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    skip = {"sentence", "details", "warning"}
    rows = [(k, v) for k, v in certificate.items() if k not in skip and v is not None]
    details = certificate.get("details")
    if isinstance(details, Mapping):
        rows += [(f"details.{k}", v) for k, v in details.items()]
    return _key_table(rows)


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


def _reproduce(about: Facts, *, sweep: bool = False) -> str:
    seed = f" --seed {about.seed}" if about.seed is not None and not sweep else ""
    command = f"equilibria {'sweep' if sweep else 'run'} scenario.yaml{seed} --out {shlex.quote(about.name + '-again')}"
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
        f"<pre>{escape(to_yaml(about.resolved))}</pre></details>"
    )


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
    return _key_table(rows)


def _key_table(rows: Sequence[tuple[str, Any]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f'<tr><td class="key">{escape(str(k))}</td><td class="any">{escape(_text(v))}</td></tr>' for k, v in rows
    )
    return f'<div class="scroll"><table>{cells}</table></div>'


def _text(value: Any) -> str:
    if isinstance(value, float):
        return short(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def to_yaml(value: Any) -> str:
    """Write a JSON value as YAML 1.2, in the order of its keys."""
    from ruamel.yaml import YAML

    writer, out = YAML(pure=True), io.StringIO()
    writer.default_flow_style = False
    writer.width = 100
    writer.dump(json.loads(json.dumps(value)), out)
    return out.getvalue()


def _group_table(rows: Sequence[SweepRow]) -> str:
    if not rows:
        return ""
    metric, interval = escape(rows[0].metric_label), "95 % interval"
    head = f'<tr><th>group</th><th class="n">seeds</th><th class="n">median {metric}</th><th class="n">{interval}</th></tr>'
    cells = "".join(
        f'<tr><td class="any">{escape(r.group or "all")}</td><td class="n">{r.count}</td>'
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
    curves = [group_curve(samples, metric, name or "all") for name, samples in list(groups.items())[:MAX_CURVES]]
    about = facts(first)
    figure = _figure(curves, metric, first, about)
    left = len(groups) - len(curves)
    more = f" The first {len(curves)} of {len(groups)} groups." if left else ""
    note = f"Line: mean over the seeds of a group; band: least to greatest. Unit: {plural(about.unit)}.{more}"
    return f'<div class="charts">{figure}</div><p class="soft">{escape(note)}</p>'


def group_curve(samples: Sequence[Sample], metric: str, name: str) -> Curve:
    """Combine the curves of a group's seeds: mean line, least-to-greatest band, at common units.

    Args:
        samples: Runs of one group.
        metric: Scalar metric.
        name: Name of the combined curve.
    """
    curves = [metric_curve(s.run.metrics(), metric, max_points=CHART_POINTS) for s in samples]
    curves = [c for c in curves if len(c)]
    if not curves:
        nothing = np.empty(0, np.float64)
        return Curve(name=name, unit=np.empty(0, np.int64), mean=nothing, low=nothing, high=nothing, rows=0)
    common = curves[0].unit
    for curve in curves[1:]:
        common = np.intersect1d(common, curve.unit)
    if not len(common):
        return curves[0]
    rows = [np.searchsorted(c.unit, common) for c in curves]
    means = np.stack([c.mean[r] for c, r in zip(curves, rows, strict=True)])
    return Curve(
        name=name,
        unit=common,
        mean=means.mean(axis=0),
        low=np.stack([c.low[r] for c, r in zip(curves, rows, strict=True)]).min(axis=0),
        high=np.stack([c.high[r] for c, r in zip(curves, rows, strict=True)]).max(axis=0),
        rows=sum(c.rows for c in curves),
    )
