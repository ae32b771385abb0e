"""The segregation world: known answers, an independent reference, an exact certificate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from equilibria.games.population.schelling import Schelling, group_sizes, needed
from equilibria.games.population.settings import SchellingSettings
from equilibria.sim.seeds import SeedTree

TREE = SeedTree(5)
ACTIVATIONS = ["random-sequential", "simultaneous"]


def world(activation: Any = "random-sequential", seed: int = 5, **settings: Any) -> Schelling:
    game = Schelling(SchellingSettings(activation=activation, **settings))
    game.reset(SeedTree(seed))
    return game


def board(game: Schelling) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the board with 0 for empty and group + 1, from the columns alone."""
    s = game._settings
    cells = np.zeros((s.height, s.width), np.int64)
    c = game.columns()
    cells[c["row"].tolist(), c["column"].tolist()] = c["group"].astype(np.int64) + 1
    return cells


def around(cells: Any, row: int, column: int, radius: int) -> list[int]:
    height, width = cells.shape
    span = range(-radius, radius + 1)
    near = [cells[(row + r) % height, (column + c) % width] for r in span for c in span if (r, c) != (0, 0)]
    return [int(v) for v in near if v]


def happy(cells: Any, cell: int, group: int, threshold: float, radius: int) -> bool:
    width = int(cells.shape[1])
    near = around(cells, cell // width, cell % width, radius)
    return not near or near.count(group) / len(near) >= threshold


def reference(draws: Any, game: Schelling, steps: int) -> list[int]:
    """Move agents as the module's text says, on plain lists; return the cell of each agent."""
    s, key = game._settings, int(TREE.child("moves").key())
    at, empty, cells = game._cell.tolist(), game._empty.tolist(), board(game)
    group = [int(g) + 1 for g in game.columns()["group"]]

    def discontent(i: int) -> bool:
        return not happy(cells, at[i], group[i], s.homophily, s.radius)

    def go(i: int, place: int) -> None:
        cells.flat[at[i]], cells.flat[empty[place]] = 0, group[i]
        at[i], empty[place] = empty[place], at[i]

    for step in range(1, steps + 1):
        if s.activation == "random-sequential":
            for p, i in enumerate(draws.permutation(key, step, 0, len(at))):
                if discontent(i):
                    go(i, draws.below(key, step, 1, p, len(empty)))
            continue
        movers = [i for i in range(len(at)) if discontent(i)]
        moving = min(len(movers), len(empty))
        for items, stream in ((movers, 2), (empty, 1)):
            for p in range(moving):
                other = p + draws.below(key, step, stream, p, len(items) - p)
                items[p], items[other] = items[other], items[p]
        for p in range(moving):
            go(movers[p], p)
    return [int(c) for c in at]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "parameters",
    [
        {"width": 9, "height": 7, "density": 0.7, "homophily": 0.5},
        {"width": 6, "height": 5, "density": 0.95, "homophily": 0.7},  # more movers than empty cells
        {"width": 7, "height": 8, "density": 0.6, "homophily": 0.3, "radius": 2, "shares": (0.5, 0.3, 0.2)},
        {"width": 3, "height": 3, "density": 0.5, "homophily": 1.0},
    ],
)
def test_moves_agree_with_an_independent_reference(draws: Any, activation: str, parameters: dict[str, Any]) -> None:
    game = world(activation, **parameters)
    expected = reference(draws, game, 6)
    game.run(1, 6)
    assert game._cell.tolist() == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nobody_moves_at_threshold_zero(activation: str) -> None:
    game = world(activation, homophily=0.0)
    before = board(game)
    game.run(1, 20)
    np.testing.assert_array_equal(board(game), before)
    assert game.unhappy_share() == 0.0
    assert game.certificate().value == 0.0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mild_preferences_segregate_strongly(activation: str) -> None:
    # Schelling's finding: agents content with 40 % like neighbours end with about 80 %.
    game = world(activation, width=60, height=60)
    assert game.segregation_index() == pytest.approx(0.5, abs=0.03)
    game.run(1, 200)
    assert game.segregation_index() > 0.72
    assert game.unhappy_share() < 0.01


def test_a_settled_world_is_certified_as_nash_equilibrium() -> None:
    game = world(width=30, height=30, homophily=0.3)
    game.run(1, 300)
    assert game.unhappy_share() == 0.0
    certificate = game.certificate()
    assert (certificate.value, certificate.kind) == (0.0, "exact")


@pytest.mark.parametrize("parameters", [{"homophily": 0.6}, {"homophily": 0.9, "radius": 2, "density": 0.5}])
def test_certificate_equals_brute_force(parameters: dict[str, Any]) -> None:
    game = world(width=8, height=7, **parameters)
    s = game._settings
    for step in range(1, 4):
        cells, gainers = board(game), 0
        for at, group in zip(game._cell.tolist(), (int(g) + 1 for g in game.columns()["group"]), strict=True):
            if happy(cells, at, group, s.homophily, s.radius):
                continue
            without = cells.copy()
            without.flat[at] = 0
            empty = [c for c in range(cells.size) if cells.flat[c] == 0]
            gainers += any(happy(without, c, group, s.homophily, s.radius) for c in empty)
        assert game.certificate().value == pytest.approx(gainers / game.agents)
        game.run(step, 1)


@given(
    width=st.integers(3, 12),
    height=st.integers(3, 12),
    density=st.floats(0.3, 0.9),
    homophily=st.floats(0, 1),
    seed=st.integers(0, 2**62),
    cut=st.integers(0, 5),
    activation=st.sampled_from(ACTIVATIONS),
)
@settings(max_examples=50, deadline=None)
def test_cells_hold_one_agent_and_chunks_do_not_matter(
    width: int, height: int, density: float, homophily: float, seed: int, cut: int, activation: str
) -> None:
    parameters = {"width": width, "height": height, "density": density, "homophily": homophily}
    whole, split = (world(activation, seed, **parameters) for _ in range(2))
    again = world(activation, 1, **parameters)
    whole.run(1, 5)
    split.run(1, cut)
    again.load(split.save())
    again.run(1 + cut, 5 - cut)
    np.testing.assert_array_equal(board(whole), board(again))
    assert np.count_nonzero(board(whole)) == whole.agents
    assert sorted([*whole._cell.tolist(), *whole._empty.tolist()]) == list(range(width * height))
    sizes = group_sizes(whole.agents, (0.5, 0.5))
    assert [int((board(whole) == g + 1).sum()) for g in range(2)] == sizes.tolist()


def test_thresholds_are_decided_exactly() -> None:
    # 3 of 10 satisfy 0.3, 7 of 10 satisfy 0.7 although 0.7 * 10 rounds above 7 in binary fractions of it.
    assert needed(0.3, 10)[10] == 3
    assert needed(0.7, 10)[10] == 7
    assert needed(1 / 3, 9).tolist() == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert needed(0.0, 8).tolist() == [0] * 9
    assert needed(1.0, 8).tolist() == list(range(9))
    assert needed(1e-7, 8).tolist() == [0] + [1] * 8


def test_groups_are_dealt_by_largest_remainders() -> None:
    assert group_sizes(10, (0.5, 0.5)).tolist() == [5, 5]
    assert group_sizes(11, (0.5, 0.5)).tolist() == [6, 5]
    assert group_sizes(7, (0.7, 0.2, 0.1)).tolist() == [5, 1, 1]


def test_columns_report_neighbours() -> None:
    game = world(width=5, height=6, density=0.5)
    cells, columns = board(game), game.columns()
    for i in range(game.agents):
        row, column, group = (int(columns[c][i]) for c in ("row", "column", "group"))
        near = around(cells, row, column, 1)
        assert columns["occupied"][i] == len(near)
        assert columns["like"][i] == near.count(group + 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"density": 0.0},
        {"density": 1.0},
        {"density": -0.1},
        {"density": 1.7},
        {"density": float("nan")},
        {"shares": [0.5, 0.6]},
        {"shares": [1.0]},
        {"shares": [1.5, -0.5]},
        {"width": -4},
        {"width": 4, "height": 4, "radius": 2},
        {"homophily": 1.01},
        {"width": 3, "height": 3, "density": 0.15},
        {"radius": 0},
    ],
)
def test_bad_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SchellingSettings.model_validate({"activation": "simultaneous", **wrong})
