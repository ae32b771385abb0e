"""The meta-game of a population method: payoffs between policies, the mixture over time, alpha-rank."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import graphs, matrix
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import show_figure
from equilibria.games.analysis.alpharank import alpha_rank
from equilibria.sim.errors import EquilibriaError
from equilibria.sim.store import Run
from equilibria.sim.types import FloatArray

GAME: Final = "meta_game"
STRATEGY: Final = "meta_strategy"
MAX_PROFILES: Final = 900
SHOWN_PROFILES: Final = 14


def build() -> Page:
    """Return the page."""
    return Page(
        title="Meta-game",
        section="Equilibrium",
        icon=":material/apps:",
        order=2,
        tables=(GAME, STRATEGY),
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is None:
        return
    if STRATEGY in run.tables():
        _mixtures(context, run)
    if GAME in run.tables():
        _payoffs(context, run)


def _mixtures(context: Context, run: Run) -> None:
    st.subheader("Meta-strategy over iterations")
    frame = reader.rows(run, STRATEGY, limit=200_000)
    left, right = st.columns(2)
    player = left.selectbox("Player", sorted(frame["player"].unique()), key="player", bind="query-params")
    purposes = sorted(frame["purpose"].unique())
    purpose = right.selectbox("Mixture", purposes, key="mixture", bind="query-params")
    chosen = frame.filter((pl.col("player") == player) & (pl.col("purpose") == purpose))
    units = sorted(chosen["unit"].unique())
    size = int(chosen["policy"].max()) + 1 if len(chosen) else 0  # type: ignore[arg-type]
    table = np.full((size, len(units)), np.nan)
    place = {u: i for i, u in enumerate(units)}
    table[chosen["policy"].to_numpy(), [place[u] for u in chosen["unit"]]] = chosen["probability"].to_numpy()
    small, width = matrix.shrink(table)
    figure = matrix.mixture_over_time(
        small,
        units=units[::width],
        names=[f"policy {p}" for p in range(0, size, width)],
        x_label="iteration",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="meta_strategy",
        caption="Each column is the mixture at that iteration, each row a policy from the iteration it joined. Mass "
        "that moves to new rows means that the population is still growing stronger."
        + (f" Shown as means of {width} x {width} cells." if width > 1 else ""),
        rows=chosen,
    )


def payoff_tensors(frame: pl.DataFrame) -> list[FloatArray]:
    """Return one payoff tensor per player from the rows of the table ``meta_game``; NaN where not evaluated."""
    players = sum(c.startswith("policy_") for c in frame.columns)
    index = tuple(frame[f"policy_{p}"].to_numpy() for p in range(players))
    shape = tuple(int(i.max()) + 1 if len(i) else 0 for i in index)
    found = []
    for p in range(players):
        tensor = np.full(shape, np.nan)
        tensor[index] = frame[f"payoff_{p}"].to_numpy()
        found.append(tensor)
    return found


def _payoffs(context: Context, run: Run) -> None:
    st.subheader("Payoffs between policies")
    frame = reader.rows(run, GAME, limit=400_000)
    tensors = payoff_tensors(frame)
    if len(tensors) != 2:
        st.info(f"The matrix view shows games of two players; this one has {len(tensors)}.", icon=":material/info:")
    else:
        small, width = matrix.shrink(tensors[0])
        figure = matrix.heatmap(
            small,
            rows=[f"{p}" for p in range(0, tensors[0].shape[0], width)],
            columns=[f"{p}" for p in range(0, tensors[0].shape[1], width)],
            row_label="policy of player 0",
            column_label="policy of player 1",
            value_label="payoff of player 0",
            diverging=True,
            mode=context.mode,
        )
        show_figure(
            figure,
            name="payoffs",
            caption="Expected payoff of player 0; colours are centred at 0. A row that is warm throughout dominates.",
            rows=frame,
        )
    _ranking(context, tensors)


def _ranking(context: Context, tensors: list[FloatArray]) -> None:
    st.subheader("Alpha-rank")
    newest = [t[tuple(slice(max(0, n - _side(t)), n) for n in t.shape)] for t in tensors]
    first = [max(0, n - _side(tensors[0])) for n in tensors[0].shape]
    if not newest or not newest[0].size or any(not np.isfinite(t).all() for t in newest):
        st.info("Some joint profiles have not been evaluated; alpha-rank needs all of them.", icon=":material/info:")
        return
    try:
        mass = alpha_rank(newest).distribution
    except EquilibriaError as error:
        st.info(f"Alpha-rank is not available: {error}", icon=":material/info:")
        return
    order = np.argsort(-mass, axis=None)[:SHOWN_PROFILES]
    profiles = [tuple(int(i) for i in np.unravel_index(k, mass.shape)) for k in order]
    names = [", ".join(str(i + f) for i, f in zip(profile, first, strict=True)) for profile in profiles]
    values = np.array([mass[p] for p in profiles])
    figure = graphs.response_graph(names, values, better_replies(newest, profiles), mode=context.mode)
    rows = pl.DataFrame({"profile": names, "mass": values})
    show_figure(
        figure,
        name="alpha_rank",
        caption=f"The {len(names)} of {mass.size:,} joint profiles (policy of each player) with the greatest long-run mass "
        f"under alpha-rank, together {values.sum():.1%}; arrows are "
        "single deviations that gain. All mass on one profile without outgoing arrows is a strict Nash equilibrium; "
        "a cycle shares its mass.",
        rows=rows,
    )


def _side(tensor: FloatArray) -> int:
    """Return how many of the newest policies per player are ranked."""
    return max(2, int(MAX_PROFILES ** (1.0 / tensor.ndim)))


def better_replies(tensors: list[FloatArray], profiles: list[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return the pairs of listed profiles that differ in one player's policy, to whom the second pays more."""
    found = []
    for a, start in enumerate(profiles):
        for b, end in enumerate(profiles):
            moved = [p for p, (i, j) in enumerate(zip(start, end, strict=True)) if i != j]
            if len(moved) == 1 and tensors[moved[0]][end] > tensors[moved[0]][start] + 1e-12:
                found.append((a, b))
    return found
