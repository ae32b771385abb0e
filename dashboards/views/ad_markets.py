"""The part of the auctions page on simulated advertising markets: who gets the welfare, results by bidder and by kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, lines
from equilibria.dashboards.page import Context
from equilibria.dashboards.widgets import curve_rows, show_figure, show_table
from equilibria.sim.analysis.curves import combined
from equilibria.sim.analysis.facts import facts, finite, metric_facts
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run

TOTALS: Final = "market_totals"
BY_BIDDER: Final = (
    "mean_score",
    "bidder_score",
    "expected_score",
    "conversions",
    "cpa",
    "budget_use",
    "net_utility",
    "gross_utility",
    "shading",
    "ctr_rmse",
    "ctr_bias",
    "allocation_regret",
    "estimation_regret",
    "overbid_regret",
    "underbid_regret",
)
METRICS: Final = (TOTALS, *BY_BIDDER)
MAX_BIDDERS: Final = 12
_DETAILS: Final = {
    "gains": "gain_of_best_reply",
    "best_factor": "best_constant_factor",
    "best_multiplier": "best_constant_multiplier",
}
_NUMBERED: Final = re.compile(r"(.+)_\d+")


def kind_of(label: str) -> str:
    """Return the kind of a bidder: its label without its number, ``auto_pid`` for ``auto_pid_12``."""
    found = _NUMBERED.fullmatch(label)
    return found.group(1) if found else label


def draw(context: Context, run: Run) -> None:
    """Draw the market and its bidders, if that was recorded."""
    recorded = {v.metric for v in reader.values(run)}
    if TOTALS in recorded:
        _totals(context, run)
    if recorded & set(BY_BIDDER):
        _bidders(context, run)


def _totals(context: Context, run: Run) -> None:
    curves = [c for k in ("welfare", "revenue", "surplus") if len(c := reader.curve(run, TOTALS, k, name=k))]
    if not curves:
        return
    st.subheader("Who gets the welfare")
    unit = facts(run).unit
    show_figure(
        lines.curves(curves, x_label=unit, y_label=metric_facts(run, TOTALS).label, mode=context.mode),
        name="totals",
        caption="Welfare is the value of all clicks; revenue is the part that is paid, surplus the part that bidders keep. "
        "Shading moves welfare from the seller to the bidders; learning click rates makes it larger.",
        rows=lambda: curve_rows(curves, unit),
    )


def bidder_rows(run: Run) -> pl.DataFrame:
    """Return one row per bidder: bidder, kind, its last metrics, and what its certificate says about it."""
    rows: dict[str, dict[str, Any]] = {}
    for value in reader.values(run):
        if value.metric in BY_BIDDER and value.key:
            row = rows.setdefault(value.key, {"bidder": value.key, "kind": kind_of(value.key)})
            row[value.metric] = value.value
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    details = certificate.get("details")
    for name, column in _DETAILS.items():
        numbers = details.get(name) if isinstance(details, Mapping) else None
        for bidder, number in numbers.items() if isinstance(numbers, Mapping) else ():
            if bidder in rows and (known := finite(number)) is not None:
                rows[bidder][column] = known
    return pl.DataFrame(list(rows.values()), infer_schema_length=None) if rows else pl.DataFrame()


def kind_rows(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return median, least and greatest value of a column over the bidders of a kind: kind, bidders, median, low, high."""
    known = frame.filter(pl.col(column).is_not_null() & pl.col(column).is_finite())
    return known.group_by("kind", maintain_order=True).agg(
        pl.len().alias("bidders"),
        pl.col(column).median().alias("median"),
        pl.col(column).min().alias("low"),
        pl.col(column).max().alias("high"),
    )


def _bidders(context: Context, run: Run) -> None:
    frame = bidder_rows(run)
    if frame.is_empty():
        return
    st.subheader("Bidders")
    columns = [c for c in frame.columns if c not in ("bidder", "kind")]
    shown = st.selectbox("Quantity", columns, key="quantity", bind="query-params")
    label = metric_facts(run, shown).label if shown in BY_BIDDER else shown.replace("_", " ")
    if len(frame) <= MAX_BIDDERS:
        known = frame.filter(pl.col(shown).is_not_null())
        values = known[shown].to_list()
        figure = bars.intervals(known["bidder"].to_list(), values, values, values, x_label=label, mode=context.mode)
        caption = "Last value of every bidder."
    else:
        kinds = kind_rows(frame, shown)
        figure = bars.intervals(
            [f"{kind} ({count})" for kind, count in zip(kinds["kind"], kinds["bidders"], strict=True)],
            kinds["median"].to_list(),
            kinds["low"].to_list(),
            kinds["high"].to_list(),
            x_label=label,
            mode=context.mode,
        )
        caption = "Median, least and greatest last value over the bidders of a kind, their number in parentheses."
    better = {"lower": " Further left is better.", "higher": " Further right is better."}
    direction = metric_facts(run, shown).direction if shown in BY_BIDDER else "none"
    show_figure(figure, name="bidders", caption=caption + better.get(direction, ""), rows=frame)
    show_table(
        frame,
        name="bidder_rows",
        caption="Last metrics by bidder; the gain is what its best constant factor or multiplier would add against the same "
        "rivals (0 in equilibrium).",
    )


def by_kind(curves: list[Curve]) -> list[Curve]:
    """Return one curve per kind of bidder: the mean, with the range of its bidders as band."""
    kinds: dict[str, list[Curve]] = {}
    for curve in curves:
        kinds.setdefault(kind_of(curve.name), []).append(curve)
    merged = [combined(members, name) for name, members in kinds.items()]
    return [c for c in merged if len(c) and np.isfinite(c.mean).any()]
