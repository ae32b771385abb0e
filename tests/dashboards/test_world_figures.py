"""Drawing functions and numbers of the auction, bidding, graph and gains pages."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest

from equilibria.dashboards.figures import auctions, graphs, matrix
from equilibria.dashboards.figures.numbers import numbers
from equilibria.dashboards.look import Mode
from equilibria.dashboards.views.dag import MAX_EDGES, edges_over_training
from equilibria.dashboards.views.gains import gains_of, over_seeds
from equilibria.dashboards.views.team_policies import joint
from equilibria.sim.analysis.curves import group_curve
from equilibria.sim.analysis.samples import from_sweep
from equilibria.sim.store import open_sweep


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_theory_lies_dotted_beneath_the_curves_and_the_axes_have_units(mode: Mode) -> None:
    x = np.linspace(0, 1, 5)
    figure = auctions.against(
        {"a": (x, x / 2)}, x_label="value [money]", y_label="bid [money]", reference=(x, x / 2), mode=mode
    )
    assert [t.name for t in figure.data] == ["theory", "a"]
    assert figure.data[0].line.dash == "dot"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("value [money]", "bid [money]")
    assert figure.layout.showlegend is True
    assert auctions.against({"a": (x, x)}, x_label="x", y_label="y", mode=mode).layout.showlegend is False


def test_a_posted_price_gives_the_item_to_who_values_it_more() -> None:
    figure = auctions.menu_regions(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.5, 0.5]), item=0, cells=10)
    z = np.asarray(figure.data[0].z)
    first, second = np.meshgrid(figure.data[0].x, figure.data[0].y)
    assert np.array_equal(z == 1.0, (first > 0.5) & (first >= second))
    options = auctions.menu_options(np.array([[1.0, 0.0]]), np.array([0.5]), names=["item 1", "item 2"])
    assert len(options.data) == 2


def test_arrows_run_from_parents_to_children_and_fade_with_their_probability() -> None:
    chance = np.array([[0.0, 1.0, 0.3], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    figure = graphs.dag(["a", "b", "c"], chance)
    places = dict(zip("abc", zip(figure.data[0].x, figure.data[0].y, strict=True), strict=True))
    first, second = figure.layout.annotations
    assert (first.ax, first.ay) == (second.ax, second.ay) == places["a"]
    assert (first.x, first.y) == places["b"]
    assert first.arrowwidth > second.arrowwidth
    assert list(figure.data[0].customdata) == pytest.approx([0.0, 1.0, 0.3])


def test_numbers_of_a_figure_are_what_is_drawn() -> None:
    heat = matrix.heatmap(np.array([[1.0, np.nan], [3.0, 4.0]]), rows=["r", "s"], columns=["c", "d"])
    cells = numbers(heat).filter(pl.col("trace") == "heatmap 1")
    assert cells.select("x", "y").rows() == [("c", "r"), ("d", "r"), ("c", "s"), ("d", "s")]
    assert cells["value"].to_list()[2:] == [3.0, 4.0]
    lines = go.Figure([go.Scatter(x=[1, 2], y=[3.5, 4.5], name="a"), go.Bar(x=["p", "q"], y=[1, 2], name="b")])
    rows = numbers(lines)
    assert rows["trace"].to_list() == ["a", "a", "b", "b"]
    assert rows["y"].to_list() == [3.5, 4.5, 1.0, 2.0]
    parallel = go.Figure(go.Parcoords(dimensions=[{"label": "k", "values": [1, 2]}, {"label": "v", "values": [5, 6]}]))
    assert numbers(parallel).select("k", "v").rows() == [(1.0, 5.0), (2.0, 6.0)]
    assert numbers(go.Figure()).is_empty()


def policy_rows(tables: list[Any]) -> pl.DataFrame:
    rows = [
        {"agent": i, "parents": p, "action": a, "probability": float(table[p][a])}
        for i, table in enumerate(tables)
        for p in range(len(table))
        for a in range(len(table[p]))
    ]
    return pl.DataFrame(rows)


def test_the_joint_policy_multiplies_conditionals_along_the_graph() -> None:
    first, second = [[0.25, 0.75]], [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]
    dag = np.array([[False, True], [False, False]])
    sizes, chance = joint(policy_rows([first, second]), dag)
    assert sizes == [2, 3]
    assert chance.reshape(2, 3).tolist() == [[0.25, 0.0, 0.0], [0.0, 0.375, 0.375]]


def test_the_joint_policy_is_that_of_the_solver() -> None:
    from equilibria.agents.bayesian_network.settings import BNSettings
    from equilibria.agents.bayesian_network.solver import BNPolicyGradient
    from equilibria.games.vector.tabular import coordination_game

    solver = BNPolicyGradient(coordination_game(3), BNSettings(dag=[[0, 0, 1], [1, 0, 1], [0, 0, 0]], start="normal"))
    table = pl.DataFrame(dict(solver.table("policy")))
    for state in (0, 3):
        _, chance = joint(table.filter((pl.col("run") == 0) & (pl.col("state") == state)), solver.layout.dag)
        assert np.allclose(chance, solver.policy().joint(state).ravel(), atol=1e-14)


def test_edges_that_never_matter_are_left_out_and_the_others_keep_their_order() -> None:
    rows = [
        {"unit": unit, "parent": p, "child": c, "probability": 0.5 if (p, c) == (1, 0) else unit / 10}
        for unit in (0, 5, 10)
        for p in range(9)
        for c in range(9)
        if p != c
    ]
    units, names, values = edges_over_training(pl.DataFrame(rows))
    assert units.tolist() == [0, 5, 10]
    assert len(names) == MAX_EDGES
    assert names[0] == "0 → 1"
    assert values[names.index("0 → 1")].tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([0.1, 0.2], [("player 0", 0.1, 0.1, 0.1), ("player 1", 0.2, 0.2, 0.2)]),
        ({"a": [0.3, -0.1, 0.5]}, [("a", 0.3, -0.1, 0.5)]),
        ({"a": 1, "b": "x", "c": [1.0], "d": None}, [("a", 1.0, 1.0, 1.0)]),
        ("text", []),
        (None, []),
    ],
)
def test_gains_are_read_in_every_form_a_certificate_has(given: Any, wanted: Any) -> None:
    assert gains_of({"details": {"gains": given}}) == wanted
    assert gains_of(None) == gains_of({"details": 3}) == []


def test_gains_over_seeds_have_intervals_around_their_mean() -> None:
    runs = [SimpleNamespace(certificate={"details": {"gains": [g, 0.0]}}) for g in (0.1, 0.2, 0.4)]
    groups: Any = {"x": [SimpleNamespace(run=r) for r in runs]}
    first, second = over_seeds(groups).rows(named=True)
    assert (first["seeds"], first["player"]) == (3, "player 0")
    assert first["gain"] == pytest.approx(0.7 / 3)
    assert first["low"] < first["gain"] < first["high"]
    assert second["low"] == second["gain"] == second["high"] == 0.0


def test_the_band_of_a_group_is_the_interval_of_its_mean(runs: Path) -> None:
    source = from_sweep(open_sweep(runs / "team_sweep"))
    samples = next(iter(source.groups().values()))
    curve = group_curve(samples, "solver_numbers", "x", key="return", band="interval")
    ends = np.array([s.run.metrics().filter(pl.col("key") == "return").collect()["value"][-1] for s in samples])
    half = 4.302653 * ends.std(ddof=1) / np.sqrt(3)  # Student's t with 2 degrees of freedom
    assert curve.high[-1] - curve.mean[-1] == pytest.approx(half, rel=1e-5, abs=1e-12)
    assert curve.mean[-1] == pytest.approx(ends.mean())
    alone = group_curve(samples[:1], "solver_numbers", "x", key="return", band="interval")
    assert np.array_equal(alone.low, alone.high)
