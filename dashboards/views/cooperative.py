"""Cooperative learning: returns with intervals over seeds, team policies, the policy graph over training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.catalogue import Entry
from equilibria.dashboards.figures import bars, lines
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views.dag import show_graph, show_over_training
from equilibria.dashboards.views.team_policies import DAG, FIRST, is_team_policy, show_first_actions, show_team
from equilibria.dashboards.widgets import curve_rows, show_figure, show_table
from equilibria.sim.analysis.curves import group_curve
from equilibria.sim.analysis.facts import facts, finite, metric_facts
from equilibria.sim.analysis.samples import Sample, Source, from_run, from_sweep
from equilibria.sim.analysis.statistics import bootstrap_interval
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run, Sweep

METRICS: Final = (
    "coordination_ratio",
    "mean_return",
    "evaluation_return",
    "learning_numbers",
    "population_return",
    "adapted_return",
)
RETURNS: Final = ("coordination_ratio", "evaluation_return", "mean_return", "population_return", "adapted_return")
TABULAR: Final = ("return_ratio", "return")
MAX_CURVES: Final = 8


def build() -> Page:
    """Return the page."""
    return Page(
        title="Cooperative learning",
        section="Worlds",
        icon=":material/diversity_3:",
        order=25,
        tables=(DAG, FIRST),
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
    _returns(context, [e for e in fitting if e.game == game])
    st.divider()
    run = context.choose_run()
    if run is not None:
        context.follow(run, lambda now: _one(context, now))


def groups_of(context: Context, entries: list[Entry]) -> dict[str, list[Sample]]:
    """Return what is compared: every run alone, and the settings of every sweep with their seeds."""
    found: dict[str, list[Sample]] = {}
    for entry in entries:
        item = context.open(entry.name)
        if isinstance(item, Run):
            source, labels = from_run(item), {"": entry.agents or entry.title}
        elif isinstance(item, Sweep):
            source = from_sweep(item)
            labels = source.group_labels()[1]
        else:
            continue
        for group, samples in _split(source).items():
            label = labels.get(group) or group or entry.agents
            label = entry.agents if label == "all" else label
            while label in found:
                label = f"{label} · {entry.title}"
            found[label] = samples
    return found


def _split(source: Source) -> Mapping[str, list[Sample]]:
    return source.groups()


def choices(groups: Mapping[str, list[Sample]]) -> list[tuple[str, str]]:
    """Return the returns (metric, key) that some group recorded, evaluation first."""
    known: dict[tuple[str, str], None] = {}
    for samples in groups.values():
        for value in reader.values(samples[0].run):
            known[value.metric, value.key] = None
    found = [pair for name in RETURNS for pair in known if pair[0] == name]
    return found + [(m, k) for m, k in known if m == "solver_numbers" and k in TABULAR]


def _returns(context: Context, entries: list[Entry]) -> None:
    st.subheader("Returns")
    groups = groups_of(context, entries)
    offered = choices(groups)
    if not offered:
        st.info("None of these runs has recorded a return yet.", icon=":material/hourglass_empty:")
        return
    left, right = st.columns([1, 2])
    texts = {_text(pair): pair for pair in offered}
    metric, key = texts[left.selectbox("Return", list(texts), key="return", bind="query-params")]
    shown = right.multiselect("Methods", list(groups), default=list(groups)[:MAX_CURVES], key="methods")
    curves: list[Curve] = []
    for label in shown[: 2 * MAX_CURVES]:
        curve = group_curve(groups[label], metric, label, key=key, band="interval")
        if len(curve):
            curves.append(curve)
    if not curves:
        st.info("Choose a method that recorded this return.", icon=":material/info:")
        return
    sample = groups[curves[0].name][0].run
    about, unit = metric_facts(sample, metric), facts(sample).unit
    optimum = None if key == "return_ratio" else optimum_of(groups)
    figure = lines.curves(
        curves,
        x_label=unit,
        y_label=key or about.label,
        mode=context.mode,
        goal=1.0 if key == "return_ratio" else optimum,
        goal_label="optimum",
    )
    seeds = {label: len(groups[label]) for label in shown}
    show_figure(
        figure,
        name="returns",
        caption="Mean over seeds with the 95 % interval of the mean (Student's t); runs with one seed have no band. "
        "Higher is better; the dotted line is the optimum where it is known. Seeds: "
        + ", ".join(f"{n} {c}" for n, c in seeds.items())
        + ".",
        rows=lambda: curve_rows(curves, unit),
    )
    _finals(context, {c.name: groups[c.name] for c in curves}, metric, key)


def _text(pair: tuple[str, str]) -> str:
    metric, key = pair
    return key if metric == "solver_numbers" else f"{metric} [{key}]" if key else metric


def optimum_of(groups: Mapping[str, list[Sample]]) -> float | None:
    """Return the best return of the game when a certificate names one."""
    for samples in groups.values():
        known = samples[0].run.certificate
        details = known.get("details") if isinstance(known, Mapping) else None
        value = finite(details.get("optimum")) if isinstance(details, Mapping) else None
        if value is not None:
            return value
    return None


def finals(groups: Mapping[str, list[Sample]], metric: str, key: str) -> pl.DataFrame:
    """Return mean final value with its 95 % bootstrap interval over seeds, one row per method."""
    rows = []
    for label, samples in groups.items():
        ends = [v.value for s in samples for v in reader.values(s.run) if (v.metric, v.key) == (metric, key)]
        if not ends:
            continue
        interval = bootstrap_interval(ends)
        mean = sum(ends) / len(ends)
        rows.append({"method": label, "seeds": len(ends), "mean": mean, "low": interval.low, "high": interval.high})
    return pl.DataFrame(rows) if rows else pl.DataFrame()


def _finals(context: Context, groups: Mapping[str, list[Sample]], metric: str, key: str) -> None:
    frame = finals(groups, metric, key)
    if frame.is_empty():
        return
    figure = bars.intervals(
        frame["method"].to_list(),
        frame["mean"].to_list(),
        frame["low"].to_list(),
        frame["high"].to_list(),
        x_label=f"final {_text((metric, key))}",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="final_returns",
        caption="Mean final return over seeds with its 95 % bootstrap interval; further right is better.",
        rows=frame,
    )
    show_table(frame, name="final_return_rows", caption="One row per method.")


def _one(context: Context, run: Run) -> None:
    if DAG in run.tables():
        st.subheader("Who sees whose action")
        show_graph(context, run)
        show_over_training(context, run)
    if is_team_policy(run):
        st.subheader("Team policy")
        show_team(context, run)
    if FIRST in run.tables():
        st.subheader("What the team plays first")
        show_first_actions(context, run)
    _learning(context, run)


def _learning(context: Context, run: Run) -> None:
    """Show numbers of the updates: losses, entropy, clipping."""
    keys = [v.key for v in reader.values(run) if v.metric == "learning_numbers"]
    if not keys:
        return
    st.subheader("Numbers of the updates")
    chosen = st.selectbox("Number", keys, key="number", bind="query-params")
    curve = reader.curve(run, "learning_numbers", chosen, name=chosen)
    if len(curve):
        unit = facts(run).unit
        show_figure(
            lines.curves([curve], x_label=unit, y_label=chosen, mode=context.mode),
            name="learning_numbers",
            caption=f"{chosen} of every update.",
            rows=lambda: curve_rows([curve], unit),
        )
