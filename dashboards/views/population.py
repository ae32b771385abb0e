"""Populations: inequality (Lorenz, Gini), distributions, the grid from above, states on the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures import graphs, lines, population
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views.network_view import network_picture
from equilibria.dashboards.widgets import curve_rows, show_figure, show_table
from equilibria.sim.analysis.facts import facts, metric_facts, resolved_scenario
from equilibria.sim.store import Run
from equilibria.sim.types import FloatArray

TABLE: Final = "agents"
STATES: Final = ("susceptible", "infected", "recovered")
MAX_AGENTS: Final = 1_000_000
METRICS: Final = (
    "gini",
    "top_share",
    "mean_wealth",
    "segregation_index",
    "unhappy_share",
    "prevalence",
    "attack_rate",
    "column_statistic",
)
_KEYS: Final = {"unit", "agent", "row", "column"}


def build() -> Page:
    """Return the page."""
    return Page(
        title="Population",
        section="Worlds",
        icon=":material/groups:",
        order=10,
        tables=(TABLE,),
        metrics=METRICS,
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is None:
        return
    _over_time(context, run)
    if TABLE not in run.tables():
        st.info("The scenario records no table `agents`; add one to see agents.", icon=":material/info:")
        return
    units = reader.units(run, TABLE)
    unit = units[-1]
    if len(units) > 1:
        unit = st.select_slider("Agents recorded at", units, value=units[-1], key="at", bind="query-params")
    frame = reader.at_unit(run, TABLE, unit, limit=MAX_AGENTS)
    st.caption(f"{len(frame):,} agents recorded at {facts(run).unit} {unit:,}.")
    if "state" in frame.columns:
        _contagion(context, run, frame)
    if "group" in frame.columns and {"row", "column"} <= set(frame.columns):
        _groups(context, run, frame)
    quantities = [c for c, t in frame.schema.items() if t.is_numeric() and c not in _KEYS | {"state", "group"}]
    if quantities:
        _quantity(context, run, frame, quantities, [units[0], unit])
    with st.expander("Agents as a table"):
        show_table(frame.head(500), name="agents", caption="The first 500 recorded agents.")


def _over_time(context: Context, run: Run) -> None:
    found = [v for v in reader.values(run) if v.key == ""]
    metrics = list(dict.fromkeys(v.metric for v in found))
    if not metrics:
        return
    metric = st.selectbox("Metric", metrics, key="metric", bind="query-params")
    curve = reader.curve(run, metric)
    if not len(curve):
        return
    about = metric_facts(run, metric)
    unit = facts(run).unit
    law = _law(run, metric)
    figure = lines.curves(
        [curve],
        x_label=unit,
        y_label=about.label,
        mode=context.mode,
        goal=law,
        goal_label=f"theory {law:.4g}" if law else "",
    )
    show_figure(
        figure,
        name=metric,
        caption=_CAPTIONS.get(metric, f"{metric} over time."),
        rows=lambda: curve_rows([curve], unit),
    )


_CAPTIONS: Final = {
    "gini": "Gini coefficient: 0 when all have the same, near 1 when one has everything.",
    "top_share": "Share of the total that the richest hold.",
    "segregation_index": "Mean share of like neighbours: the expected share of the own group without sorting, 1 when "
    "groups live apart.",
    "unhappy_share": "Share of agents below their threshold; 0 means that nobody wants to move, an equilibrium.",
    "prevalence": "Share of infected agents; a level that stays is endemic, 0 is absorbed.",
    "attack_rate": "Share of agents infected at least once.",
}


def _law(run: Run, metric: str) -> float | None:
    """Return the theoretical value of a metric when the certificate's details name one."""
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    details = certificate.get("details")
    value = details.get(f"{metric}_of_law", details.get(f"law_{metric}")) if isinstance(details, Mapping) else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _game_params(run: Run) -> Mapping[str, Any]:
    game = resolved_scenario(run).get("game")
    params = game.get("params") if isinstance(game, Mapping) else None
    return params if isinstance(params, Mapping) else {}


def _quantity(context: Context, run: Run, frame: pl.DataFrame, quantities: list[str], units: list[int]) -> None:
    name = st.selectbox("Quantity", quantities, key="quantity", bind="query-params")
    word = facts(run).unit
    series: dict[str, FloatArray] = {}
    for unit in dict.fromkeys(units):
        rows = reader.at_unit(run, TABLE, unit, limit=MAX_AGENTS)
        series[f"{word} {unit:,}"] = rows[name].cast(pl.Float64).to_numpy()
    left, right = st.columns(2)
    with left:
        figure = population.histogram(series, quantity=name, log=False, mode=context.mode)
        show_figure(figure, name=f"distribution_{name}", caption=f"Distribution of {name} among the recorded agents.")
    with right:
        if all(v.min(initial=0.0) >= 0 for v in series.values()):
            figure = population.lorenz(series, quantity=name, mode=context.mode)
            show_figure(
                figure,
                name=f"lorenz_{name}",
                caption="Lorenz curve: the further below the diagonal, the more unequal. The Gini coefficient is "
                "twice the area between.",
                rows=lambda: _lorenz_rows(series),
            )
    if {"row", "column"} <= set(frame.columns):
        shape = _shape(run, frame)
        figure = population.grid(
            frame["row"].to_numpy(),
            frame["column"].to_numpy(),
            frame[name].cast(pl.Float64).to_numpy(),
            shape=shape,
            value_label=name,
            mode=context.mode,
        )
        show_figure(figure, name=f"grid_{name}", caption=f"The world from above: mean {name} of the agents of a cell.")


def _lorenz_rows(series: Mapping[str, FloatArray]) -> pl.DataFrame:
    columns: dict[str, FloatArray] = {}
    for name, values in series.items():
        share, held = population.lorenz_curve(values)
        columns = {"share of agents": share, **columns, name: held}
    return pl.DataFrame(columns)


def _shape(run: Run, frame: pl.DataFrame) -> tuple[int, int]:
    params = _game_params(run)
    height, width = params.get("height"), params.get("width")
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    return int(frame["row"].max()) + 1, int(frame["column"].max()) + 1  # type: ignore[arg-type]


def _groups(context: Context, run: Run, frame: pl.DataFrame) -> None:
    count = int(frame["group"].max()) + 1  # type: ignore[arg-type]
    figure = population.grid(
        frame["row"].to_numpy(),
        frame["column"].to_numpy(),
        frame["group"].cast(pl.Float64).to_numpy(),
        shape=_shape(run, frame),
        names=[f"group {g}" for g in range(count)],
        mode=context.mode,
    )
    show_figure(
        figure,
        name="grid_groups",
        caption="The world from above: each cell is an agent in the colour of its group, empty cells are free or were "
        "not recorded. Large patches of one colour are segregation.",
        rows=frame,
    )


def _contagion(context: Context, run: Run, frame: pl.DataFrame) -> None:
    counts = reader.query(
        run,
        TABLE,
        "states",
        lambda t: t.group_by("unit", "state").len().sort("unit", "state"),
    )
    wide = counts.pivot(on="state", index="unit", values="len").fill_null(0).sort("unit")
    known = sorted(int(c) for c in wide.columns if c != "unit")
    table = wide.select([str(k) for k in known]).to_numpy().astype(np.float64)
    names = [STATES[k] if k < len(STATES) else f"state {k}" for k in known]
    if len(wide) > 1:
        figure = population.shares(
            wide["unit"].to_numpy(),
            table / table.sum(axis=1, keepdims=True),
            names,
            x_label=facts(run).unit,
            mode=context.mode,
        )
        show_figure(figure, name="states", caption="Share of the recorded agents in each state.", rows=wide)
    picture = network_picture(_game_params(run), int(run.manifest["seed"]), frame)
    if isinstance(picture, str):
        st.info(picture, icon=":material/info:")
        return
    figure = graphs.network(
        picture.positions,
        picture.links,
        [STATES[s] if 0 <= s < len(STATES) else "not recorded" for s in picture.states],
        mode=context.mode,
        palette={name: i for i, name in enumerate((*STATES, "not recorded"))},
        unknown="not recorded",
    )
    show_figure(
        figure,
        name="network",
        caption=f"{len(picture.positions):,} of {picture.total:,} agents around one recorded agent, with their links; "
        "the graph is drawn again from the run's seed.",
    )
