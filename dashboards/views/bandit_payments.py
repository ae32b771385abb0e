"""The part of the page on payments: authorisation rates by generation, swings, exploration, off-policy values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import bars, lines, matrix, scatter
from equilibria.dashboards.look import colours
from equilibria.dashboards.page import Context
from equilibria.dashboards.views.groups import Groups, interval_rows
from equilibria.dashboards.widgets import curve_rows, show_figure
from equilibria.sim.analysis.colours import PALETTE
from equilibria.sim.analysis.curves import combined
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run

ACTIONS: Final = "actions"
RATE: Final = "authorisation_rate"
ESTIMATE: Final = "uniform_estimate"
METRICS: Final = (RATE, "payment_regret", "payment_regret_total", "exploration", "model_error", ESTIMATE)
GENERATION: Final = "generation"
BEST, UNIFORM = "best feasible action", "uniform actions"
_RATES: Final = {
    "policy": "the policy that acted",
    "greedy": "the actions predicted best",
    "realised": "realised outcomes",
}
_SCALES: Final = ("rate", "above uniform actions")
_GENERATIONS: Final = {"tickformat": "d", "nticks": 12}
_LEARNT: Final = 2
"""Generation from which rules differ: the first one has no model and acts uniformly under every rule."""


def compare(context: Context, groups: Groups) -> bool:
    """Draw what settings are compared by; returns whether something was there."""
    drawn = False
    if groups.recorded(RATE):
        st.subheader("Authorisation rate")
        _rates(context, groups)
        _swings(context, groups)
        drawn = True
    if groups.recorded("exploration"):
        _explored(context, groups)
        drawn = True
    if groups.recorded(RATE) and groups.recorded(ESTIMATE) and len(groups.samples) > 1:
        _price_of_knowledge(context, groups)
    return drawn


def details(context: Context, run: Run) -> None:
    """Draw what one run has: off-policy values with intervals, actions by generation."""
    if any(v.metric == ESTIMATE for v in reader.values(run)):
        _estimates(context, run)
    if ACTIONS in run.tables():
        _actions(context, run)


def _rates(context: Context, groups: Groups) -> None:
    left, right = st.columns(2)
    keys = {text: key for key, text in _RATES.items() if key in groups.keys(RATE)}
    shown = left.selectbox("Rate of", list(keys), key="rate", bind="query-params")
    scale = right.segmented_control(
        "Shown as", _SCALES, default=_SCALES[groups.sweep], key="scale", bind="query-params", required=True
    )
    if scale == _SCALES[0]:
        _plain_rates(context, groups, keys[shown])
    else:
        _gained(context, groups, keys[shown])


def _plain_rates(context: Context, groups: Groups, key: str) -> None:
    curves = groups.curves(RATE, key)
    references = [c for k, name in (("best", BEST), ("uniform", UNIFORM)) for c in reference(groups, k, name)]
    drawn = [*curves, *references]
    figure = _against_references(drawn, curves, f"{RATE} [per transaction]", context)
    missing = "" if references else " Best and uniform actions differ between these settings and are not drawn."
    show_figure(
        figure,
        name="rates",
        caption="Expected share of transactions authorised in each generation, between uniform actions and the best "
        f"feasible action of every transaction. Higher is better. {groups.seeds()}{missing}",
        rows=lambda: curve_rows(drawn, GENERATION),
    )


def gained(run: Run, key: str) -> Curve:
    """Return a rate of a run minus that of uniform actions on the same transactions, by generation."""
    rate, uniform = reader.curve(run, RATE, key), reader.curve(run, RATE, "uniform")
    if not np.array_equal(rate.unit, uniform.unit):
        return replace(rate, unit=rate.unit[:0], mean=rate.mean[:0], low=rate.low[:0], high=rate.high[:0], rows=0)
    gain = rate.mean - uniform.mean
    return replace(rate, mean=gain, low=gain, high=gain)


def _gained(context: Context, groups: Groups, key: str) -> None:
    def over_seeds(key: str) -> list[Curve]:
        found = [
            combined([gained(s.run, key) for s in samples], label, groups.band)
            for label, samples in groups.samples.items()
        ]
        return [c for c in found if len(c)]

    curves, best = over_seeds(key), shared(over_seeds("best"), BEST)
    if not curves:
        return
    flat = np.zeros(len(curves[0]))
    uniform = Curve(name=UNIFORM, unit=curves[0].unit, mean=flat, low=flat, high=flat, rows=len(flat))
    drawn = [*curves, *best, uniform]
    figure = _against_references(drawn, curves, "rate above uniform actions [per transaction]", context)
    show_figure(
        figure,
        name="gained",
        caption="What a rule earns above uniform actions on the same transactions, so that the luck of a draw of customers "
        f"cancels; the best feasible actions are the most there is. Higher is better. {groups.seeds()}",
        rows=lambda: curve_rows(drawn, GENERATION),
    )


def _against_references(drawn: list[Curve], curves: list[Curve], label: str, context: Context) -> go.Figure:
    palette = colours(c.name for c in curves) | {BEST: PALETTE[7], UNIFORM: PALETTE[6]}
    figure = lines.curves(drawn, x_label=GENERATION, y_label=label, palette=palette, mode=context.mode)
    figure.update_layout(yaxis={"tickformat": ".1%"}, xaxis=_GENERATIONS)
    return figure


def reference(groups: Groups, key: str, name: str) -> list[Curve]:
    """Return the curve of a reference that all settings share, as a list of one; empty when they do not share it."""
    return shared(groups.curves(RATE, key), name)


def shared(found: list[Curve], name: str) -> list[Curve]:
    """Return the longest of curves that agree wherever they overlap, without its band; nothing when they differ."""
    if not found:
        return []
    longest = max(found, key=len)
    for curve in found:
        if not np.allclose(curve.mean, longest.mean[: len(curve)], atol=1e-9):
            return []
    flat = longest.mean
    return [Curve(name=name, unit=longest.unit, mean=flat, low=flat, high=flat, rows=longest.rows)]


def swing(run: Run) -> float | None:
    """Return the standard deviation of the change of the policy's rate between generations, from the second one on.

    The first generation acts uniformly under every rule, so its step up is left out.  ``None`` with fewer than three
    generations behind it.
    """
    curve = reader.curve(run, RATE, "policy")
    rate = curve.mean[curve.unit >= _LEARNT]
    return float(np.diff(rate).std(ddof=1)) if len(rate) > 2 else None


def mean_gain(run: Run) -> float | None:
    """Return the mean gain of the policy over uniform actions from the second generation on, ``None`` without one."""
    curve = gained(run, "policy")
    gain = curve.mean[curve.unit >= _LEARNT]
    return float(gain.mean()) if len(gain) else None


def _over_seeds(groups: Groups, number: Any) -> dict[str, list[float]]:
    found = {name: [number(s.run) for s in samples] for name, samples in groups.samples.items()}
    return {name: [v for v in values if v is not None] for name, values in found.items()}


def _swings(context: Context, groups: Groups) -> None:
    frame = interval_rows(_over_seeds(groups, swing))
    if frame.is_empty():
        return
    figure = bars.intervals(
        frame["setting"].to_list(),
        frame["value"].to_list(),
        frame["low"].to_list(),
        frame["high"].to_list(),
        x_label="swing between generations [authorisations per transaction]",
        mode=context.mode,
    )
    figure.update_layout(xaxis={"rangemode": "tozero", "exponentformat": "none"})
    show_figure(
        figure,
        name="swings",
        caption="Standard deviation of the change of the rate from one generation to the next, from generation 2 on; "
        "further left is steadier. Part of it is the draw of customers, which uniform actions show alone.",
        rows=frame,
    )


def _explored(context: Context, groups: Groups) -> None:
    curves = groups.curves("exploration")
    if not curves:
        return
    figure = lines.curves(curves, x_label=GENERATION, y_label="share of explored actions", mode=context.mode)
    figure.update_layout(yaxis={"tickformat": ".0%", "rangemode": "tozero"}, xaxis=_GENERATIONS)
    show_figure(
        figure,
        name="explored",
        caption="Mean probability of another action than the one predicted best. Exploration costs authorisations now "
        f"and is what later models learn from. {groups.seeds()}",
        rows=lambda: curve_rows(curves, GENERATION),
    )


def _half_width(run: Run) -> float | None:
    low, high = (reader.curve(run, ESTIMATE, key) for key in ("low", "high"))
    half = (high.mean - low.mean)[high.unit >= _LEARNT] / 2.0 if len(low) == len(high) else np.empty(0)
    return float(half.mean()) if len(half) else None


def _price_of_knowledge(context: Context, groups: Groups) -> None:
    earned, width = _over_seeds(groups, mean_gain), _over_seeds(groups, _half_width)
    points = {
        name: scatter.Cloud(x=np.array(width[name]), y=np.array(earned[name]))
        for name in groups.samples
        if earned[name] and len(earned[name]) == len(width[name]) and min(width[name]) > 0
    }
    if len(points) < 2:
        return
    figure = scatter.clouds(
        points,
        x_label="half width of the 95 % interval of the value of uniform actions",
        y_label="mean rate above uniform actions [per transaction]",
        log_x=True,
        mode=context.mode,
    )
    figure.update_layout(yaxis={"tickformat": ".1%"})
    show_figure(
        figure,
        name="price_of_knowledge",
        caption="What the log is worth: up is more authorisations now, left is more knowledge about other policies "
        "(means from generation 2 on; small marks are seeds). A rule below and to the right of another is worse in both.",
        rows=pl.DataFrame(
            {
                "setting": [n for n, c in points.items() for _ in c.x],
                "half_width": [float(v) for c in points.values() for v in c.x],
                "gain": [float(v) for c in points.values() for v in c.y],
            }
        ),
    )


def _estimates(context: Context, run: Run) -> None:
    st.subheader("Off-policy value")
    parts = {key: reader.curve(run, ESTIMATE, key) for key in ("estimate", "low", "high", "truth")}
    estimate, truth = parts["estimate"], parts["truth"]
    if not len(estimate) or len({len(c) for c in parts.values()}) != 1:
        return
    name = "estimate from the log"
    middle = Curve(
        name=name,
        unit=estimate.unit,
        mean=estimate.mean,
        low=parts["low"].mean,
        high=parts["high"].mean,
        rows=estimate.rows,
    )
    flat = Curve(name="truth", unit=truth.unit, mean=truth.mean, low=truth.mean, high=truth.mean, rows=truth.rows)
    drawn = [middle, flat]
    figure = lines.curves(
        drawn,
        x_label=GENERATION,
        y_label="value of uniform actions [per transaction]",
        palette={**colours((name,)), "truth": PALETTE[6]},
        mode=context.mode,
    )
    figure.update_layout(yaxis={"tickformat": ".0%"}, xaxis=_GENERATIONS)
    show_figure(
        figure,
        name="off_policy",
        caption="Value of uniform actions estimated by inverse propensities from one generation's log, with its 95 % "
        "interval, and the truth. A wide band says that the log knows little about other policies; rules that never take "
        "some actions (greedy) are biased and look surer than they are.",
        rows=lambda: curve_rows(drawn, GENERATION),
    )


def _actions(context: Context, run: Run) -> None:
    frame = reader.query(
        run,
        ACTIONS,
        "shares",
        lambda t: t.select("unit", "action", "share", "feasible", "authorised").sort("unit", "action").tail(4000),
    )
    units = frame["unit"].unique(maintain_order=True).to_list()
    units = [u for u in units if u > 0][-40:]
    frame = frame.filter(pl.col("unit").is_in(units))
    if frame.is_empty():
        return
    st.subheader("Actions taken")
    feasible = frame["feasible"].to_numpy().mean()
    wide = frame.pivot(on="unit", index="action", values="share")
    figure = matrix.heatmap(
        wide.drop("action").to_numpy().astype(np.float64),
        rows=[f"action {a}" for a in wide["action"].to_list()],
        columns=[f"{u}" for u in units],
        column_label=GENERATION,
        value_label="share of transactions",
        mode=context.mode,
    )
    show_figure(
        figure,
        name="actions",
        caption=f"Share of transactions that took each action, by {GENERATION}; {float(feasible):.0%} of transactions "
        "can take a given action on average.",
        rows=frame,
    )
