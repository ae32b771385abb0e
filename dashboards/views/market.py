"""Order markets: price against value, spread, depth, activity and profit by kind of trader, facts of price changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, lines, markets
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views import price_changes
from equilibria.dashboards.views.groups import (
    Groups,
    certificates,
    choose,
    interval_rows,
    of_run,
    pick_member,
    settings_of_game,
)
from equilibria.dashboards.views.price_changes import FACTS, PRICE
from equilibria.dashboards.widgets import curve_rows, pick_unit, show_figure
from equilibria.sim.analysis.facts import finite, metric_facts
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run
from equilibria.sim.types import FloatArray

SPREAD: Final = "market_spread"
FLOW: Final = "market_activity"
PROFIT: Final = "trader_profit"
BY_KIND: Final = "trader_activity"
DEPTH: Final = "depth"
AGENTS: Final = "agents"
METRICS: Final = (PRICE, SPREAD, FLOW, PROFIT, BY_KIND, FACTS)
KINDS: Final = ("noise", "value", "momentum", "maker", "zero", "outside")
_WHOLE: Final = {"exponentformat": "none", "tickformat": ",", "nticks": 6}
_FLOWS: Final = ("events", "trades", "cancelled", "volume")
_ACTIONS: Final = ("orders", "cancellations", "trades", "shares")


def build() -> Page:
    """Return the page."""
    return Page(
        title="Order market",
        section="Worlds",
        icon=":material/candlestick_chart:",
        order=32,
        tables=(DEPTH,),
        metrics=METRICS,
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    groups = choose(context)
    if groups is None:
        return
    if groups.sweep:
        certificates(context, groups)
        _compare(context, groups)
        st.divider()
        _market(context, pick_member(context, groups))
    else:
        context.follow(groups.first, lambda run: _run(context, run))


def _run(context: Context, run: Run) -> None:
    certificates(context, of_run(run))
    _market(context, run)


def _market(context: Context, run: Run) -> None:
    if not any(v.metric in METRICS for v in reader.values(run)) and DEPTH not in run.tables():
        st.info("Nothing has been recorded yet.", icon=":material/hourglass_empty:")
        return
    _conserved(run)
    _price(context, run)
    _spread(context, run)
    if DEPTH in run.tables():
        _depth(context, run)
    _flows(context, run)
    _kinds(context, run)
    price_changes.draw(context, run, period(run))


def period(run: Run) -> float:
    """Return the length of a period in seconds."""
    return finite(settings_of_game(run).get("period")) or 1.0


def _time(run: Run) -> str:
    length = period(run)
    return "time [s]" if length == 1.0 else f"period [{length:g} s]"


def _conserved(run: Run) -> None:
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    details = certificate.get("details")
    if not isinstance(details, Mapping) or "cash_created" not in details:
        return
    st.caption(
        f"Cash created: {details['cash_created']} cents; shares created: {details.get('shares_created')}; books seen "
        f"with a bid at or above the ask: {details.get('crossed')}. All three must be 0."
    )


def _present(run: Run, metric: str, keys: tuple[str, ...], **names: str) -> list[Curve]:
    found = [reader.curve(run, metric, key, name=names.get(key, key)) for key in keys]
    return [c for c in found if len(c)]


def _price(context: Context, run: Run) -> None:
    curves = _present(run, PRICE, ("mid", "fundamental"), mid="mid price", fundamental="fundamental value")
    if not curves:
        return
    st.subheader("Price and value")
    figure = lines.curves(curves, x_label=_time(run), y_label="price [cents]", mode=context.mode)
    figure.update_layout(yaxis={"tickformat": ","})
    show_figure(
        figure,
        name="price",
        caption="Mid price and the fundamental value that nobody in the market knows exactly. The closer, the more the "
        "price tells; the certificate is the mean distance.",
        rows=lambda: curve_rows(curves, "period"),
    )


def _spread(context: Context, run: Run) -> None:
    curve = reader.curve(run, SPREAD, name="spread")
    if not len(curve):
        return
    figure = lines.curves([curve], x_label=_time(run), y_label="spread [cents]", log=True, mode=context.mode)
    figure.update_layout(height=300, yaxis={"exponentformat": "none"})
    show_figure(
        figure,
        name="spread",
        caption=f"Best ask minus best bid, {curve.mean.mean():.3g} cents on average; missing while a side of the book is "
        "empty. One cent is the least.",
        rows=lambda: curve_rows([curve], "period"),
    )


def _depth(context: Context, run: Run) -> None:
    unit = pick_unit(run, DEPTH, "Book at period")
    frame = reader.at_unit(run, DEPTH, unit, limit=10_000)
    if frame.is_empty():
        st.info(f"No order rests at period {unit:,}.", icon=":material/info:")
        return
    buy, sell = (_side(frame, side) for side in (1, -1))
    show_figure(
        markets.depth(buy, sell, mode=context.mode),
        name="depth",
        caption=f"What can be sold (left) and bought (right) at once at period {unit:,}, up to a price; at most the 50 "
        "best prices of each side.",
        rows=frame,
    )


def _side(frame: pl.DataFrame, side: int) -> tuple[FloatArray, FloatArray]:
    mine = frame.filter(pl.col("side") == side)
    return mine["tick"].to_numpy().astype(np.float64), mine["quantity"].to_numpy().astype(np.float64)


def rate(curve: Curve, length: float) -> Curve:
    """Return a running total as its mean rate per second between recorded periods of ``length`` seconds.

    The total is taken as 0 at period 0; a record of period 0 itself has no rate.
    """
    unit = np.concatenate([[0], curve.unit])
    total = np.concatenate([[0.0], curve.mean])
    step = np.diff(unit)
    keep = step > 0
    per_second = np.diff(total)[keep] / (step[keep] * length)
    return Curve(
        name=curve.name, unit=curve.unit[keep], mean=per_second, low=per_second, high=per_second, rows=len(per_second)
    )


def _flows(context: Context, run: Run) -> None:
    found = [
        rate(c, period(run)) for c in _present(run, FLOW, _FLOWS, volume="shares traded", cancelled="cancellations")
    ]
    curves, volume = [c for c in found if c.name != "shares traded"], [c for c in found if c.name == "shares traded"]
    if not curves and not volume:
        return
    st.subheader("Activity")
    left, right = st.columns(2)
    for place, shown, label, name, caption in (
        (left, curves, "per second", "activity", "Events of the book, trades and cancellations per second."),
        (right, volume, "shares per second", "volume", "Shares traded per second."),
    ):
        if shown:
            with place:
                figure = lines.curves(shown, x_label=_time(run), y_label=label, mode=context.mode)
                figure.update_layout(height=380, yaxis={"rangemode": "tozero"})
                show_figure(figure, name=name, caption=caption, rows=curve_rows(shown, "period"))


def _kinds(context: Context, run: Run) -> None:
    profits = _present(run, PROFIT, KINDS)
    acts = activity_rows(run)
    people = AGENTS in run.tables() and {"kind", "profit"} <= set(reader.columns(run, AGENTS))
    if not profits and acts.is_empty() and not people:
        return
    st.subheader("Kinds of trader")
    if not acts.is_empty():
        _acts(context, acts)
    if profits:
        figure = lines.curves(profits, x_label=_time(run), y_label="mean profit [cents per trader]", mode=context.mode)
        figure.update_layout(yaxis=_WHOLE)
        show_figure(
            figure,
            name="profit",
            caption="Mean profit of a trader by kind so far, shares valued at the mid price; higher is better. What one "
            "kind wins others lose.",
            rows=lambda: curve_rows(profits, "period"),
        )
    if people:
        _people(context, run)


def activity_rows(run: Run) -> pl.DataFrame:
    """Return the last counts of every kind of trader: kind, orders, cancellations, trades, shares."""
    rows: dict[str, dict[str, Any]] = {}
    for value in reader.values(run):
        kind, _, count = value.key.rpartition("_")
        if value.metric == BY_KIND and count in _ACTIONS:
            rows.setdefault(kind, {"kind": kind})[count] = value.value
    kinds = [*(k for k in KINDS if k in rows), *(k for k in rows if k not in KINDS)]
    return pl.DataFrame([rows[k] for k in kinds]) if rows else pl.DataFrame()


def _acts(context: Context, frame: pl.DataFrame) -> None:
    names = frame["kind"].to_list()
    shown = [c for c in _ACTIONS if c in frame.columns and frame[c].sum() > 0]
    series = [(k, [frame[c][i] / frame[c].sum() for c in shown]) for i, k in enumerate(names)]
    figure = bars.groups(shown, series, y_label="share of the total", mode=context.mode)
    figure.update_layout(yaxis={"tickformat": ".0%"})
    show_figure(
        figure,
        name="activity_by_kind",
        caption="Who does what: share of all orders sent, orders cancelled, trades (each counts for both sides) and shares "
        "traded by kind, over the whole run so far.",
        rows=frame,
    )


def people_rows(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return median, 5 % and 95 % quantile of a column over traders by kind: kind, traders, median, low, high."""
    rows = []
    for number, name in enumerate(KINDS):
        values = frame.filter(pl.col("kind") == number)[column].cast(pl.Float64).to_numpy()
        if len(values):
            low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
            rows.append({"kind": name, "traders": len(values), "median": median, "low": low, "high": high})
    return pl.DataFrame(rows) if rows else pl.DataFrame()


def _people(context: Context, run: Run) -> None:
    unit = pick_unit(run, AGENTS, "Traders at period")
    frame = reader.at_unit(run, AGENTS, unit)
    for place, (column, label) in zip(
        st.columns(2), {"profit": "profit [cents]", "shares": "shares held"}.items(), strict=True
    ):
        rows = people_rows(frame, column) if column in frame.columns else pl.DataFrame()
        if rows.is_empty():
            continue
        with place:
            figure = bars.intervals(
                rows["kind"].to_list(), rows["median"].to_list(), rows["low"].to_list(), rows["high"].to_list(),
                x_label=label, zero=True, mode=context.mode,
            )  # fmt: skip
            figure.update_layout(xaxis=_WHOLE)
            show_figure(
                figure,
                name=f"traders_{column}",
                caption=f"Median and 5 % to 95 % of the recorded traders of each kind at period {unit:,}.",
                rows=rows,
            )


def _quantities(groups: Groups) -> dict[str, tuple[str, str]]:
    """Return what settings can be compared by: text to (metric, key)."""
    found = {"spread [cents]": (SPREAD, "")} if groups.recorded(SPREAD) else {}
    found |= {f"profit of a {k} trader [cents]": (PROFIT, k) for k in groups.keys(PROFIT)}
    return found | {price_changes.NAMES.get(k, k): (FACTS, k) for k in groups.keys(FACTS)}


def _number(run: Run, metric: str, key: str) -> float | None:
    if metric == SPREAD:
        curve = reader.curve(run, metric, key)
        return float(curve.mean.mean()) if len(curve) else None
    return next((v.value for v in reader.values(run) if (v.metric, v.key) == (metric, key)), None)


def _compare(context: Context, groups: Groups) -> None:
    offered = _quantities(groups)
    if not offered:
        return
    shown = st.selectbox("Compare by", list(offered), key="by", bind="query-params")
    metric, key = offered[shown]
    numbers = {
        label: [v for s in samples if (v := _number(s.run, metric, key)) is not None]
        for label, samples in groups.samples.items()
    }
    frame = interval_rows(numbers)
    if frame.is_empty():
        return
    figure = bars.intervals(
        frame["setting"].to_list(), frame["value"].to_list(), frame["low"].to_list(), frame["high"].to_list(),
        x_label=shown, mode=context.mode,
    )  # fmt: skip
    better = {"higher": " Further right is better.", "lower": " Further left is better."}
    about = metric_facts(groups.first, metric)
    show_figure(
        figure,
        name="compare",
        caption="Mean over seeds with its 95 % bootstrap interval"
        + (" (of the run's mean)." if metric == SPREAD else " of the last value.")
        + better.get(about.direction, ""),
        rows=frame,
    )
