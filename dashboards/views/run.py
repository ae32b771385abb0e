"""Run detail: certificate in a sentence, convergence with envelopes, scenario, log, how to repeat it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.catalogue import name_of
from equilibria.dashboards.figures import bars, lines
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import (
    certificate_box,
    curve_rows,
    plain,
    show_figure,
    show_table,
    state_badge,
    stop_button,
)
from equilibria.sim.analysis.facts import (
    Facts,
    FinalValue,
    facts,
    finite,
    headline_first,
    headline_metric,
    metric_facts,
)
from equilibria.sim.analysis.samples import failure_text
from equilibria.sim.analysis.ticks import short
from equilibria.sim.store import Run

MAX_CURVES = 8


def build() -> Page:
    """Return the page."""
    return Page(title="Run", section="Runs", icon=":material/monitoring:", order=1, render=render)


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is None:
        return
    _other_pages(context, run)
    context.follow(run, lambda now: _body(context, now))
    _details(context, run)


def _other_pages(context: Context, run: Run) -> None:
    """Link to the pages that were made for runs of this kind."""
    pages = context.pages_for(run)
    if pages:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("More about this run:", width="content")
            for name, page in pages.items():
                context.link(name, page.title, icon=page.icon, run=context.title_of(run))


def _body(context: Context, run: Run) -> None:
    about = facts(run)
    _head(context, run, about)
    _certificate(context, run)
    found = headline_first(run, reader.values(run))
    if not found:
        st.info("Nothing has been recorded yet.", icon=":material/hourglass_empty:")
        return
    _numbers(run, found)
    _convergence(context, run, about, found)


def _head(context: Context, run: Run, about: Facts) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(about.state)
        st.markdown(f"**{plain(about.name)}** · {plain(about.game)}")
    with st.container(horizontal=True):
        st.caption(about.progress() + (f", seed {about.seed}" if about.seed is not None else ""))
        rate = finite(run.status.get("units_per_second"))
        if about.state == "running" and rate:
            left = max(0, about.budget - about.done) / rate
            st.caption(f"{short(rate)} {about.unit}s per second, about {datetime.timedelta(seconds=round(left))} left")
    if about.state == "running" and about.budget:
        st.progress(min(1.0, about.done / about.budget))
    if about.state == "failed":
        st.error(f"The run failed: {failure_text(run) or 'no error was stored'}", icon=":material/error:")
    _control(context, run, about)


def _control(context: Context, run: Run, about: Facts) -> None:
    """Show stop or resume where it applies."""
    name = name_of(context.root, run.path)
    if context.read_only:
        return
    if about.state == "running":
        stop_button(context, name)
    elif about.state in ("interrupted", "killed", "failed") and st.button(
        "Resume", icon=":material/play_circle:", key="resume", type="primary"
    ):
        context.jobs.resume(name, run.path)
        st.toast("Resumed in the background.")
        st.rerun()


def _certificate(context: Context, run: Run) -> None:
    certificate: Mapping[str, Any] = run.certificate if isinstance(run.certificate, Mapping) else {}
    if certificate_box(run) is None:
        return
    target = finite(certificate.get("target"))
    details = certificate.get("details")
    gains = details.get("gains") if isinstance(details, Mapping) else None
    if isinstance(gains, list) and gains and all(finite(g) is not None for g in gains):
        names = [f"player {p}" for p in range(len(gains))]
        figure = bars.bars(names, gains, y_label=f"gain [{certificate.get('unit', '')}]", mode=context.mode)
        with st.expander("What could each player still gain?"):
            show_figure(
                figure,
                name="gains",
                caption="Best-response gain per player: how much a player wins by deviating alone. 0 for all players "
                "is a Nash equilibrium.",
                rows=pl.DataFrame({"player": names, "gain": [float(g) for g in gains]}),
            )
    if target is not None and isinstance(details, Mapping) and details:
        with st.expander("Numbers behind the certificate"):
            st.json({k: v for k, v in certificate.items() if k != "sentence"}, expanded=2)


def _numbers(run: Run, found: list[FinalValue]) -> None:
    frame = pl.DataFrame(
        {
            "metric": [f"{v.metric} [{v.key}]" if v.key else v.metric for v in found[:500]],
            "last value": [v.value for v in found[:500]],
            "unit": [metric_facts(run, v.metric).unit for v in found[:500]],
            "better": [metric_facts(run, v.metric).direction for v in found[:500]],
            "at": [v.unit for v in found[:500]],
        }
    )
    with st.expander(f"Last values ({len(found)})"):
        show_table(frame, name="last_values", caption="Last recorded value of every metric.")


def _convergence(context: Context, run: Run, about: Facts, found: list[FinalValue]) -> None:
    metrics = list(dict.fromkeys(v.metric for v in found))
    headline = headline_metric(run, found) or metrics[0]
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    metric = left.selectbox("Metric", metrics, index=metrics.index(headline), key="metric", bind="query-params")
    kind = metric_facts(run, metric)
    log = middle.toggle("log values", value=kind.log, key=f"log_{metric}", bind="query-params")
    log_x = right.toggle("log units", key="logx", bind="query-params")
    keys = list(dict.fromkeys(v.key for v in found if v.metric == metric))
    curves = [
        reader.curve(run, metric, key, name=key or metric, spacing="log" if log_x else "linear")
        for key in keys[:MAX_CURVES]
    ]
    curves = [c for c in curves if len(c)]
    if not curves:
        st.info("This metric has no rows yet.", icon=":material/hourglass_empty:")
        return
    rows = sum(c.rows for c in curves)
    figure = lines.curves(curves, x_label=about.unit, y_label=kind.label, log=log, log_x=log_x, mode=context.mode)
    show_figure(
        figure,
        name=f"{metric}",
        caption=_caption(kind.direction, kind.log, metric)
        + (f" {rows:,} values, drawn as mean with least and greatest per bucket." if curves[0].thinned else "")
        + (f" {len(keys) - MAX_CURVES} more keys are not drawn." if len(keys) > MAX_CURVES else ""),
        rows=lambda: curve_rows(curves, about.unit),
    )


def _caption(direction: str, distance: bool, metric: str) -> str:
    if distance:
        return f"{metric}: lower is better, 0 is an equilibrium; a straight fall on log axes is a power law."
    return f"{metric}: {direction} is better." if direction in ("lower", "higher") else f"{metric} over time."


def _details(context: Context, run: Run) -> None:
    scenario, resolved, log, tables, repeat = st.tabs(["Scenario", "Resolved", "Log", "Tables", "Repeat"])
    with scenario:
        text = reader.scenario_text(run)
        st.code(text, language="yaml", line_numbers=True)
        st.download_button("scenario.yaml", text, "scenario.yaml", key="save_scenario", on_click="ignore")
    with resolved:
        st.caption("Every default filled in; this is what was run and hashed.")
        st.json(run.manifest.get("resolved", {}), expanded=2)
    with log:
        _log(run)
    with tables:
        _tables(context, run)
    with repeat:
        _repeat(run)


def _log(run: Run) -> None:
    entries = run.log()[-200:]
    if not entries:
        st.caption("The log is empty.")
        return
    frame = pl.DataFrame(
        {
            "time": [_time(e.get("time")) for e in entries],
            "event": [str(e.get("event", "")) for e in entries],
            "details": [
                json.dumps({k: v for k, v in e.items() if k not in ("time", "event", "traceback")}) for e in entries
            ],
        }
    )
    show_table(frame, name="log", caption="Events of the run; times are UTC.")


def _tables(context: Context, run: Run) -> None:
    names = run.tables()
    if not names:
        st.caption("The scenario records no wide tables.")
        return
    name = st.selectbox("Table", names, key="table", bind="query-params")
    count = reader.row_count(run, name)
    show_table(
        reader.rows(run, name, limit=500),
        name=f"rows_{name}",
        caption=f"The last {min(500, count):,} of {count:,} rows; `equilibria export RUN --format csv` writes all.",
    )


def _repeat(run: Run) -> None:
    st.caption("Check the files, run it again and compare, or go on where it stopped:")
    st.code(
        f"equilibria verify {run.path}\nequilibria replay {run.path}\nequilibria resume {run.path}", language="bash"
    )
    known = {k: run.manifest.get(k) for k in ("plan_hash", "seed", "commit", "versions", "platform", "argv")}
    st.json(known, expanded=1)


def _time(value: object) -> str:
    seconds = finite(value)
    if seconds is None:
        return ""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return ""
