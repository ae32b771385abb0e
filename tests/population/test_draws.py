"""Word streams and random orders: exact values, uniformity, independence of buffers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

from equilibria.games.population.draws import BUFFER, fill, shuffle
from equilibria.games.population.schelling_kernels import partial_shuffle
from equilibria.games.population.wealth_kernels import neighbour
from equilibria.sim.philox import words, words_of_steps

KEY = np.uint64(0x0123456789ABCDEF)


def order_of(n: int, step: int) -> list[int]:
    order = np.empty(n, np.int32)
    shuffle(order, np.empty(BUFFER, np.uint32), KEY, step, 0)
    return [int(i) for i in order]


def test_words_are_those_of_an_independent_philox(draws: Any) -> None:
    buffer = np.empty(12, np.uint32)
    for step, stream, first in ((1, 0, 0), (2**33 + 5, 3, 4096), (7, 2**31, 4 * (2**30 - 3))):
        fill(buffer, KEY, step, stream, first)
        assert buffer.tolist() == [draws.word(int(KEY), step, stream, first + p) for p in range(12)]


def test_buffers_of_any_size_hold_the_same_stream() -> None:
    whole = np.empty(64, np.uint32)
    fill(whole, KEY, 9, 1, 0)
    for size in (4, 16, 32):
        part = np.empty(size, np.uint32)
        for first in range(0, 64, size):
            fill(part, KEY, 9, 1, first)
            np.testing.assert_array_equal(part, whole[first : first + size])


@pytest.mark.parametrize("n", [1, 2, 3, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER + 7])
def test_an_order_holds_every_agent_once(n: int) -> None:
    assert sorted(order_of(n, 4)) == list(range(n))


def test_all_orders_of_four_agents_are_equally_likely() -> None:
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    for step in range(1, 12_001):
        counts[tuple(order_of(4, step))] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_places_of_an_agent_in_large_orders_are_uniform() -> None:
    places = [order_of(2000, step).index(1234) for step in range(1, 1001)]
    assert stats.kstest(np.array(places) / 2000, "uniform").pvalue > 1e-3


def test_ordered_selections_are_equally_likely() -> None:
    counts = dict.fromkeys(itertools.permutations(range(4), 2), 0)
    buffer = np.empty(BUFFER, np.uint32)
    for step in range(1, 6001):
        items = np.arange(4, dtype=np.int32)
        partial_shuffle(items, 2, buffer, KEY, step, 1)
        counts[int(items[0]), int(items[1])] += 1
        assert sorted(items.tolist()) == [0, 1, 2, 3]
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize(("width", "height"), [(3, 3), (4, 7), (1000, 3)])
def test_neighbours_are_the_eight_cells_around_on_the_torus(width: int, height: int) -> None:
    for cell in (0, width - 1, width, width * height - 1, width * (height // 2) + width // 2):
        row, column = divmod(cell, width)
        found = [
            int(neighbour(np.uint64(cell), np.uint32(d << 29), np.uint64(width), np.uint64(height))) for d in range(8)
        ]
        offsets = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
        assert found == [(row + r) % height * width + (column + c) % width for r, c in offsets]


def test_words_of_many_steps_are_those_of_each_step() -> None:
    rows = np.empty((4, 37), np.uint64)
    for first, agent, draw in ((0, 0, 0), (2**32 - 5, 8, 3), (2**40, 2**31, 7)):
        words_of_steps(KEY, first, agent, draw, *rows)
        assert [tuple(rows[:, i]) for i in range(37)] == [words(KEY, first + i, agent, draw) for i in range(37)]
