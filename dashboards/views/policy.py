"""Policy explorer: what a solved policy does at every infoset, how often it gets there, what it regrets."""

from __future__ import annotations

from typing import Final

import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, matrix
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views.team_policies import is_team_policy, show_team
from equilibria.dashboards.widgets import show_figure, show_table
from equilibria.sim.store import Run

TABLE: Final = "policy"
MAX_INFOSETS: Final = 40
_COLUMNS: Final = {"infoset", "action", "probability", "player"}


def build() -> Page:
    """Return the page."""
    return Page(
        title="Policy explorer",
        section="Equilibrium",
        icon=":material/account_tree:",
        order=1,
        tables=(TABLE,),
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is None:
        return
    if is_team_policy(run):
        show_team(context, run)
        return
    columns = set(reader.columns(run, TABLE))
    units = reader.units(run, TABLE)
    unit = units[-1]
    if len(units) > 1:
        unit = st.select_slider("Recorded at", units, value=units[-1], key="at", bind="query-params")
    if columns >= _COLUMNS:
        _infosets(context, run, unit)
    else:
        _flat(context, run, unit)


def _infosets(context: Context, run: Run, unit: int) -> None:
    counts = reader.query(
        run,
        TABLE,
        ("players", unit),
        lambda t: t.filter(pl.col("unit") == unit).group_by("player").agg(pl.col("infoset").n_unique()).sort("player"),
    )
    left, middle, right = st.columns([1, 2, 1], vertical_alignment="bottom")
    player = left.selectbox("Player", counts["player"].to_list(), key="player", bind="query-params")
    text = middle.text_input("Infoset contains", key="infoset", bind="query-params", placeholder="cards, bets ...")
    by = right.selectbox("Sorted by", ["reach", "regret", "mixing", "name"], key="by", bind="query-params")
    frame = _chosen(run, unit, int(player), text or "", by)
    total = int(counts.filter(pl.col("player") == player)["infoset"][0])
    st.caption(f"Player {player} has {total:,} infosets; {frame['infoset'].n_unique()} are shown.")
    if frame.is_empty():
        st.info("No infoset matches.", icon=":material/search_off:")
        return
    wide = frame.pivot(on="action", index=["infostate"], values="probability", maintain_order=True)
    actions = [c for c in wide.columns if c != "infostate"]
    figure = matrix.heatmap(
        wide.select(actions).cast(pl.Float64).to_numpy(),
        rows=short_names(wide["infostate"].to_list()),
        columns=[f"action {a}" for a in actions],
        row_label="infoset",
        value_label="probability",
        limits=(0.0, 1.0),
        mode=context.mode,
        height=max(280, 110 + 26 * len(wide)),
    )
    show_figure(
        figure,
        name="policy",
        caption="Probability of each action; empty cells are illegal. Rows near 0 and 1 are pure, the others mix. In "
        "equilibrium an action with positive probability has no regret where play arrives.",
        rows=frame,
    )
    show_table(frame, name="policy_rows", caption="Reach is how likely play passes here; regret is counterfactual.")


def _chosen(run: Run, unit: int, player: int, text: str, by: str) -> pl.DataFrame:
    """Return the rows of the infosets that are shown, the first 40 in the chosen order."""

    def make(table: pl.LazyFrame) -> pl.LazyFrame:
        rows = table.filter((pl.col("unit") == unit) & (pl.col("player") == player))
        if text:
            rows = rows.filter(pl.col("infostate").str.contains(text, literal=True))
        score = {
            "reach": pl.col("reach").first(),
            "regret": pl.col("regret").max(),
            "mixing": (1.0 - pl.col("probability").max()),
            "name": -pl.col("infoset").first().cast(pl.Float64),
        }[by]
        top = (
            rows.group_by("infoset").agg(score.alias("score")).sort(["score", "infoset"], descending=[True, False])
        ).head(MAX_INFOSETS)
        return (
            rows.join(top, on="infoset")
            .sort(["score", "infoset", "action"], descending=[True, False, False])
            .drop("score", "unit")
        )

    return reader.query(run, TABLE, ("policy", unit, player, text, by), make)


def _flat(context: Context, run: Run, unit: int) -> None:
    """Show the policy of a matrix game: team policies, items, shares of strategies."""
    frame = reader.at_unit(run, TABLE, unit, limit=2000).drop("unit")
    columns = set(frame.columns)
    if {"policy", "weight", "member", "action", "probability"} <= columns:
        _teams(context, frame)
    elif "probability" in columns:
        names = frame.select(pl.exclude(pl.Float64)).columns
        labels = frame[names[0]].cast(pl.String).to_list() if names else [str(i) for i in range(len(frame))]
        others = [c for c in frame.columns if c in ("probability", "last", "beats_output")]
        figure = bars.groups(
            labels, [(c, frame[c].to_list()) for c in others], y_label="probability", mode=context.mode
        )
        show_figure(
            figure,
            name="policy",
            caption="Probability of each item or strategy in the output policy, and what else was recorded of it.",
            rows=frame,
        )
    show_table(frame, name="policy_rows", caption="The recorded rows.")


def _teams(context: Context, frame: pl.DataFrame) -> None:
    wide = frame.with_columns(
        (
            pl.lit("team ") + pl.col("policy").cast(pl.String) + ", weight " + pl.col("weight").round(3).cast(pl.String)
        ).alias("team"),
    ).with_columns((pl.col("team") + ", member " + pl.col("member").cast(pl.String)).alias("row"))
    table = wide.pivot(on="action", index="row", values="probability", maintain_order=True).head(60)
    actions = [c for c in table.columns if c != "row"]
    figure = matrix.heatmap(
        table.select(actions).cast(pl.Float64).to_numpy(),
        rows=table["row"].to_list(),
        columns=actions,
        value_label="probability",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="teams",
        caption="Every team policy with mass in the output: what each member plays. The weights add up to 1.",
        rows=frame,
    )


def short_names(texts: list[str], width: int = 34) -> list[str]:
    """Return infostates in one line, without what all of them begin and end with, at most ``width`` letters."""
    plain = [" ".join(text.split()) for text in texts]
    if len(set(plain)) < 2:
        return [_cut(text, width) for text in plain]
    head = _shared(plain)
    tail = _shared([text[head:][::-1] for text in plain])
    kept = [text[head : len(text) - tail] for text in plain]
    return [_cut(text, width) or "(none)" for text in kept]


def _shared(texts: list[str]) -> int:
    """Return the number of letters with which all texts begin."""
    first, last = min(texts), max(texts)
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def _cut(text: str, width: int) -> str:
    half = (width - 3) // 2
    return text if len(text) <= width else f"{text[:half]}...{text[-half:]}"
