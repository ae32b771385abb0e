"""Auctions: learned bids against theory, losses by type, the optimal menu of a learned mechanism."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import auctions, lines
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views import ad_markets
from equilibria.dashboards.widgets import certificate_box, curve_rows, pick_unit, show_figure, show_table
from equilibria.sim.analysis.facts import facts, metric_facts
from equilibria.sim.store import Run

BIDS: Final = "bids"
MENU: Final = "menu"
MAX_BIDDERS: Final = 6
MAX_KEYS: Final = 100
METRICS: Final = (
    "auction_nash_conv",
    "auction_revenue",
    "interim_loss",
    "bid_error",
    "menu_revenue",
    "auction_regret",
    *ad_markets.METRICS,
)
_BID_COLUMNS: Final = {"player", "value", "mean_bid", "theory"}


def build() -> Page:
    """Return the page."""
    return Page(
        title="Auctions",
        section="Worlds",
        icon=":material/gavel:",
        order=30,
        tables=(BIDS, MENU),
        metrics=METRICS,
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is not None:
        context.follow(run, lambda now: _draw(context, now))


def _draw(context: Context, run: Run) -> None:
    certificate_box(run)
    tables = run.tables()
    if BIDS in tables and set(reader.columns(run, BIDS)) >= _BID_COLUMNS:
        _bids(context, run)
    if MENU in tables:
        _menu(context, run)
    ad_markets.draw(context, run)
    over_time(context, run)


def _bids(context: Context, run: Run) -> None:
    st.subheader("Bids against theory")
    unit = pick_unit(run, BIDS, f"Bids at {facts(run).unit}")
    frame = reader.at_unit(run, BIDS, unit, limit=50_000)
    players = sorted(frame["player"].unique())[:MAX_BIDDERS]
    series = {f"bidder {p}": _xy(frame, int(p), "mean_bid") for p in players}
    theories = {f"bidder {p}": _xy(frame, int(p), "theory") for p in players}
    first = next(iter(theories.values()))
    alike = all(len(y) == len(first[1]) and np.allclose(y, first[1], equal_nan=True) for _, y in theories.values())
    known = bool(np.isfinite(first[1]).any())
    if known and not alike:
        series |= {f"theory of {name}": xy for name, xy in theories.items() if np.isfinite(xy[1]).any()}
    figure = auctions.against(
        series,
        x_label="value [money]",
        y_label="mean bid [money]",
        reference=first if known and alike else None,
        reference_name="equilibrium in closed form",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="bids",
        caption="Mean bid of each type. "
        + ("Learning has recovered the equilibrium where the lines lie on the dotted one. " if known else "")
        + ("No closed form is known for this auction. " if not known else "")
        + "Types that almost never win may lie off it: their bids do not matter.",
        rows=frame,
    )
    if "interim_loss" in frame.columns:
        losses = {f"bidder {p}": _xy(frame, int(p), "interim_loss") for p in players}
        figure = auctions.against(
            losses, x_label="value [money]", y_label="interim loss [money per auction]", mode=context.mode
        )
        show_figure(
            figure,
            name="interim_loss_by_type",
            caption="What each type would still gain by its best bid; 0 for all types is a Bayes-Nash equilibrium.",
            rows=frame,
        )


def _xy(frame: pl.DataFrame, player: int, column: str) -> tuple[np.ndarray, np.ndarray]:
    mine = frame.filter(pl.col("player") == player).sort("value")
    return mine["value"].to_numpy(), mine[column].to_numpy().astype(np.float64)


def _menu(context: Context, run: Run) -> None:
    st.subheader("The menu")
    unit = pick_unit(run, MENU, f"Menu at {facts(run).unit}")
    frame = reader.at_unit(run, MENU, unit, limit=5_000)
    columns = sorted(c for c in frame.columns if c.startswith("share_"))
    if not columns or "price" not in frame.columns or frame.is_empty():
        st.info("No option of the menu is bought at this point.", icon=":material/info:")
        return
    shares, prices = frame.select(columns).to_numpy().astype(np.float64), frame["price"].to_numpy().astype(np.float64)
    names = [f"item {k + 1}" for k in range(len(columns))]
    if len(columns) == 2:
        left, right = st.columns(2)
        for k, place in enumerate((left, right)):
            with place:
                show_figure(
                    auctions.menu_regions(shares, prices, item=k, mode=context.mode),
                    name=f"regions_{k}",
                    caption=f"Share of {names[k]} that a bidder takes, by its two values (both from 0 to 1). "
                    "Dark: nothing; sharp edges are posted prices, in-between colours are lotteries.",
                )
    show_figure(
        auctions.menu_options(shares, prices, names=names, mode=context.mode),
        name="menu_options",
        caption="The options that somebody buys. Shares of 0 or 1 are plain prices, others are lotteries.",
        rows=frame,
    )
    show_table(frame.drop("unit").head(200), name="menu_rows", caption="The menu.")


def over_time(context: Context, run: Run, *, key: str = "metric") -> None:
    """Show one recorded metric over time, one line per key."""
    found = reader.values(run)
    metrics = list(dict.fromkeys(v.metric for v in found))
    if not metrics:
        return
    st.subheader("Over time")
    metric = st.selectbox("Metric", metrics, key=key, bind="query-params")
    keys = [v.key for v in found if v.metric == metric][:MAX_KEYS]
    curves = [reader.curve(run, metric, k, name=k or metric, max_points=800) for k in keys]
    curves = [c for c in curves if len(c)]
    merged = len(curves) > ad_markets.MAX_BIDDERS
    curves = ad_markets.by_kind(curves)[: ad_markets.MAX_BIDDERS] if merged else curves
    if not curves:
        return
    about, unit = metric_facts(run, metric), facts(run).unit
    better = {"lower": " Lower is better.", "higher": " Higher is better."}.get(about.direction, "")
    show_figure(
        lines.curves(curves, x_label=unit, y_label=about.label, log=about.log, mode=context.mode),
        name=f"over_time_{metric}",
        caption=f"{about.label} over {unit}s.{better}"
        + (" Mean over the bidders of a kind; the band runs from the least to the greatest." if merged else ""),
        rows=lambda: curve_rows(curves, unit),
    )
