"""Figures as data: traces, axes, labels.  No Streamlit, no browser."""

from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from equilibria.dashboards.figures import bars, graphs, lines, matrix, population, simplex, sweeps
from equilibria.dashboards.look import SHADES, Mode
from equilibria.sim.analysis.colours import contrast
from equilibria.sim.analysis.thinning import Curve

MODES: tuple[Mode, ...] = ("light", "dark")


def curve(name: str, values: list[float], spread: float = 0.0) -> Curve:
    mean = np.array(values)
    return Curve(name=name, unit=np.arange(len(mean)), mean=mean, low=mean - spread, high=mean + spread, rows=len(mean))


def traces(figure: go.Figure) -> list[dict]:  # type: ignore[type-arg]
    return list(json.loads(figure.to_json())["data"])


def test_a_curve_without_spread_is_one_trace_and_with_spread_three() -> None:
    flat = lines.curves([curve("cfr", [3, 2, 1])], x_label="iteration", y_label="exploitability")
    band = lines.curves([curve("cfr", [3, 2, 1], 0.5)], x_label="iteration", y_label="exploitability")
    assert (len(traces(flat)), len(traces(band))) == (1, 3)
    assert traces(band)[1]["fill"] == "tonexty"


def test_axes_carry_labels_and_a_log_axis_leaves_out_what_it_cannot_show() -> None:
    figure = lines.curves([curve("cfr", [1, 0, 0.1])], x_label="iteration", y_label="gap [payoff]", log=True)
    layout = json.loads(figure.to_json())["layout"]
    assert layout["yaxis"]["type"] == "log"
    assert layout["yaxis"]["title"]["text"] == "gap [payoff]"
    assert layout["xaxis"]["title"]["text"] == "iteration"
    assert np.isnan(figure.data[0].y).tolist() == [False, True, False]


def test_a_method_has_the_same_colour_in_every_figure() -> None:
    one = lines.curves([curve("vad_cfr", [1, 2])], x_label="", y_label="")
    two = lines.curves([curve("cfr", [1, 2]), curve("vad_cfr", [1, 2])], x_label="", y_label="")
    bar = bars.bars(["cfr", "vad_cfr"], [1, 2], y_label="")
    assert one.data[0].line.color == two.data[1].line.color == bar.data[0].marker.color[1]


def test_values_below_the_range_of_single_precision_are_kept() -> None:
    figure = lines.curves([curve("cfr", [1.0, 1e-300])], x_label="", y_label="", log=True)
    assert figure.data[0].y[1] == 1e-300


def test_an_interval_is_drawn_from_its_ends() -> None:
    figure = bars.intervals(["a", "b"], [1.0, 2.0], [0.5, 2.0], [2.0, 2.5], x_label="gap", zero=True)
    assert figure.data[0].error_x.array.tolist() == [1.0, 0.5]
    assert figure.data[0].error_x.arrayminus.tolist() == [0.5, 0.0]
    assert figure.layout.shapes[0].x0 == 0


def test_texts_of_a_heat_map_can_be_read_on_their_cells() -> None:
    values = np.linspace(-1, 1, 25).reshape(5, 5)
    for mode in MODES:
        for diverging in (False, True):
            figure = matrix.heatmap(values, rows=list("abcde"), columns=list("vwxyz"), diverging=diverging, mode=mode)
            assert len(figure.data[1].text) == 25
            assert set(figure.data[1].textfont.color) <= {"#000000", "#ffffff"}


def test_diverging_colours_are_centred_at_zero_and_missing_cells_stay_empty() -> None:
    figure = matrix.heatmap(np.array([[1.0, np.nan], [-3.0, 0.0]]), rows=["a", "b"], columns=["c", "d"], diverging=True)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-3.0, 3.0)
    assert np.isnan(figure.data[0].z[0][1])
    assert len(figure.data[1].text) == 3


def test_equal_names_stay_different_rows() -> None:
    figure = matrix.heatmap(np.eye(2), rows=["a", "a"], columns=["x", "x"])
    assert len(set(figure.data[0].y)) == len(set(figure.data[0].x)) == 2


@pytest.mark.parametrize("shape", [(300, 300), (1, 50_000), (7, 3)])
def test_shrinking_keeps_the_mean_and_the_limit(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(1).normal(size=shape)
    small, width = matrix.shrink(values)
    assert small.size <= matrix.MAX_CELLS
    if shape[0] % width == 0 and shape[1] % width == 0:
        assert small.mean() == pytest.approx(values.mean(), abs=1e-12)


def test_the_corners_of_the_simplex_are_pure_and_its_field_is_the_replicator_equation() -> None:
    rock = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], float)
    points, velocity = simplex.field(rock)
    assert np.allclose(simplex.to_plane(np.eye(3)), simplex.CORNERS)
    assert np.allclose(velocity.sum(axis=1), 0.0)
    x = points[5]
    value = rock @ x
    assert np.allclose(velocity[5], x * (value - x @ value))
    assert np.allclose(velocity[np.all(np.isclose(points, 1 / 3), axis=1)], 0.0)


def test_a_path_on_the_simplex_starts_as_a_ring_and_ends_as_a_dot() -> None:
    path = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0, 1.0]])
    figure = simplex.simplex(["a", "b", "c"], paths={"p": path}, points={"nash": np.full(3, 1 / 3)})
    marks = next(t for t in figure.data if t.mode == "markers" and t.marker.symbol == ("circle-open", "circle"))
    assert np.allclose([marks.x[0], marks.y[0]], simplex.CORNERS[0])
    assert np.allclose([marks.x[1], marks.y[1]], simplex.CORNERS[2])
    assert [a.text for a in figure.layout.annotations] == ["<b>a</b>", "<b>b</b>", "<b>c</b>"]


def test_arrows_of_the_response_graph_are_the_given_edges() -> None:
    figure = graphs.response_graph(["a", "b"], np.array([0.25, 0.75]), [(0, 1)])
    arrow = figure.layout.annotations[0]
    at = figure.data[0]
    assert (arrow.ax, arrow.ay, arrow.x, arrow.y) == pytest.approx((at.x[0], at.y[0], at.x[1], at.y[1]))


def test_a_network_has_one_trace_per_state_and_one_for_links() -> None:
    places, links = np.array([[0.0, 0], [1, 0], [0, 1]]), np.array([[0, 1], [1, 2]])
    figure = graphs.network(places, links, ["s", "i", "s"])
    assert sorted(t.name for t in figure.data[1:]) == ["i", "s"]
    assert len(figure.data[0].x) == 6


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 1, 1], 0.0), ([0, 0, 0, 1], 0.75), ([1, 2, 3, 4], 0.25), ([0, 0], 0.0), ([], 0.0)],
)
def test_gini_of_known_populations(values: list[float], expected: float) -> None:
    assert population.gini(np.array(values, float)) == pytest.approx(expected)


def test_the_lorenz_curve_lies_between_nothing_and_equality() -> None:
    share, held = population.lorenz_curve(np.random.default_rng(2).exponential(size=5000))
    assert held[0] == 0.0
    assert held[-1] == pytest.approx(1.0)
    assert np.all(np.diff(held) >= 0)
    assert np.all(held <= share + 1e-12)
    area = float(np.sum((held[1:] + held[:-1]) / 2 * np.diff(share)))
    assert 1 - 2 * area == pytest.approx(0.5, abs=0.02)  # the exponential law has Gini 1/2


def test_a_histogram_shows_all_agents_and_keeps_whole_numbers_apart() -> None:
    figure = population.histogram({"now": np.array([0.0, 1, 1, 3])}, quantity="wealth")
    assert figure.data[0].y.sum() == pytest.approx(1.0)
    assert figure.data[0].x[:4].tolist() == [0, 1, 2, 3]


def test_a_grid_names_its_groups_and_a_large_one_is_shrunk() -> None:
    small = population.grid(np.array([0, 1]), np.array([0, 1]), np.array([0.0, 1.0]), shape=(2, 2), names=["a", "b"])
    assert small.data[0].colorbar.ticktext == ("a", "b")
    rows = np.arange(1000)
    large = population.grid(rows, rows, np.ones(1000), shape=(1000, 1000))
    assert np.asarray(large.data[0].z).size <= 10_000


def test_parallel_coordinates_turn_words_into_named_ticks_and_log_values_back() -> None:
    figure = sweeps.parallel(
        {"a.use": ["cfr", "dcfr", "cfr"], "n": [1, 2, 3]}, [1, 10, 100], value_label="gap", log=True
    )
    words, numbers, result = figure.data[0].dimensions
    assert (words.label, words.ticktext) == ("use", ("cfr", "dcfr"))
    assert numbers.values.tolist() == [1, 2, 3]
    assert result.ticktext[0] == "1"
    assert result.ticktext[-1] == "100"


@pytest.mark.parametrize("mode", MODES)
def test_text_and_axes_have_enough_contrast(mode: Mode) -> None:
    shades = SHADES[mode]
    assert contrast(shades.text, shades.background) >= 7
    assert contrast(shades.muted, shades.background) >= 4.5
    assert contrast(shades.muted, shades.panel) >= 4.5
    assert contrast(shades.accent, shades.background) >= 4.5


@pytest.mark.parametrize("mode", MODES)
def test_every_figure_uses_the_background_of_its_mode(mode: Mode) -> None:
    values = np.array([0.1, 0.2, 0.7])
    figures = [
        lines.curves([curve("a", [1, 2])], x_label="", y_label="", mode=mode),
        lines.series(values, {"a": values}, x_label="", y_label="", mode=mode),
        bars.bars(["a"], [1], y_label="", mode=mode),
        bars.groups(["a"], [("x", [1.0])], y_label="", mode=mode),
        bars.intervals(["a"], [1], [1], [1], x_label="", mode=mode),
        matrix.heatmap(np.eye(2), rows=["a", "b"], columns=["a", "b"], mode=mode),
        simplex.simplex(["a", "b", "c"], payoffs=np.eye(3), mode=mode),
        graphs.response_graph(["a"], np.ones(1), [], mode=mode),
        population.lorenz({"a": values}, quantity="x", mode=mode),
        population.shares(np.arange(2), np.full((2, 2), 0.5), ["a", "b"], x_label="", mode=mode),
        sweeps.parallel({"a": [1, 2]}, [1, 2], value_label="v", mode=mode),
    ]
    for figure in figures:
        assert figure.layout.paper_bgcolor == SHADES[mode].background
        assert figure.layout.font.color == SHADES[mode].text


def test_the_largest_curve_of_a_page_is_small_when_sent() -> None:
    mean = np.random.default_rng(3).random(2000)
    wide = [
        Curve(name=str(i), unit=np.arange(2000), mean=mean, low=mean - 1, high=mean + 1, rows=10_000_000)
        for i in range(8)
    ]
    figure = lines.curves(wide, x_label="", y_label="")
    assert len(figure.to_json()) < 900_000
