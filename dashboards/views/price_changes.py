"""The part of the market page on price changes: tails against the normal law, memory, clusters, recorded facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import markets
from equilibria.dashboards.page import Context
from equilibria.dashboards.widgets import show_figure, show_table
from equilibria.sim.store import Run
from equilibria.sim.types import FloatArray

PRICE: Final = "market_price"
FACTS: Final = "price_facts"
LEAST_CHANGES: Final = 30
NAMES: Final = {
    "deviation": "standard deviation [cents]",
    "excess_kurtosis": "excess kurtosis (0: normal)",
    "memory": "autocorrelation of changes (0: no memory)",
    "clustering": "autocorrelation of absolute changes (0: no clusters)",
}


def mid_prices(run: Run) -> tuple[int, FloatArray]:
    """Return the recorded mid prices at equal steps: periods between records, and the prices [T] of the longest stretch.

    Prices are missing while a side of the book has never been quoted; what comes after a gap is kept when it is longer.
    """
    unit, price = reader.series(run, PRICE, "mid")
    if len(unit) < 2:
        return 1, price
    gaps = np.diff(unit)
    step = int(np.median(gaps))
    ends = np.concatenate([[0], np.flatnonzero(gaps != step) + 1, [len(unit)]])
    longest = int(np.diff(ends).argmax())
    return step, price[ends[longest] : ends[longest + 1]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is known of the changes of the recorded mid price.

    Attributes:
        count: Number of changes.
        step: Periods between them.
        kurtosis: Excess kurtosis, 0 for normal changes.
        density: See ``figures.markets.change_density``.
        memory: Autocorrelations of changes by lag.
        clustering: Autocorrelations of absolute changes by lag.
    """

    count: int
    step: int
    kurtosis: float
    density: tuple[FloatArray, FloatArray, FloatArray]
    memory: FloatArray
    clustering: FloatArray


def changes_of(run: Run) -> Changes | None:
    """Describe the changes of the recorded mid price; ``None`` with fewer than 30 of them or none that differ."""
    step, price = mid_prices(run)
    change = np.diff(price)
    if len(change) < LEAST_CHANGES or not np.ptp(change) > 0:
        return None
    z = change - change.mean()
    return Changes(
        count=len(change),
        step=step,
        kurtosis=float((z**4).mean() / (z**2).mean() ** 2 - 3.0),
        density=markets.change_density(change),
        memory=markets.autocorrelation(change),
        clustering=markets.autocorrelation(np.abs(change)),
    )


def draw(context: Context, run: Run, period: float) -> None:
    """Draw what is known of price changes; ``period`` is the length of a period in seconds."""
    recorded = [v for v in reader.values(run) if v.metric == FACTS]
    found = reader.cached(run, "metrics", "price changes", lambda: changes_of(run))
    if not recorded and found is None:
        return
    st.subheader("Price changes")
    if found is not None:
        _shape(context, found, period)
    else:
        st.info(f"Fewer than {LEAST_CHANGES} price changes have been recorded.", icon=":material/info:")
    if recorded:
        frame = pl.DataFrame(
            {"fact": [NAMES.get(v.key, v.key) for v in recorded], "value": [v.value for v in recorded]}
        )
        caption = "Facts of mid-price changes over the whole run, as the metric recorded them."
        show_table(frame, name="facts", caption=caption)


def _shape(context: Context, found: Changes, period: float) -> None:
    seconds = found.step * period
    left, right = st.columns(2)
    with left:
        show_figure(
            markets.changes(found.density, count=found.count, mode=context.mode),
            name="changes",
            caption=f"{found.count:,} changes over {seconds:g} s, excess kurtosis {found.kurtosis:.3g}. Points above the "
            "dotted line far from 0 are heavy tails, as in real prices.",
        )
    with right:
        lags = {"changes": found.memory, "absolute changes": found.clustering}
        show_figure(
            markets.memory(lags, band=1.96 / np.sqrt(found.count), step=f"{seconds:g} s", mode=context.mode),
            name="memory",
            caption="Real prices have hardly any memory of changes, but their sizes come in clusters: the second line stays "
            "above the grey band of independent changes.",
        )
