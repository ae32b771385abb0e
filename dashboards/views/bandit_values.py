"""The part of the page on decision environments: regret and value gaps, restless arms, the feed's frontier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, lines, scatter
from equilibria.dashboards.figures.regret import log_slope, regret
from equilibria.dashboards.look import colours
from equilibria.dashboards.page import Context
from equilibria.dashboards.views.groups import Groups, interval_rows, settings_of_game
from equilibria.dashboards.widgets import curve_rows, show_figure, show_table
from equilibria.sim.analysis.facts import facts, finite, metric_facts
from equilibria.sim.store import Run

FRONTIER: Final = "frontier"
REGRETS: Final = ("regret", "payment_regret_total")
GAPS: Final = ("value_gap", "gap_bound")
STEP: Final = "reward_per_step"
SESSION: Final = "session_return"
METRICS: Final = ("regret", *GAPS, STEP, SESSION)
_AUXILIARY: Final = ("likes", "shares", "likes and shares")


def compare(context: Context, groups: Groups) -> bool:
    """Draw what settings are compared by; returns whether something was there."""
    drawn = groups.recorded("value_gap")  # drawn among the details of each run
    for metric in REGRETS:
        if groups.recorded(metric):
            drawn |= _regret(context, groups, metric)
    if groups.recorded(STEP):
        drawn |= _shares(context, groups)
    if groups.recorded(SESSION):
        drawn |= _feed(context, groups)
    return drawn


def details(context: Context, run: Run) -> None:
    """Draw what one run has: its value gap beside its own bound, its reward beside the optimum."""
    recorded = {v.metric for v in reader.values(run)}
    if "value_gap" in recorded:
        _gaps(context, run)
    if STEP in recorded:
        _steps(context, run)


def _unit(run: Run) -> str:
    return facts(run).unit


def _regret(context: Context, groups: Groups, metric: str) -> bool:
    curves = groups.curves(metric)
    if not curves:
        return False
    st.subheader("Regret")
    slopes = {
        label: [s for sample in samples if np.isfinite(s := _slope(sample.run, metric))]
        for label, samples in groups.samples.items()
    }
    named = [
        replace(c, name=f"{c.name} (slope {np.mean(slopes[c.name]):.2f})") if slopes.get(c.name) else c for c in curves
    ]
    hues = colours(c.name for c in curves)  # a setting keeps its colour when its slope stands beside its name
    palette = {n.name: hues[c.name] for n, c in zip(named, curves, strict=True)}
    unit = "generation" if metric == REGRETS[1] else _unit(groups.first)
    about = metric_facts(groups.first, metric)
    show_figure(
        regret(named, x_label=unit, y_label=about.label, mode=context.mode, palette=palette),
        name=metric,
        caption="Regret so far on log-log axes: a power law is a straight line. The slope in the legend is that of the "
        f"last decade of {unit}s; 1 is a learner that never improves, 1/2 the rate of good bandits, below it regret "
        f"grows like a logarithm. Lower is better. {groups.seeds()}",
        rows=lambda: curve_rows(curves, unit),
    )
    frame = interval_rows({label: [float(c.mean[-1]) for c in _each(groups, label, metric)] for label in slopes})
    frame = frame.rename({"value": "final regret"}).with_columns(
        pl.Series("slope", [float(np.mean(slopes[s])) if slopes[s] else None for s in frame["setting"]], pl.Float64)
    )
    if groups.sweep:
        alone = pl.col("seeds") < 2
        frame = frame.with_columns(pl.when(~alone).then(pl.col(end)).alias(end) for end in ("low", "high"))
        show_table(frame, name=f"{metric}_rows", caption="Final regret over seeds (95 % bootstrap interval) and slope.")
    return True


def _each(groups: Groups, label: str, metric: str) -> list[Any]:
    found = [reader.curve(s.run, metric) for s in groups.samples[label]]
    return [c for c in found if len(c)]


def _slope(run: Any, metric: str) -> float:
    curve = reader.curve(run, metric)
    return log_slope(curve.unit, curve.mean)


def _gaps(context: Context, run: Run) -> None:
    names = {"value_gap": "value gap", "gap_bound": "the learner's own bound"}
    curves = [c for m, name in names.items() if len(c := reader.curve(run, m, name=name))]
    if not curves:
        return
    unit = _unit(run)
    show_figure(
        lines.curves(curves, x_label=unit, y_label="value gap [reward per episode]", log=True, mode=context.mode),
        name="value_gap",
        caption="Optimal value minus the exact value of the present policy; lower is better, the line breaks where the gap "
        "is 0."
        + (
            " The learner's own bound comes from its confidence sets and holds with high probability when bonuses have "
            "their full size."
            if len(curves) > 1
            else ""
        ),
        rows=lambda: curve_rows(curves, unit),
    )


def outcome(run: Run) -> dict[str, Any] | None:
    """Return value and goal per episode of a restless-arms run from its certificate, ``None`` without one.

    Keys ``value``, ``low``, ``high`` (its interval; equal when exact), ``goal`` and ``goal_is`` (``optimum`` or
    ``relaxed bound``).
    """
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    details = certificate.get("details")
    if not isinstance(details, Mapping):
        return None
    best, bound = finite(details.get("optimal_value")), finite(details.get("relaxed_bound"))
    value, gap = finite(details.get("value", details.get("simulated"))), finite(certificate.get("value"))
    goal = bound if best is None else best
    if goal is None or value is None or gap is None or goal <= 0:
        return None
    low, high = (gap if (end := finite(certificate.get(name))) is None else end for name in ("high", "low"))
    return {"value": value, "low": goal - low, "high": goal - high, "goal": goal, "bound": bound,
            "goal_is": "relaxed bound" if best is None else "optimum"}  # fmt: skip


def share_rows(groups: Groups) -> pl.DataFrame:
    """Return the share of the optimum (or of the relaxed bound) that every setting reaches, with its interval."""
    rows = []
    for label, samples in groups.samples.items():
        found = [o for s in samples if (o := outcome(s.run)) is not None]
        if not found:
            continue
        shares = [o["value"] / o["goal"] for o in found]
        row = interval_rows({label: shares}).row(0, named=True)
        if len(found) == 1:
            row |= {"low": found[0]["low"] / found[0]["goal"], "high": found[0]["high"] / found[0]["goal"]}
        means = {k: float(np.mean([o[k] for o in found])) for k in ("value", "goal")}
        row |= {"share": row.pop("value"), "of": found[0]["goal_is"], "reward": means["value"], "goal": means["goal"]}
        rows.append(row)
    return pl.DataFrame(rows) if rows else pl.DataFrame()


def _shares(context: Context, groups: Groups) -> bool:
    frame = share_rows(groups)
    if frame.is_empty():
        return groups.sweep is False  # a run in progress has its curve below
    st.subheader("Value against the optimum")
    what = " or ".join(dict.fromkeys(frame["of"].to_list()))
    figure = bars.intervals(
        frame["setting"].to_list(),
        frame["share"].to_list(),
        frame["low"].to_list(),
        frame["high"].to_list(),
        x_label=f"share of the {what}",
        goal=1.0,
        goal_label=what,
        mode=context.mode,
    )
    figure.update_layout(xaxis={"tickformat": ".0%", "rangemode": "tozero"})
    show_figure(
        figure,
        name="shares",
        caption=f"Expected reward per episode as a share of the {what}; further right is better. Values of up to six arms "
        "are exact for rules without randomness, others are simulated with their 95 % interval; a relaxed bound need not "
        "be reachable.",
        rows=frame,
    )
    show_table(frame, name="share_rows", caption="Reward per episode beside what it is compared with.")
    return True


def _steps(context: Context, run: Run) -> None:
    curve = reader.curve(run, STEP, name="simulated episodes so far")
    played = curve.unit > 0  # nothing was earned before the first episode
    curve = replace(
        curve, unit=curve.unit[played], mean=curve.mean[played], low=curve.low[played], high=curve.high[played]
    )
    if len(curve) < 2:
        return
    horizon, found = finite(settings_of_game(run).get("horizon")), outcome(run)
    goal = found["goal"] / horizon if found and horizon else None
    unit, about = _unit(run), metric_facts(run, STEP)
    figure = lines.curves(
        [curve],
        x_label=unit,
        y_label=about.label,
        goal=goal,
        goal_label=found["goal_is"] if found else "",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="reward_per_step",
        caption="Mean expected reward per step of the episodes simulated so far; higher is better. The dotted line is "
        "what can be had at most, per step.",
        rows=lambda: curve_rows([curve], unit),
    )


def _feed(context: Context, groups: Groups) -> bool:
    seeds = list(dict.fromkeys(s.seed for samples in groups.samples.values() for s in samples))
    seed = seeds[0]
    st.subheader("Watch time against likes and shares")
    left, right = st.columns([2, 1])
    shown = left.segmented_control(
        "Horizontal axis", _AUXILIARY, default=_AUXILIARY[-1], key="auxiliary", bind="query-params", required=True
    )
    if len(seeds) > 1:
        numbers = {f"{k} of {len(seeds)}": s for k, s in enumerate(seeds, start=1)}
        seed = numbers[right.selectbox("Seed", list(numbers), key="seed", bind="query-params")]
    points = {}
    for label, samples in groups.samples.items():
        cloud = next((_cloud(s.run, shown) for s in samples if s.seed == seed), None)
        if cloud is not None:
            points[label] = cloud
    if not points:
        st.info("No returns have been recorded yet.", icon=":material/hourglass_empty:")
        return False
    source = next(s.run for samples in groups.samples.values() for s in samples if s.seed == seed)
    frontier = frontier_of(source, shown)
    figure = scatter.clouds(
        points,
        x_label=f"{shown} [per session]",
        y_label="watch time [per session]",
        frontier=frontier,
        frontier_name="frontier (upper bound)",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="frontier",
        caption="Returns per session, exact on a grid of fatigue; thin lines are training. Up and to the right is better. "
        + (
            "Nothing lies in the shaded part; the frontier itself need not be reachable."
            if frontier is not None
            else "The run recorded no table `frontier`, so the bound is not drawn."
        ),
    )
    return True


def _cloud(run: Run, auxiliary: str) -> scatter.Cloud | None:
    watch = reader.curve(run, SESSION, "watch_time", max_points=400)
    parts = [reader.curve(run, SESSION, key, max_points=400) for key in auxiliary.split(" and ")]
    if not len(watch) or any(len(p) != len(watch) for p in parts):
        return None
    level = np.sum([p.mean for p in parts], axis=0)
    return scatter.Cloud(x=level[-1:], y=watch.mean[-1:], path=(level, watch.mean))


def frontier_of(run: Run, auxiliary: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the bound (level [K], watch time [K]) that a feed run recorded for likes, shares or their sum."""
    if FRONTIER not in run.tables():
        return None
    units = reader.units(run, FRONTIER)
    if not units:
        return None
    frame = reader.at_unit(run, FRONTIER, units[0]).filter(pl.col("reward") == auxiliary).sort("level")
    return (frame["level"].to_numpy(), frame["watch_time"].to_numpy()) if len(frame) else None
