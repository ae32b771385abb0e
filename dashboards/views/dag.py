"""Policy graph: who sees whose action in a Bayesian-network policy, and how that changes over training."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import graphs, matrix
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views.auctions import over_time
from equilibria.dashboards.views.team_policies import DAG, is_team_policy, show_team
from equilibria.dashboards.widgets import pick_unit, show_figure
from equilibria.sim.analysis.facts import facts
from equilibria.sim.store import Run
from equilibria.sim.types import FloatArray, IntArray

MAX_EDGES: Final = 60
MAX_AGENTS: Final = 24


def build() -> Page:
    """Return the page."""
    return Page(
        title="Policy graph", section="Equilibrium", icon=":material/hub:", order=4, tables=(DAG,), render=render
    )


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is not None:
        context.follow(run, lambda now: _draw(context, now))


def _draw(context: Context, run: Run) -> None:
    show_graph(context, run)
    show_over_training(context, run)
    if is_team_policy(run):
        st.subheader("What the agents play")
        show_team(context, run)
    over_time(context, run)


def show_graph(context: Context, run: Run) -> None:
    """Show the graph at a chosen unit."""
    unit = pick_unit(run, DAG, f"Graph at {facts(run).unit}")
    frame = _means(run).filter(pl.col("unit") == unit)
    if frame.is_empty():
        st.info("A team of one agent has no graph.", icon=":material/info:")
        return
    agents = min(MAX_AGENTS, int(max(frame["parent"].max(), frame["child"].max())) + 1)  # type: ignore[type-var, arg-type]
    probability = np.zeros((agents, agents))
    for row in frame.iter_rows(named=True):
        if row["parent"] < agents and row["child"] < agents:
            probability[row["parent"], row["child"]] = row["probability"]
    figure = graphs.dag([f"{i}" for i in range(agents)], probability, mode=context.mode)
    edges = float(probability.sum())
    show_figure(
        figure,
        name="dag",
        caption=f"An arrow from one agent to another: the second sees the first one's action before it acts. "
        f"{edges:.3g} of {agents * (agents - 1) // 2} possible edges in expectation. No arrows: agents act independently; "
        "all of them: any joint distribution can be played. Wide, dark arrows are likely ones.",
        rows=frame,
    )


def edges_over_training(frame: pl.DataFrame) -> tuple[IntArray, list[str], FloatArray]:
    """Return units [T], names of edges [E] (at most 60, those that matter most) and probabilities [E, T]."""
    ranked = (
        frame.group_by("parent", "child")
        .agg(pl.col("probability").max().alias("most"))
        .sort(["most", "parent", "child"], descending=[True, False, False])
        .head(MAX_EDGES)
        .sort("parent", "child")
    )
    units = np.array(sorted(frame["unit"].unique()), np.int64)
    place = {int(u): k for k, u in enumerate(units)}
    rows = {(p, c): k for k, (p, c) in enumerate(ranked.select("parent", "child").rows())}
    values = np.full((len(rows), len(units)), np.nan)
    for unit, parent, child, probability in frame.select("unit", "parent", "child", "probability").rows():
        if (parent, child) in rows:
            values[rows[parent, child], place[unit]] = probability
    return units, [f"{p} → {c}" for p, c in rows], values


def show_over_training(context: Context, run: Run) -> None:
    """Show the probability of every edge over training."""
    frame = _means(run)
    if frame["unit"].n_unique() < 2:
        return
    units, names, values = edges_over_training(frame)
    figure = matrix.heatmap(
        values,
        rows=names,
        columns=[f"{u}" for u in units],
        row_label="edge",
        column_label=facts(run).unit,
        value_label="probability",
        limits=(0.0, 1.0),
        mode=context.mode,
    )
    show_figure(
        figure,
        name="dag_over_training",
        caption="Probability of each edge over training, parent → child. Edges that fade away leave policies that can be "
        "executed without communication.",
        rows=frame,
    )


def _means(run: Run) -> pl.DataFrame:
    """Return mean probabilities by unit and edge, at most 200 units."""
    kept = reader.units(run, DAG, limit=200)
    return reader.query(
        run,
        DAG,
        ("dag", tuple(kept)),
        lambda t: (
            t.filter(pl.col("unit").is_in(kept))
            .group_by("unit", "parent", "child")
            .agg(pl.col("probability").mean())
            .sort("unit", "parent", "child")
        ),
    )
