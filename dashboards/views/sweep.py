"""Sweep: groups with intervals over seeds, heat map of two keys, parallel coordinates, failures as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards.catalogue import name_of
from equilibria.dashboards.figures import bars, lines, matrix, sweeps
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import curve_rows, show_figure, show_table, stop_button
from equilibria.sim.analysis.curves import group_curve
from equilibria.sim.analysis.facts import facts, final_values, headline_metric, metric_facts
from equilibria.sim.analysis.samples import Source, from_sweep, varying_keys
from equilibria.sim.analysis.summaries import SweepRow, sweep_rows
from equilibria.sim.analysis.ticks import short
from equilibria.sim.store import Run, Sweep
from equilibria.sim.store.lock import is_locked

MAX_CURVES = 8
MAX_BARS = 40


def build() -> Page:
    """Return the page."""
    return Page(title="Sweep", section="Runs", icon=":material/grid_on:", order=3, render=render)


def render(context: Context) -> None:
    """Draw the page."""
    sweep = context.choose(key="sweep", label="Sweep", kinds=("sweep",))
    if not isinstance(sweep, Sweep):
        return
    _control(context, sweep)
    source = from_sweep(sweep)
    total = len(source.samples) + len(source.failures)
    st.caption(f"{len(source.samples)} of {total} members complete. Game: {_game(source)}.")
    if source.samples:
        _results(context, source)
    else:
        st.info("No member is complete yet.", icon=":material/hourglass_empty:")
    _failures(source)
    _open_member(context, sweep, source)


def _control(context: Context, sweep: Sweep) -> None:
    """Show stop for a sweep that is being written, resume for an unfinished one."""
    name = name_of(context.root, sweep.path)
    if context.read_only:
        return
    complete = sum(isinstance(m, Run) and m.state == "complete" for m in sweep.members)
    if is_locked(sweep.path):
        stop_button(context, name)
    elif complete < len(sweep.manifest["members"]) and st.button(
        "Resume", icon=":material/play_circle:", key="resume", type="primary"
    ):
        context.jobs.resume(name, sweep.path)
        st.toast("Resumed in the background.")
        st.rerun()


def _game(source: Source) -> str:
    return facts(source.samples[0].run).game if source.samples else "unknown"


def _results(context: Context, source: Source) -> None:
    run = source.samples[0].run
    recorded = final_values(run)
    metrics = list(dict.fromkeys(v.metric for v in recorded if v.key == ""))
    if not metrics:
        st.info("The members recorded no scalar metric.", icon=":material/info:")
        return
    headline = headline_metric(run, recorded)
    metric = st.selectbox(
        "Metric",
        metrics,
        index=metrics.index(headline) if headline in metrics else 0,
        key="metric",
        bind="query-params",
    )
    rows = sweep_rows(source, metric)
    about = metric_facts(run, metric)
    _groups(context, source, rows)
    _curves(context, source, metric)
    keys = varying_keys(source.samples)
    if len(keys) >= 2:
        _heat(context, source, keys, metric)
    if keys:
        _parallel(context, source, keys, metric, about.log)


def short_labels(source: Source) -> dict[str, str]:
    """Return a label per group that fits a chart: only keys that vary, without their path."""
    keys = varying_keys(source.samples)
    if len(keys) == 1:
        return {s.group: short_value(s.overrides.get(keys[0])) for s in source.samples}
    if not keys:
        return source.group_labels()[1]
    ends = [key.rpartition(".")[2] for key in keys]
    words = [end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)]
    return {
        s.group: ", ".join(short_value(s.overrides.get(key), word) for key, word in zip(keys, words, strict=True))
        for s in source.samples
    }


def short_value(value: Any, word: str = "") -> str:
    """Return a swept value in a few words: ``items 8``, and a part with its parameters as ``cascading_vi scale 0.1``."""
    if not isinstance(value, Mapping):
        return f"{word} {short(value) if isinstance(value, float) else value}".strip()
    params = value.get("params") if "use" in value else value
    inner = ", ".join(short_value(v, str(k)) for k, v in params.items()) if isinstance(params, Mapping) else ""
    return f"{value.get('use', '')} {inner}".strip()


def _groups(context: Context, source: Source, rows: list[SweepRow]) -> None:
    labels = short_labels(source)
    frame = pl.DataFrame(
        {
            "group": [labels[r.group] for r in rows],
            "seeds": [r.count for r in rows],
            "median": [r.median for r in rows],
            "low": [r.interval.low if r.interval else None for r in rows],
            "high": [r.interval.high if r.interval else None for r in rows],
            "interval": [r.interval_text for r in rows],
            "least": [None if math.isnan(r.least) else r.least for r in rows],
            "greatest": [None if math.isnan(r.greatest) else r.greatest for r in rows],
        }
    )
    shown = frame.filter(pl.col("median").is_not_null()).head(MAX_BARS)
    about = rows[0].metric
    figure = bars.intervals(
        shown["group"].to_list(),
        shown["median"].to_list(),
        shown["low"].to_list(),
        shown["high"].to_list(),
        x_label=about.label,
        log=about.log,
        mode=context.mode,
    )
    better = {"lower": " Further left is better.", "higher": " Further right is better."}.get(about.direction, "")
    show_figure(
        figure,
        name="groups",
        caption=f"Median over seeds with its 95 % bootstrap interval.{better}",
        rows=frame,
    )
    show_table(frame, name="groups_table", caption="One row per setting.")


def _curves(context: Context, source: Source, metric: str) -> None:
    labels = short_labels(source)
    groups = list(source.groups().items())
    found = [group_curve(samples, metric, labels[group]) for group, samples in groups[:MAX_CURVES]]
    found = [c for c in found if len(c)]
    if not found:
        return
    run = source.samples[0].run
    about, unit = metric_facts(run, metric), facts(run).unit
    figure = lines.curves(found, x_label=unit, y_label=about.label, log=about.log, mode=context.mode)
    more = f" The first {MAX_CURVES} of {len(groups)} settings are drawn." if len(groups) > MAX_CURVES else ""
    show_figure(
        figure,
        name="sweep_curves",
        caption=f"Mean over seeds; the band runs from the least to the greatest seed.{more}",
        rows=lambda: curve_rows(found, unit),
    )


def _finals(source: Source, metric: str) -> list[float]:
    """Return the final value of every complete member, NaN where it has none."""
    found = []
    for sample in source.samples:
        value = next((v.value for v in final_values(sample.run, metric=metric) if v.key == ""), math.nan)
        found.append(value)
    return found


def _heat(context: Context, source: Source, keys: list[str], metric: str) -> None:
    left, right = st.columns(2)
    down = left.selectbox("Rows", keys, index=0, key="rows", bind="query-params")
    others = [k for k in keys if k != down]
    across = right.selectbox("Columns", others, index=0, key="columns", bind="query-params")
    values = _finals(source, metric)
    rows = list(dict.fromkeys(str(s.overrides.get(down)) for s in source.samples))
    columns = list(dict.fromkeys(str(s.overrides.get(across)) for s in source.samples))
    cells: dict[tuple[int, int], list[float]] = {}
    for sample, value in zip(source.samples, values, strict=True):
        place = (rows.index(str(sample.overrides.get(down))), columns.index(str(sample.overrides.get(across))))
        if math.isfinite(value):
            cells.setdefault(place, []).append(value)
    table = np.full((len(rows), len(columns)), np.nan)
    for place, found in cells.items():
        table[place] = float(np.median(found))
    about = metric_facts(source.samples[0].run, metric)
    figure = matrix.heatmap(
        table,
        rows=rows,
        columns=columns,
        row_label=down.rpartition(".")[2],
        column_label=across.rpartition(".")[2],
        value_label=about.label,
        mode=context.mode,
    )
    frame = pl.DataFrame({down: rows, **{c: table[:, i] for i, c in enumerate(columns)}})
    show_figure(figure, name="heat", caption=f"Median of {about.label} over seeds and the other keys.", rows=frame)


def _parallel(context: Context, source: Source, keys: list[str], metric: str, log: bool) -> None:
    values = np.array(_finals(source, metric))
    keep = np.flatnonzero(np.isfinite(values))[:2000]
    if not len(keep):
        return
    samples = [source.samples[i] for i in keep]
    settings: dict[str, list[object]] = {key: [s.overrides.get(key) for s in samples] for key in keys}
    if len({s.seed for s in samples}) > 1:
        seeds = sorted({s.seed for s in samples if s.seed is not None})
        settings["seed number"] = [seeds.index(s.seed) if s.seed is not None else -1 for s in samples]
    label = metric_facts(source.samples[0].run, metric).label
    figure = sweeps.parallel(settings, values[keep].tolist(), value_label=label, log=log, mode=context.mode)
    frame = pl.DataFrame({**{k: [str(v) for v in c] for k, c in settings.items()}, metric: values[keep]})
    show_figure(
        figure,
        name="parallel",
        caption="One line per member; drag along an axis to select a range of it.",
        rows=frame,
    )


def _failures(source: Source) -> None:
    if not source.failures:
        return
    frame = pl.DataFrame(
        {
            "member": [f.label for f in source.failures],
            "state": [f.state for f in source.failures],
            "error": [f.error for f in source.failures],
        }
    )
    st.subheader("Members without a result")
    show_table(frame, name="failures", caption=f"Go on with: equilibria resume {source.path}")


def _open_member(context: Context, sweep: Sweep, source: Source) -> None:
    if not source.samples:
        return
    labels = [s.label for s in source.samples]
    member = st.selectbox("Member", labels, key="member", bind="query-params")
    context.link(
        "run",
        "Open this member",
        icon=":material/monitoring:",
        run=f"{sweep.path.relative_to(context.root).as_posix()}/members/{member}",
    )
