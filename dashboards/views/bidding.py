"""Real-time bidding: results by bidder, bid curves against the fluid optimum, pacing, budgets, prices to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import auctions, bars
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views.auctions import over_time
from equilibria.dashboards.widgets import pick_unit, show_figure, show_table
from equilibria.sim.analysis.facts import facts, finite, metric_facts
from equilibria.sim.store import Run

CURVES: Final = "bid_curves"
PACING: Final = "pacing"
LANDSCAPE: Final = "landscape"
METRICS: Final = ("campaign_clicks", "win_rate", "cpm", "ecpc", "budget_spent", "bid_multiplier")
_PACED: Final = (
    "Budget spent over the last episode, played with the present multipliers. The dotted line spends evenly; a curve "
    "that reaches 100 % early misses the rest of the day."
)
MONEY: Final = "thousandths of a fen"


def build() -> Page:
    """Return the page."""
    return Page(
        title="Real-time bidding",
        section="Worlds",
        icon=":material/ads_click:",
        order=31,
        tables=(CURVES, PACING, LANDSCAPE),
        metrics=METRICS,
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is not None:
        context.follow(run, lambda now: _draw(context, now))


def _draw(context: Context, run: Run) -> None:
    _results(context, run)
    tables = run.tables()
    if CURVES in tables:
        _bid_curves(context, run)
    if PACING in tables:
        _pacing(context, run)
    if LANDSCAPE in tables:
        _landscape(context, run)
    over_time(context, run)
    if not {CURVES, PACING, LANDSCAPE} & set(tables):
        st.info(
            "The scenario records no bidding tables; add `bid_curves`, `pacing` and `landscape` under `tables:`.",
            icon=":material/info:",
        )


def results(run: Run) -> pl.DataFrame:
    """Return one row per bidder: its last metrics, its gain by another linear bid, its share of the bound.

    The share of the budget that is spent is that of the last episode when the metric was not recorded.
    """
    rows: dict[str, dict[str, Any]] = {}
    for value in reader.values(run):
        if value.metric in METRICS and value.key:
            rows.setdefault(value.key, {"bidder": value.key})[value.metric] = value.value
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    details = certificate.get("details")
    for name, column in (("gains", "gain_of_best_reply"), ("share_of_hindsight_bound", "share_of_hindsight_bound")):
        numbers = details.get(name) if isinstance(details, Mapping) else None
        for bidder, number in numbers.items() if isinstance(numbers, Mapping) else ():
            if bidder in rows and (known := finite(number)) is not None:
                rows[bidder][column] = known
    if PACING in run.tables() and not any("budget_spent" in row for row in rows.values()):
        last = reader.at_unit(run, PACING, reader.units(run, PACING)[-1])
        for bidder, spent in last.group_by("bidder").agg(pl.col("spent").max()).rows():
            rows.setdefault(bidder, {"bidder": bidder})["budget_spent"] = spent
    return pl.DataFrame(list(rows.values()), infer_schema_length=None) if rows else pl.DataFrame()


def _results(context: Context, run: Run) -> None:
    frame = results(run)
    if frame.is_empty():
        return
    st.subheader("Results by bidder")
    left, right = st.columns(2)
    names = frame["bidder"].to_list()
    if "campaign_clicks" in frame.columns:
        with left:
            show_figure(
                bars.bars(names, frame["campaign_clicks"].to_list(), y_label="expected clicks won", mode=context.mode),
                name="clicks",
                caption="Expected clicks won so far; higher is better.",
                rows=frame,
            )
    if "budget_spent" in frame.columns:
        with right:
            show_figure(
                bars.bars(
                    names, frame["budget_spent"].to_list(), y_label="share of the budgets spent", mode=context.mode
                ),
                name="budget_use",
                caption="Spend over the budgets of the episodes played (of the last one without that metric). Near 1 is good when money is scarce; nobody "
                "can spend more.",
                rows=frame,
            )
    show_table(
        frame,
        name="bidders",
        caption="Last value of every metric; the gain is what the best linear bid against the same market would add "
        "per episode (0 in equilibrium), the bound is the best in hindsight.",
    )


def _bid_curves(context: Context, run: Run) -> None:
    st.subheader("Bid curves against the fluid optimum")
    unit = pick_unit(run, CURVES, f"Curves at {facts(run).unit}")
    frame = reader.at_unit(run, CURVES, unit, limit=50_000)
    states = frame.select("time_left", "budget_left").unique(maintain_order=True).rows()
    texts = {f"{money:.0%} of the budget, {time:.0%} of the time left": (time, money) for time, money in states}
    shown = st.selectbox("State of the episode", list(texts), key="state", bind="query-params")
    time, money = texts[shown]
    kept = frame.filter((pl.col("time_left") == time) & (pl.col("budget_left") == money))
    names = kept["bidder"].unique(maintain_order=True).to_list()
    series = {n: _xy(kept.filter(pl.col("bidder") == n), "theta", "bid") for n in names}
    theory = kept.group_by("theta").agg(pl.col("theory").mean()).sort("theta")
    wanted = theory["theory"].to_numpy()
    figure = auctions.against(
        series,
        x_label="predicted click probability",
        y_label=f"bid [{MONEY}]",
        reference=(theory["theta"].to_numpy(), wanted) if np.isfinite(wanted).any() else None,
        reference_name="fluid optimum",
        percent=(True, False),
        mode=context.mode,
    )
    figure.update_xaxes(tickformat=".2%")
    show_figure(
        figure,
        name="bid_curves",
        caption="Bid by click probability in the chosen state. The dotted line spends the budget left evenly in "
        "expectation and is optimal when there are many requests; bidders above it run out of money early, those below "
        "it leave money over. Bidders with a table bid more when budget is plentiful; linear ones do not look at it.",
        rows=kept,
    )


def _xy(frame: pl.DataFrame, x: str, y: str) -> tuple[Any, Any]:
    return frame[x].to_numpy(), frame[y].to_numpy()


def _pacing(context: Context, run: Run) -> None:
    st.subheader("Pacing within an episode")
    unit = pick_unit(run, PACING, f"Pacing at {facts(run).unit}")
    frame = reader.at_unit(run, PACING, unit, limit=50_000)
    length = max(1, int(frame["request"].max()))  # type: ignore[arg-type]
    frame = frame.with_columns((pl.col("request") / length).alias("time"))
    names = frame["bidder"].unique(maintain_order=True).to_list()
    even = np.array([0.0, 1.0])
    for column, label, caption, reference in (
        (
            "spent",
            "share of the budget spent",
            _PACED,
            (even, even),
        ),
        ("won", "share of requests won so far", "Requests won up to each point of the episode.", None),
    ):
        series = {n: _xy(frame.filter(pl.col("bidder") == n), "time", column) for n in names}
        figure = auctions.against(
            series,
            x_label="share of the episode",
            y_label=label,
            reference=reference,
            reference_name="even spending",
            percent=(True, True),
            mode=context.mode,
        )
        show_figure(figure, name=f"pacing_{column}", caption=caption, rows=frame)


def _landscape(context: Context, run: Run) -> None:
    st.subheader("Prices to beat")
    unit = pick_unit(run, LANDSCAPE, f"Prices at {facts(run).unit}")
    frame = reader.at_unit(run, LANDSCAPE, unit, limit=50_000)
    names = frame["stream"].unique(maintain_order=True).to_list()
    series = {n: _xy(frame.filter(pl.col("stream") == n), "price", "win_probability") for n in names}
    figure = auctions.against(
        series,
        x_label=f"bid [{MONEY}]",
        y_label="chance to win",
        percent=(False, True),
        steps=True,
        mode=context.mode,
    )
    show_figure(
        figure,
        name="landscape",
        caption="The chance to win by the bid. In a market every bidder meets prices of its own, made by the others; the "
        "further right a curve, the dearer the traffic. Training is what bidders knew beforehand.",
        rows=frame,
    )
    cpm = [v for v in reader.values(run) if v.metric == "cpm" and v.key]
    if cpm:
        figure = bars.bars(
            [v.key for v in cpm], [v.value for v in cpm], y_label=metric_facts(run, "cpm").label, mode=context.mode
        )
        show_figure(figure, name="prices_paid", caption="Mean price paid per thousand impressions; lower is cheaper.")
