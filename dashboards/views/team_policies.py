"""Team policies that factor over a graph: conditionals of every agent, and the joint actions they make."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, matrix
from equilibria.dashboards.page import Context
from equilibria.dashboards.widgets import pick_unit, show_figure
from equilibria.sim.store import Run
from equilibria.sim.types import BoolArray, FloatArray

POLICY: Final = "policy"
FIRST: Final = "first_actions"
DAG: Final = "dag"
COLUMNS: Final = {"agent", "state", "parents", "action", "probability"}
MAX_ROWS: Final = 40
MAX_CELLS: Final = 4096
SHOWN: Final = 12


def is_team_policy(run: Run) -> bool:
    """Say whether a run recorded conditionals of agents."""
    return POLICY in run.tables() and set(reader.columns(run, POLICY)) >= COLUMNS


def show_team(context: Context, run: Run) -> None:
    """Show the conditionals of one state and the joint actions that follow."""
    unit = pick_unit(run, POLICY, "Policies at")
    first = reader.query(
        run,
        POLICY,
        ("team", unit),
        lambda t: t.filter(pl.col("unit") == unit).select(
            pl.col("state").max().alias("states"),
            *(
                [pl.col("run").max().alias("runs")]
                if "run" in reader.columns(run, POLICY)
                else [pl.lit(0).alias("runs")]
            ),
        ),
    ).row(0, named=True)
    left, right = st.columns(2)
    state = int(left.number_input("State", 0, int(first["states"]), 0, key="state", bind="query-params"))
    start = 0
    if first["runs"]:
        start = int(right.number_input("Random start", 0, int(first["runs"]), 0, key="start", bind="query-params"))
    frame = _rows(run, unit, state, start)
    _conditionals(context, frame)
    dag = edges(run, unit, agents=int(frame["agent"].max()) + 1)  # type: ignore[arg-type]
    if dag is not None:
        _joint(context, frame, dag)


def _rows(run: Run, unit: int, state: int, start: int) -> pl.DataFrame:
    def make(table: pl.LazyFrame) -> pl.LazyFrame:
        rows = table.filter((pl.col("unit") == unit) & (pl.col("state") == state))
        if "run" in reader.columns(run, POLICY):
            rows = rows.filter(pl.col("run") == start)
        return rows.sort("agent", "parents", "action").head(50_000)

    return reader.query(run, POLICY, ("team rows", unit, state, start), make)


def _conditionals(context: Context, frame: pl.DataFrame) -> None:
    named = frame.with_columns(
        pl.when(pl.col("parents").max().over("agent") > 0)
        .then(pl.format("agent {} given {}", "agent", "parents"))
        .otherwise(pl.format("agent {}", "agent"))
        .alias("row")
    )
    wide = named.pivot(on="action", index="row", values="probability", maintain_order=True).head(MAX_ROWS)
    actions = [c for c in wide.columns if c != "row"]
    figure = matrix.heatmap(
        wide.select(actions).cast(pl.Float64).to_numpy(),
        rows=wide["row"].to_list(),
        columns=[f"action {a}" for a in actions],
        value_label="probability",
        limits=(0.0, 1.0),
        mode=context.mode,
    )
    show_figure(
        figure,
        name="conditionals",
        caption="What each agent plays; rows with *given* are for one joint action of its parents, numbered with the "
        f"first parent most significant. The first {MAX_ROWS} rows are drawn.",
        rows=frame,
    )


def edges(run: Run, unit: int, *, agents: int) -> BoolArray | None:
    """Return the graph [n, n] recorded last before or at a unit; no edges without a table, ``None`` if undecided."""
    found = np.zeros((agents, agents))
    if DAG in run.tables():
        units = reader.units(run, DAG)
        at = max((u for u in units if u <= unit), default=units[0])
        for row in reader.at_unit(run, DAG, at).iter_rows(named=True):
            found[int(row["parent"]), int(row["child"])] = float(row["probability"])
    if ((found > 0.02) & (found < 0.98)).any():
        return None
    return np.asarray(found > 0.5)


def joint(frame: pl.DataFrame, dag: BoolArray) -> tuple[list[int], FloatArray]:
    """Return the numbers of actions [n] and the distribution over joint actions, the first agent most significant.

    Args:
        frame: Rows (agent, parents, action, probability) of one state.
        dag: bool [n, n]; [j, i] when j is a parent of i.
    """
    n = len(dag)
    sizes = [int(frame.filter(pl.col("agent") == i)["action"].max()) + 1 for i in range(n)]  # type: ignore[arg-type]
    actions = np.indices(sizes).reshape(n, -1)
    total = np.ones(actions.shape[1])
    for i in range(n):
        mine = frame.filter(pl.col("agent") == i)
        table = np.zeros((int(mine["parents"].max()) + 1, sizes[i]))  # type: ignore[arg-type]
        table[mine["parents"].to_numpy(), mine["action"].to_numpy()] = mine["probability"].to_numpy()
        seen = np.zeros(actions.shape[1], np.int64)
        for j in np.flatnonzero(dag[:, i]):
            seen = seen * sizes[j] + actions[j]
        if seen.max(initial=0) >= len(table):  # the graph changed since the policy was recorded
            return sizes, np.empty(0)
        total = total * table[seen, actions[i]]
    return sizes, total


def _joint(context: Context, frame: pl.DataFrame, dag: BoolArray) -> None:
    cells = 1
    for i in range(len(dag)):
        cells *= int(frame.filter(pl.col("agent") == i)["action"].max()) + 1  # type: ignore[arg-type]
    if cells > MAX_CELLS:
        return
    sizes, chance = joint(frame, dag)
    if not len(chance):
        return
    if len(sizes) == 2:
        figure = matrix.heatmap(
            chance.reshape(sizes),
            rows=[f"action {a}" for a in range(sizes[0])],
            columns=[f"action {a}" for a in range(sizes[1])],
            row_label="agent 0",
            column_label="agent 1",
            value_label="probability",
            limits=(0.0, 1.0),
            mode=context.mode,
        )
    else:
        order = np.argsort(-chance, kind="stable")[:SHOWN]
        names = [", ".join(str(int(a)) for a in np.unravel_index(k, sizes)) for k in order]
        figure = bars.bars(
            names, chance[order].tolist(), y_label="probability", x_label="joint action", mode=context.mode
        )
    show_figure(
        figure,
        name="joint_actions",
        caption="Joint actions of the team. Independent agents can only make products of their own mixtures; with edges "
        "the team can put all mass on several joint actions that fit together.",
    )


def show_first_actions(context: Context, run: Run) -> None:
    """Show the joint actions that a learned team plays at the start of episodes."""
    unit = pick_unit(run, FIRST, "First actions at")
    frame = reader.at_unit(run, FIRST, unit, limit=5_000)
    if frame.is_empty():
        return
    wide = (
        frame.sort("rank", "agent")
        .group_by("rank", maintain_order=True)
        .agg(pl.col("share").first(), pl.col("action").cast(pl.String).str.join(", ").alias("joint"))
        .head(SHOWN)
    )
    figure = bars.bars(
        wide["joint"].to_list(),
        wide["share"].to_list(),
        y_label="share of episodes",
        x_label="joint action (one number per agent)",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="first_actions",
        caption="What the team plays at the start of an episode, counted in fresh worlds. Independent agents spread over "
        "all combinations of their own actions; a team that has learned to coordinate concentrates on a few.",
        rows=frame,
    )
