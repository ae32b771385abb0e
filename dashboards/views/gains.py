"""Best-response gains: what every player could still win by deviating alone, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, lines
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import curve_rows, plain, show_figure, show_table
from equilibria.sim.analysis.facts import certificate_sentence, facts, finite, metric_facts
from equilibria.sim.analysis.samples import Sample, from_sweep
from equilibria.sim.analysis.statistics import bootstrap_interval
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run, Sweep

METRIC: Final = "gains"
ROUNDING: Final = 1e-12
MAX_GROUPS: Final = 20


def build() -> Page:
    """Return the page."""
    return Page(
        title="Best-response gains",
        section="Equilibrium",
        icon=":material/swap_horiz:",
        order=1,
        suits=lambda entry: entry.gains,
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    if not any(context.page.shows(e) for e in context.entries):
        st.info(
            "No run of this folder has gains per player, neither in its certificate nor as the metric `gains`.",
            icon=":material/info:",
        )
        context.link("gallery", "Choose a scenario in the gallery")
        return
    chosen = context.choose(kinds=("run", "sweep"), label="Run or sweep")
    if isinstance(chosen, Run):
        context.follow(chosen, lambda now: _run(context, now))
    elif isinstance(chosen, Sweep):
        _sweep(context, chosen)


def gains_of(certificate: Any) -> list[tuple[str, float, float, float]]:
    """Return (player, gain, low, high) from a certificate's details; exact gains are their own interval.

    ``details.gains`` may be a list by player, an object by name, and its values numbers or [gain, low, high].
    """
    details = certificate.get("details") if isinstance(certificate, Mapping) else None
    given = details.get("gains") if isinstance(details, Mapping) else None
    named: list[tuple[str, Any]] = []
    if isinstance(given, Mapping):
        named = [(str(k), v) for k, v in given.items()]
    elif isinstance(given, Sequence) and not isinstance(given, str):
        named = [(f"player {k}", v) for k, v in enumerate(given)]
    found = []
    for name, value in named:
        ends = list(value) if isinstance(value, (list, tuple)) else [value] * 3
        known = [finite(e) for e in ends]
        if len(known) == 3 and None not in known:
            gain, low, high = (float(k) for k in known if k is not None)
            found.append((name, gain, min(low, gain), max(high, gain)))
    return found


def _run(context: Context, run: Run) -> None:
    certificate: Mapping[str, Any] = run.certificate if isinstance(run.certificate, Mapping) else {}
    found = gains_of(certificate)
    if found:
        frame = pl.DataFrame(found, schema=["player", "gain", "low", "high"], orient="row")
        unit = str(certificate.get("unit", ""))
        figure = bars.intervals(
            frame["player"].to_list(),
            frame["gain"].to_list(),
            frame["low"].to_list(),
            frame["high"].to_list(),
            x_label=f"gain [{unit}]",
            zero=True,
            mode=context.mode,
        )
        kind = str(certificate.get("kind", "exact"))
        word = {
            "lower bound": "Trained responses: a player gains at least this much; whiskers are 95 % intervals. An interval "
            "that contains 0 means that no gain was found, not that there is none.",
            "estimate": "Estimated gains with their intervals.",
        }.get(kind, "Exact gains, so there is no interval. 0 for every player is an equilibrium.")
        show_figure(figure, name="gains", caption=f"What each player wins by deviating alone. {word}", rows=frame)
        show_table(frame, name="gain_rows", caption=plain(certificate_sentence(run)))
    else:
        st.info(f"Certificate: {plain(certificate_sentence(run))}", icon=":material/verified:")
    _over_time(context, run)


def _over_time(context: Context, run: Run) -> None:
    keys = [v.key for v in reader.values(run) if v.metric == METRIC][:12]
    curves = [reader.curve(run, METRIC, k, name=f"player {k}" if k.isdigit() else k, max_points=800) for k in keys]
    curves = [_above_rounding(c) for c in curves if len(c)]
    if not curves:
        return
    unit = facts(run).unit
    log_x = st.toggle("log units", key="logx", bind="query-params")
    figure = lines.curves(
        curves, x_label=unit, y_label=metric_facts(run, METRIC).label, log=True, log_x=log_x, mode=context.mode
    )
    show_figure(
        figure,
        name="gains_over_time",
        caption="Gain of each player over the run; 0, the equilibrium, lies below the axis, and so does rounding "
        f"(below {ROUNDING:g}).",
        rows=lambda: curve_rows(curves, unit),
    )


def _above_rounding(curve: Curve) -> Curve:
    mean, low, high = (np.where(v < ROUNDING, 0.0, v) for v in (curve.mean, curve.low, curve.high))
    return replace(curve, mean=mean, low=low, high=high)


def over_seeds(groups: Mapping[str, list[Sample]]) -> pl.DataFrame:
    """Return mean gain with its 95 % bootstrap interval over seeds, one row per setting and player."""
    rows = []
    for label, samples in groups.items():
        by_player: dict[str, list[float]] = {}
        for sample in samples:
            for name, gain, _, _ in gains_of(sample.run.certificate):
                by_player.setdefault(name, []).append(gain)
        for name, values in by_player.items():
            interval = bootstrap_interval(values)
            mean = sum(values) / len(values)
            rows.append(
                {
                    "setting": label,
                    "player": name,
                    "seeds": len(values),
                    "gain": mean,
                    "low": min(mean, interval.low),
                    "high": max(mean, interval.high),
                }
            )
    return pl.DataFrame(rows) if rows else pl.DataFrame()


def _sweep(context: Context, sweep: Sweep) -> None:
    source = from_sweep(sweep)
    labels = source.group_labels()[1]
    groups = {labels[g]: s for g, s in list(source.groups().items())[:MAX_GROUPS]}
    frame = over_seeds(groups)
    if frame.is_empty():
        st.info("No complete member has gains per player in its certificate.", icon=":material/hourglass_empty:")
        return
    names = [f"{s}, {p}" if s not in ("", "all") else p for s, p in frame.select("setting", "player").rows()]
    figure = bars.intervals(
        names,
        frame["gain"].to_list(),
        frame["low"].to_list(),
        frame["high"].to_list(),
        x_label="gain [payoff]",
        zero=True,
        mode=context.mode,
    )
    show_figure(
        figure,
        name="gains_over_seeds",
        caption="Mean gain of each player over seeds with its 95 % bootstrap interval; 0 is an equilibrium.",
        rows=frame,
    )
    show_table(frame, name="gain_rows", caption="One row per setting and player.")
