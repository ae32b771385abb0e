"""Tournaments of repeated games: who beats whom, the ranking, cooperation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, matrix
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import show_figure, show_table
from equilibria.sim.analysis.facts import resolved_scenario
from equilibria.sim.store import Run
from equilibria.sim.types import FloatArray

TABLE: Final = "scores"


def build() -> Page:
    """Return the page."""
    return Page(
        title="Tournament", section="Worlds", icon=":material/emoji_events:", order=20, tables=(TABLE,), render=render
    )


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is None:
        return
    frame = per_turn(run, reader.at_unit(run, TABLE, reader.units(run, TABLE)[-1], limit=40_000))
    ranking = ranked(frame)
    st.subheader(f"First: {ranking['strategy'][0]} with {ranking['score'][0]:.3f} per turn")
    figure = bars.intervals(
        ranking["strategy"].to_list(),
        ranking["score"].to_list(),
        ranking["low"].to_list(),
        ranking["high"].to_list(),
        x_label="mean score per turn",
        mode=context.mode,
    )
    repetitions = int(frame["repetitions"].max())  # type: ignore[arg-type]
    show_figure(
        figure,
        name="ranking",
        caption=f"Mean score against all strategies, with twice its standard error over {repetitions} repetitions. "
        "Further right is better; intervals that overlap are no ranking.",
        rows=ranking,
    )
    names = ranking["strategy"].to_list()
    what = st.segmented_control(
        "Matrix", ["score", "cooperation"], default="score", key="matrix", bind="query-params", required=True
    )
    table = _matrix(frame, names, what or "score")
    figure = matrix.heatmap(
        table,
        rows=names,
        columns=names,
        row_label="strategy",
        column_label="opponent",
        value_label="score per turn" if what != "cooperation" else "share of turns",
        mode=context.mode,
        height=max(420, 160 + 26 * len(names)),
    )
    show_figure(
        figure,
        name=f"matrix_{what}",
        caption="Row: the strategy; column: its opponent. Strategies in the order of the ranking.",
        rows=pl.DataFrame({"strategy": names, **{n: table[:, i] for i, n in enumerate(names)}}),
    )
    show_table(ranking, name="ranking_rows", caption="The ranking as a table.")


def turns_of(run: Run) -> int:
    """Return the turns of a match, 1 when the scenario does not say; recorded scores are totals of a match."""
    game = resolved_scenario(run).get("game")
    params = game.get("params") if isinstance(game, Mapping) else None
    turns = params.get("turns") if isinstance(params, Mapping) else None
    return turns if isinstance(turns, int) and turns > 0 else 1


def per_turn(run: Run, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with scores and their errors per turn."""
    return frame.with_columns(pl.col("score", "standard_error") / turns_of(run))


def ranked(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row per strategy: mean score, interval of two standard errors, cooperation; best first."""
    return (
        frame.group_by("strategy", maintain_order=True)
        .agg(
            pl.col("score").mean(),
            (pl.col("standard_error").pow(2).sum().sqrt() / pl.len()).alias("standard_error"),
            pl.col("cooperation").mean(),
        )
        .with_columns(
            (pl.col("score") - 2 * pl.col("standard_error")).alias("low"),
            (pl.col("score") + 2 * pl.col("standard_error")).alias("high"),
        )
        .sort("score", descending=True, maintain_order=True)
    )


def _matrix(frame: pl.DataFrame, names: list[str], column: str) -> FloatArray:
    place = {name: i for i, name in enumerate(names)}
    table = np.full((len(names), len(names)), np.nan)
    rows = [place[s] for s in frame["strategy"]]
    columns = [place[s] for s in frame["opponent"]]
    table[rows, columns] = frame[column].to_numpy()
    return table
