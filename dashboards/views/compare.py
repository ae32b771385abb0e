"""Compare two runs or sweeps: paired by seed, intervals, when one side first reaches the other."""

from __future__ import annotations

import polars as pl
import streamlit as st

from equilibria.dashboards.figures import bars, lines
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import curve_rows, plain, show_figure, show_table
from equilibria.sim.analysis.compare import Report, compare_sources
from equilibria.sim.analysis.curves import group_curve
from equilibria.sim.analysis.facts import facts, final_values, first_at_or_below, metric_facts
from equilibria.sim.analysis.samples import Source, from_run, from_sweep
from equilibria.sim.analysis.ticks import short
from equilibria.sim.analysis.verdicts import Comparison
from equilibria.sim.errors import InvalidValue
from equilibria.sim.store import Sweep


def build() -> Page:
    """Return the page."""
    return Page(title="Compare", section="Runs", icon=":material/compare_arrows:", order=2, render=render)


def render(context: Context) -> None:
    """Draw the page."""
    names = [e.name for e in context.entries if e.kind in ("run", "sweep")]
    if len(names) < 2:
        st.info("Two runs or sweeps are needed to compare.", icon=":material/info:")
        return
    left, right = st.columns(2)
    a = left.selectbox("A", names, index=_first(context), key="a", bind="query-params")
    b = right.selectbox("B", names, index=_partner(context, a), key="b", bind="query-params")
    if a == b:
        st.info("Choose two different runs.", icon=":material/info:")
        return
    first, second = _source(context, a), _source(context, b)
    metrics = _common(first, second)
    if not metrics:
        raise InvalidValue(f"{a} and {b} recorded no common metric")
    choices = ["", *metrics]
    metric = st.selectbox(
        "Metric",
        choices,
        key="metric",
        bind="query-params",
        format_func=lambda m: m or "the headline metric",
    )
    report = compare_sources(first, second, metrics=[metric] if metric else [])
    _verdicts(report)
    name = report.comparisons[0].metric.name
    _curves(context, report, name)
    _differences(context, report)
    _threshold(report, name)
    for note in report.notes:
        st.caption(f"Note: {plain(note)}")
    with st.expander("Certificates"):
        for side, sentence in report.certificates.items():
            st.markdown(f"**{plain(side)}**: {plain(sentence)}")


def _source(context: Context, name: str) -> Source:
    found = context.open(name)
    return from_sweep(found) if isinstance(found, Sweep) else from_run(found)


def _first(context: Context) -> int:
    """Return the index of the first entry that has a partner with the same game, of the same kind."""
    listed = [e for e in context.entries if e.kind in ("run", "sweep")]
    kinds = [(e.game, e.kind) for e in listed]
    return next((i for i, kind in enumerate(kinds) if kinds.count(kind) > 1), 0)


def _partner(context: Context, name: str) -> int:
    """Return the index of the first other entry with the same game, so that the first view makes sense."""
    listed = [e for e in context.entries if e.kind in ("run", "sweep")]
    chosen = next((e for e in listed if e.name == name), None)
    for index, entry in enumerate(listed):
        if chosen and entry.name != name and entry.game == chosen.game and entry.kind == chosen.kind:
            return index
    return 1 if listed[0].name == name else 0


def _common(first: Source, second: Source) -> list[str]:
    if not first.samples or not second.samples:
        return []
    ours, theirs = ({v.metric: None for v in final_values(s.samples[0].run)} for s in (first, second))
    return [m for m in ours if m in theirs]


def _verdicts(report: Report) -> None:
    for outcome in report.comparisons[:12]:
        claimed = outcome.verdict in ("lower", "higher")
        icon = ":material/balance:" if claimed else ":material/help:"
        (st.success if claimed else st.info)(plain(outcome.sentence()), icon=icon)


def _curves(context: Context, report: Report, metric: str) -> None:
    groups = {name: samples for name, samples in report.groups.items() if samples}
    found = [group_curve(list(samples), metric, name) for name, samples in groups.items()][:8]
    found = [c for c in found if len(c)]
    if not found:
        return
    sample = next(iter(groups.values()))[0]
    about = metric_facts(sample.run, metric)
    unit = facts(sample.run).unit
    figure = lines.curves(found, x_label=unit, y_label=about.label, log=about.log, mode=context.mode)
    show_figure(
        figure,
        name=f"compare_{metric}",
        caption=f"{metric} of both sides; the line is the mean over seeds, the band runs from the least to the "
        "greatest seed." + (" 0 is an equilibrium." if about.log else ""),
        rows=lambda: curve_rows(found, unit),
    )


def _differences(context: Context, report: Report) -> None:
    tested = [c for c in report.comparisons if c.paired is not None]
    if not tested:
        return
    frame = pl.DataFrame([_row(c) for c in tested])
    if any(c.paired is not None and c.paired.pairs > 1 for c in tested):
        figure = bars.intervals(
            [f"{c.metric.name}: {c.first} minus {c.second}" for c in tested],
            frame["difference"].to_list(),
            frame["low"].to_list(),
            frame["high"].to_list(),
            x_label=f"difference [{tested[0].metric.unit}]" if tested[0].metric.unit else "difference",
            zero=True,
            mode=context.mode,
        )
        show_figure(
            figure,
            name="differences",
            caption="Mean paired difference with its 95 % bootstrap interval; an interval that spans 0 shows nothing.",
            rows=frame,
        )
    show_table(frame, name="comparison", caption="Paired by seed; p is the exact sign-flip permutation test.")


def _row(outcome: Comparison) -> dict[str, object]:
    paired = outcome.paired
    assert paired is not None
    return {
        "metric": outcome.metric.name,
        "A": outcome.first,
        "B": outcome.second,
        "mean A": paired.first,
        "mean B": paired.second,
        "difference": paired.difference,
        "low": paired.interval.low,
        "high": paired.interval.high,
        "pairs": paired.pairs,
        "p": outcome.p_adjusted,
        "verdict": outcome.verdict,
    }


def _threshold(report: Report, metric: str) -> None:
    """Show the first unit at which each side is at or below a level."""
    outcome = report.comparisons[0]
    if outcome.metric.direction != "lower" or outcome.paired is None:
        return
    level = max(outcome.paired.first, outcome.paired.second)
    given = st.number_input("Level", value=level, format="%.3e", key=f"level_{metric}", step=level / 10 or 1e-6)
    rows = []
    for side, samples in report.groups.items():
        for sample in list(samples)[:50]:
            unit = first_at_or_below(sample.run, metric, float(given))
            rows.append({"side": side, "seed": sample.seed, f"first {facts(sample.run).unit}": unit})
    show_table(
        pl.DataFrame(rows, infer_schema_length=None),
        name="first_below",
        caption=f"First unit at which {metric} is at most {short(float(given))}; empty where it never is.",
    )
