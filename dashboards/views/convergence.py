"""Distance to equilibrium: curves of several methods on one game, and their certificates with intervals."""

from __future__ import annotations

from typing import Final

import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.catalogue import Entry
from equilibria.dashboards.figures import bars, lines
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import curve_rows, show_figure, show_table
from equilibria.sim.analysis.facts import facts, finite, metric_facts
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run, Sweep

MAX_CURVES: Final = 8
POINTS: Final = 800
METRICS: Final = (
    "exploitability",
    "nash_conv",
    "current_exploitability",
    "regularised_gap",
    "agent_form_gain",
    "train_gap",
    "solver_numbers",
)


def build() -> Page:
    """Return the page."""
    return Page(
        title="Distance to equilibrium",
        section="Equilibrium",
        icon=":material/trending_down:",
        order=0,
        metrics=METRICS,
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    fitting = [e for e in context.entries if context.page.shows(e)]
    games = list(dict.fromkeys(e.game for e in fitting))
    if not games:
        context.nothing_to_show()
        return
    most = max(games, key=lambda g: sum(e.game == g for e in fitting))
    game = st.selectbox("Game", games, index=games.index(most), key="game", bind="query-params")
    runs = dict(_runs(context, [e for e in fitting if e.game == game]))
    if not runs:
        st.info("No readable run of this game.", icon=":material/info:")
        return
    chosen = st.multiselect("Runs", list(runs), default=list(runs)[:MAX_CURVES], key="runs", bind="query-params")
    kept = {name: runs[name] for name in chosen}
    metrics = _metrics(list(kept.values()))
    if not kept or not metrics:
        st.info("Choose at least one run with a distance.", icon=":material/info:")
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    metric = left.selectbox("Metric", metrics, key="metric", bind="query-params")
    log_x = right.toggle("log units", key="logx", bind="query-params")
    _curves(context, kept, metric, log_x)
    _certificates(context, kept)


def _runs(context: Context, entries: list[Entry]) -> list[tuple[str, Run]]:
    """Return single runs and the members of sweeps (one per setting: the first seed) under short names."""
    found: list[tuple[str, Run]] = []
    for entry in entries:
        item = context.open(entry.name)
        if isinstance(item, Run):
            found.append((_label(entry.agents, entry.title, found), item))
        elif isinstance(item, Sweep):
            seen: set[str] = set()
            for member in item.members:
                if not isinstance(member, Run):
                    continue
                setting = {k: v for k, v in item.overrides(member).items() if k != "run.seed"}
                words = ", ".join(str(v) for v in setting.values()) or entry.agents
                if words not in seen:
                    seen.add(words)
                    found.append((_label(words, entry.title, found), member))
    return found


def _label(agents: str, title: str, found: list[tuple[str, Run]]) -> str:
    """Return the method's name alone, so that it keeps its colour; with the run's name when it is taken."""
    taken = {name for name, _ in found}
    label = agents if agents and agents not in taken else f"{agents} · {title}"
    while label in taken:
        label += "'"
    return label


def _metrics(runs: list[Run]) -> list[str]:
    names: dict[str, int] = {}
    for run in runs:
        for value in reader.values(run):
            if metric_facts(run, value.metric).log and value.key == "":
                names[value.metric] = names.get(value.metric, 0) + 1
        for value in reader.values(run):
            if value.metric == "solver_numbers" and metric_facts(run, value.key).log:
                name = f"solver_numbers/{value.key}"
                names[name] = names.get(name, 0) + 1
    return sorted(names, key=lambda n: -names[n])


def _curves(context: Context, runs: dict[str, Run], metric: str, log_x: bool) -> None:
    name, _, key = metric.partition("/")
    found: list[Curve] = []
    for label, run in runs.items():
        curve = reader.curve(run, name, key, name=label, max_points=POINTS, spacing="log" if log_x else "linear")
        if len(curve):
            found.append(curve)
    if not found:
        st.info("None of these runs recorded this metric.", icon=":material/info:")
        return
    first = next(iter(runs.values()))
    unit, about = facts(first).unit, metric_facts(first, name)
    figure = lines.curves(
        found[: 2 * MAX_CURVES],
        x_label=unit,
        y_label=about.label if not key else key,
        log=True,
        log_x=log_x,
        mode=context.mode,
    )
    show_figure(
        figure,
        name="distance",
        caption="Lower is closer to equilibrium, which lies at 0 below the axis. On log axes a straight fall is a "
        "power law: one decade per decade is 1/T, half of that 1/sqrt(T).",
        rows=lambda: curve_rows(found, unit),
    )


def _certificates(context: Context, runs: dict[str, Run]) -> None:
    rows = []
    for label, run in runs.items():
        known = run.certificate if isinstance(run.certificate, dict) else {}
        value = finite(known.get("value"))
        if value is not None:
            rows.append(
                {
                    "run": label,
                    "measure": str(known.get("measure", "")),
                    "value": value,
                    "low": finite(known.get("low")) if finite(known.get("low")) is not None else value,
                    "high": finite(known.get("high")) if finite(known.get("high")) is not None else value,
                    "unit": str(known.get("unit", "")),
                    "kind": str(known.get("kind", "")),
                    "method": str(known.get("method", "")),
                }
            )
    if not rows:
        st.info("None of these runs has a certificate yet.", icon=":material/info:")
        return
    frame = pl.DataFrame(rows)
    figure = bars.intervals(
        frame["run"].to_list(),
        frame["value"].to_list(),
        frame["low"].to_list(),
        frame["high"].to_list(),
        x_label=f"certified distance [{rows[0]['unit']}]",
        log=all(isinstance(r["value"], float) and r["value"] > 0 for r in rows),
        mode=context.mode,
    )
    show_figure(
        figure,
        name="certificates",
        caption="What any player can still gain, from the certificates of the finished runs; exact values have no "
        "interval, trained best responses have one.",
        rows=frame,
    )
    show_table(frame, name="certificate_rows", caption="How each distance was measured.")
