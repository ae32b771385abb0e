"""Dynamics of matrix games: policy simplex with the replicator field, recorded paths and the equilibrium."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.catalogue import Entry
from equilibria.dashboards.figures import lines, simplex
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views.tournament import turns_of
from equilibria.dashboards.widgets import show_figure
from equilibria.games.analysis.dynamics import replicator
from equilibria.games.analysis.matrix_nash import max_entropy_nash
from equilibria.sim.analysis.facts import resolved_scenario
from equilibria.sim.errors import EquilibriaError
from equilibria.sim.store import Run
from equilibria.sim.types import FloatArray

GAMES: Final = ("preference", "symmetric_matrix", "iterated_game")
MAX_STRATEGIES: Final = 16
SAMPLES: Final = 400
HORIZON: Final = 40.0


def build() -> Page:
    """Return the page."""
    return Page(
        title="Dynamics",
        section="Equilibrium",
        icon=":material/change_history:",
        order=3,
        suits=_suits,
        render=render,
    )


def _suits(entry: Entry) -> bool:
    return entry.kind == "run" and entry.game.partition("(")[0] in GAMES


def render(context: Context) -> None:
    """Draw the page."""
    run = context.choose_run()
    if run is None:
        return
    found = payoffs_of(run)
    if found is None:
        st.info("This page shows symmetric games given by one payoff matrix, and recorded scores.")
        return
    matrix, labels = found
    three = _chosen_three(labels)
    part, names = matrix[np.ix_(three, three)], [labels[i] for i in three]
    start, horizon = _start(names)
    time = np.linspace(0.0, horizon, SAMPLES)
    path = _solved(part, start, horizon)
    recorded = _recorded(run, labels, three)
    points = _equilibrium(part)
    figure = simplex.simplex(
        names, paths={"replicator": path, **recorded}, payoffs=part, points=points, mode=context.mode
    )
    show_figure(
        figure,
        name="simplex",
        caption="Every point is a mixture of the three strategies, corners are pure. Arrows: replicator dynamics, "
        "brighter is faster. Ring: start, dot: end, star: maximum-entropy equilibrium. Paths that circle have found "
        "no equilibrium; their time average may have.",
        rows=pl.DataFrame({"time": time, **{n: path[:, i] for i, n in enumerate(names)}}),
    )
    _shares(context, matrix, labels)


def payoffs_of(run: Run) -> tuple[FloatArray, list[str]] | None:
    """Return the payoff matrix and the names of strategies: from the scenario, or from recorded scores."""
    resolved = resolved_scenario(run)
    game = resolved.get("game")
    params: Mapping[str, Any] = game.get("params", {}) if isinstance(game, Mapping) else {}
    for key, shift in (("payoffs", 0.0), ("payoff", 0.0), ("preference", 0.5)):
        values = params.get(key)
        if _square(values) and "strategies" not in params:
            matrix = np.asarray(values, np.float64) - shift
            labels = params.get("labels") or [str(i) for i in range(len(matrix))]
            return (matrix, [str(x) for x in labels]) if len(matrix) >= 3 else None
    return _scores(run) if "scores" in run.tables() else None


def _square(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(r, list) and len(r) == len(values) for r in values)


def _scores(run: Run) -> tuple[FloatArray, list[str]] | None:
    unit = reader.units(run, "scores")[-1]
    frame = reader.at_unit(run, "scores", unit, limit=10_000)
    labels = frame["strategy"].unique(maintain_order=True).to_list()
    if len(labels) < 3 or len(labels) ** 2 != len(frame):
        return None
    return frame["score"].to_numpy().reshape(len(labels), len(labels)) / turns_of(run), labels


def _chosen_three(labels: list[str]) -> list[int]:
    if len(labels) == 3:
        return [0, 1, 2]
    columns = st.columns(3)
    chosen: list[int] = []
    for corner, column in enumerate(columns):
        free = [name for i, name in enumerate(labels) if i not in chosen]
        name = column.selectbox(f"Corner {corner + 1}", free, key=f"corner{corner}", bind="query-params")
        chosen.append(labels.index(name))
    return chosen


def _start(names: list[str]) -> tuple[FloatArray, float]:
    left, middle, right = st.columns(3)
    a = left.slider(f"Start: share of {names[0]}", 0.02, 0.96, 0.5, key="share0", bind="query-params")
    b = middle.slider(f"Start: share of {names[1]}", 0.02, 0.96, 0.3, key="share1", bind="query-params")
    horizon = right.slider("Time", 5, 200, 40, key="time", bind="query-params")
    scale = max(1.0, (a + b) / 0.98)
    a, b = a / scale, b / scale
    return np.array([a, b, 1.0 - a - b]), float(horizon)


def _recorded(run: Run, labels: list[str], three: list[int]) -> dict[str, FloatArray]:
    """Return the recorded path of the policy, if the game has just these three strategies."""
    if "policy" not in run.tables() or len(labels) != 3:
        return {}
    frame = reader.rows(run, "policy", limit=30_000)
    if "probability" not in frame.columns or len(frame) % 3 or "infoset" in frame.columns:
        return {}
    found = {}
    for column, name in (("probability", "output policy"), ("last", "last iterate")):
        if column in frame.columns:
            path = frame[column].to_numpy().reshape(-1, 3)[:, three]
            found[name] = path[np.linspace(0, len(path) - 1, min(len(path), SAMPLES)).astype(int)]
    return found


def _equilibrium(part: FloatArray) -> dict[str, FloatArray]:
    """Return the maximum-entropy equilibrium when the game is zero-sum and symmetric."""
    if not np.allclose(part, -part.T):
        return {}
    try:
        return {"equilibrium": max_entropy_nash(part).row}
    except EquilibriaError:
        return {}


def _solved(matrix: FloatArray, start: FloatArray, horizon: float) -> FloatArray:
    return _replicator(matrix.tobytes(), tuple(start.tolist()), horizon)


@functools.lru_cache(maxsize=32)
def _replicator(matrix: bytes, start: tuple[float, ...], horizon: float) -> FloatArray:
    """Integrate once per setting; a page is drawn again at every touch."""
    payoffs = np.frombuffer(matrix).reshape(len(start), len(start))
    return replicator(payoffs, start, times=np.linspace(0.0, horizon, SAMPLES), rtol=1e-7).x


def _shares(context: Context, matrix: FloatArray, labels: list[str]) -> None:
    """Draw replicator shares of all strategies from equal shares."""
    time = np.linspace(0.0, HORIZON, SAMPLES)
    shares = _solved(matrix, np.full(len(matrix), 1.0 / len(matrix)), HORIZON)
    order = np.argsort(-shares.max(axis=0))[:8]
    figure = lines.series(
        time, {labels[i]: shares[:, i] for i in order}, x_label="time", y_label="share", mode=context.mode
    )
    show_figure(
        figure,
        name="shares",
        caption="Replicator dynamics of all strategies from equal shares; the eight with the greatest shares are drawn.",
        rows=pl.DataFrame({"time": time, **{n: shares[:, i] for i, n in enumerate(labels)}}),
    )
