"""The wealth exchange worlds: conservation, known laws, an independent reference, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from equilibria.games.population import laws, measures
from equilibria.games.population.settings import WealthGridSettings, WealthSettings
from equilibria.games.population.wealth import WealthExchange, WealthGrid
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree

TREE = SeedTree(11)
ACTIVATIONS = ["random-sequential", "simultaneous", "random-scan"]


def exchange(n: int, activation: Any, wealth: int = 1, seeds: SeedTree = TREE) -> WealthExchange:
    game = WealthExchange(WealthSettings(agents=n, activation=activation, initial_wealth=wealth))
    game.reset(seeds)
    return game


def grid(n: int, width: int, height: int, activation: Any, wealth: int = 1) -> WealthGrid:
    game = WealthGrid(
        WealthGridSettings(agents=n, width=width, height=height, activation=activation, initial_wealth=wealth)
    )
    game.reset(TREE)
    return game


def reference_exchange(draws: Any, w: list[int], key: int, step: int, activation: str) -> list[int]:
    n = len(w)
    if activation == "random-sequential":
        order = draws.permutation(key, step, 0, n)
    elif activation == "random-scan":
        order = [draws.below(key, step, 0, p, n) for p in range(n)]
    else:
        order = list(range(n))
    seen = list(w)
    for p, giver in enumerate(order):
        others = [j for j in range(n) if j != giver]
        taker = others[draws.below(key, step, 1, p, n - 1)]
        if (seen if activation == "simultaneous" else w)[giver] > 0:
            w[giver] -= 1
            w[taker] += 1
    return w


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n", [2, 3, 7, 1030])
def test_exchange_agrees_with_an_independent_reference(draws: Any, activation: str, n: int) -> None:
    game = exchange(n, activation, wealth=2)
    w, key = [2] * n, int(TREE.child("exchange").key())
    for step in range(1, 4):
        game.run(step, 1)
        w = reference_exchange(draws, w, key, step, activation)
        assert game.columns()["wealth"].tolist() == w


def cells(game: WealthGrid, width: int) -> list[int]:
    columns = game.columns()
    return [r * width + c for r, c in zip(columns["row"].tolist(), columns["column"].tolist(), strict=True)]


def moved(cell: int, direction: int, width: int, height: int) -> int:
    d = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)][direction]
    return (cell // width + d[0]) % height * width + (cell % width + d[1]) % width


def reference_grid(
    draws: Any, w: list[int], at: list[int], key: int, steps: int, width: int, height: int, sequential: bool
) -> None:
    n, here = len(w), [[i for i in range(len(w)) if at[i] == c] for c in range(width * height)]
    for step in range(1, steps + 1):
        if sequential:
            for p, i in enumerate(draws.permutation(key, step, 0, n)):
                cell = here[at[i]]  # the last occupant takes the place of the one that leaves
                cell[cell.index(i)] = cell[-1]
                cell.pop()
                at[i] = moved(at[i], draws.below(key, step, 2, p, 8), width, height)
                others = here[at[i]]
                if others and w[i] > 0:
                    w[i] -= 1
                    w[others[draws.below(key, step, 1, p, len(others))]] += 1
                others.append(i)
        else:
            for i in range(n):
                at[i] = moved(at[i], draws.below(key, step, 2, i, 8), width, height)
            gifts = []
            for i in range(n):
                others = [j for j in range(n) if j != i and at[j] == at[i]]
                if others and w[i] > 0:
                    gifts.append((i, others[draws.below(key, step, 1, i, len(others))]))
            for giver, taker in gifts:
                w[giver] -= 1
                w[taker] += 1


@pytest.mark.parametrize("activation", ACTIVATIONS[:2])
@pytest.mark.parametrize(("n", "width", "height"), [(1, 3, 3), (40, 4, 3), (25, 5, 5), (150, 3, 4)])
def test_grid_agrees_with_an_independent_reference(
    draws: Any, activation: str, n: int, width: int, height: int
) -> None:
    game = grid(n, width, height, activation, wealth=2)
    w, at = [2] * n, cells(game, width)
    assert at == [draws.below(int(TREE.child("exchange").key()), 0, 0, i, width * height) for i in range(n)]
    game.run(1, 5)
    reference_grid(draws, w, at, int(TREE.child("exchange").key()), 5, width, height, activation == ACTIVATIONS[0])
    assert game.columns()["wealth"].tolist() == w
    assert cells(game, width) == at


@given(
    n=st.integers(2, 300),
    wealth=st.integers(0, 20),
    seed=st.integers(0, 2**63 - 1),
    activation=st.sampled_from(ACTIVATIONS),
    cut=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_wealth_is_conserved_and_never_negative_for_any_chunking(
    n: int, wealth: int, seed: int, activation: str, cut: int
) -> None:
    whole, split = (exchange(n, activation, wealth, SeedTree(seed)) for _ in range(2))
    whole.run(1, 9)
    split.run(1, cut)
    again = exchange(n, activation, wealth)
    again.load(split.save())
    again.run(1 + cut, 9 - cut)
    w = whole.columns()["wealth"]
    assert w.min() >= 0
    assert w.sum() == n * wealth
    np.testing.assert_array_equal(again.columns()["wealth"], w)


@given(n=st.integers(1, 200), width=st.integers(3, 9), height=st.integers(3, 9), cut=st.integers(0, 6))
@settings(max_examples=30, deadline=None)
def test_grid_conserves_wealth_and_resumes_exactly(n: int, width: int, height: int, cut: int) -> None:
    for activation in ACTIVATIONS[:2]:
        whole, split, again = (grid(n, width, height, activation, 3) for _ in range(3))
        whole.run(1, 6)
        split.run(1, cut)
        again.load(split.save())
        again.run(1 + cut, 6 - cut)
        assert whole.columns()["wealth"].sum() == 3 * n
        assert whole.columns()["wealth"].min() >= 0
        for name, column in whole.columns().items():
            np.testing.assert_array_equal(again.columns()[name], column)


def test_one_agent_on_a_grid_keeps_its_money() -> None:
    game = grid(1, 3, 3, "random-sequential", 5)
    game.run(1, 50)
    assert game.columns()["wealth"].tolist() == [5]


def test_all_agents_in_few_cells_are_hosted() -> None:
    game = grid(5000, 3, 3, "random-sequential")
    game.run(1, 5)
    assert game.columns()["wealth"].sum() == 5000


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_exchange_reaches_the_stationary_law_of_its_activation(activation: str) -> None:
    # 2e5 agents after 150 periods: the distance is within sampling noise (95 %: 0.0030), while the law
    # of any other activation is at least 0.03 away, so the test tells them apart.
    game = exchange(200_000, activation)
    game.run(1, 150)
    wealth = game.columns()["wealth"]
    certificate = game.certificate()
    assert certificate.value < 0.0035
    assert certificate.low == 0.0 or certificate.low < 0.0005
    counts = measures.wealth_counts(wealth)
    for other in set(ACTIVATIONS) - {activation}:
        assert laws.ks_distance(counts, laws.stationary(other, 1.0)) > 0.03
    assert measures.gini(wealth) == pytest.approx(laws.gini(laws.stationary(activation, 1.0)), abs=0.005)


@pytest.mark.parametrize("mean", [0.25, 1.0, 3.0, 50.0])
def test_gini_of_the_boltzmann_gibbs_law_is_the_closed_form(mean: float) -> None:
    law = laws.stationary("random-scan", mean)
    assert laws.gini(law) == pytest.approx((1 + mean) / (1 + 2 * mean), rel=1e-10)


def test_random_scan_law_of_two_agents_is_uniform() -> None:
    # Two agents share 3 units; single gifts between random pairs make all four splits equally likely.
    # Counted over 4,000 periods; neighbouring periods are correlated, hence the wide tolerance.
    game = exchange(2, "random-scan", 3)
    game._wealth[:] = (3, 0)
    counts = np.zeros(4)
    for step in range(1, 4001):
        game.run(step, 1)
        total = int(game.columns()["wealth"].sum())
        assert total == 3
        counts[int(game.columns()["wealth"][0])] += 1
    np.testing.assert_allclose(counts / 4000, 0.25, atol=0.05)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mean", [0.0, 0.1, 1.0, 7.5, 400.0])
def test_laws_are_probabilities_with_the_given_mean(activation: str, mean: float) -> None:
    law = laws.stationary(activation, mean)
    assert law.min() >= 0
    assert law.sum() == pytest.approx(1, abs=1e-9)
    assert np.arange(law.size) @ law == pytest.approx(mean, rel=1e-8)


def test_simultaneous_law_solves_its_balance_equation() -> None:
    law = laws.stationary("simultaneous", 2.0)[:200]
    load = 1 - law[0]
    poisson = np.exp(np.arange(200) * np.log(load) - load - np.cumsum(np.log(np.maximum(1, np.arange(200)))))
    after_giving = np.concatenate(([law[0] + law[1]], law[2:]))
    np.testing.assert_allclose(np.convolve(after_giving, poisson)[:150], law[:150], atol=1e-12)


def test_sequential_law_solves_its_balance_equation() -> None:
    # Independent of the generating function: one sweep applied to the law by quadrature over the
    # acting time gives the law back.
    law = laws.stationary("random-sequential", 1.0)[:120]
    q = law[0]
    nodes, weights = np.polynomial.legendre.leggauss(30)
    total = np.zeros(120)
    k = np.arange(120)
    log_factorial = np.cumsum(np.log(np.maximum(1, k)))
    for u, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        level, end = np.log(q + (1 - q) * np.exp(u)), np.log(q + (1 - q) * np.e)
        before = np.exp(k * np.log(level) - level - log_factorial)
        later = np.exp(k * np.log(end - level) - (end - level) - log_factorial)
        acting = np.convolve(law, before)[:120]
        given = np.concatenate(([acting[0] + acting[1]], acting[2:]))
        total += weight * np.convolve(given, later)[:120]
    np.testing.assert_allclose(total[:80], law[:80], atol=1e-12)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_gini_equals_the_mean_difference_form(values: list[int]) -> None:
    x = np.array(values, np.int32)
    expected = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean()) if x.sum() else 0.0
    assert measures.gini(x) == pytest.approx(expected, abs=1e-12)
    assert measures.gini(x.astype(np.float64)) == pytest.approx(expected, abs=1e-12)


def test_gini_of_wide_integers_and_of_one_owner() -> None:
    assert measures.gini(np.array([0] * 9 + [10**9], np.int64)) == pytest.approx(0.9)
    assert measures.gini(np.array([2**62, 2**62 - 1, 0], np.int64)) == pytest.approx(1 / 3)


def test_top_share_counts_the_richest_agents() -> None:
    assert measures.top_share(np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 11]), 0.1) == pytest.approx(0.55)
    assert measures.top_share(np.zeros(5), 0.1) == 0.0
    assert measures.top_share(np.arange(5), 1.0) == 1.0


@pytest.mark.parametrize("values", [[-1, 2], [float("nan"), 1.0], [float("inf"), 1.0], []])
def test_gini_refuses_values_without_meaning(values: list[float]) -> None:
    with pytest.raises(InvalidValue):
        measures.gini(np.array(values))


@pytest.mark.parametrize(
    "wrong",
    [
        {"agents": -5},
        {"agents": 1},
        {"initial_wealth": -1},
        {"activation": "parallel"},
        {"agents": 10**8, "initial_wealth": 100},
        {"agents": 2.5},
        {"agnets": 10},
    ],
)
def test_bad_wealth_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WealthSettings.model_validate({"activation": "simultaneous", **wrong})


def test_activation_must_be_named() -> None:
    with pytest.raises(ValidationError, match="activation"):
        WealthSettings.model_validate({"agents": 10})


@pytest.mark.parametrize("wrong", [{"width": 2}, {"height": 0}, {"width": 10**6, "height": 10**6}])
def test_bad_grid_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WealthGridSettings.model_validate({"activation": "simultaneous", **wrong})


def test_law_refuses_unknown_activation_and_mean() -> None:
    with pytest.raises(InvalidValue, match="activation"):
        laws.stationary("parallel", 1.0)
    with pytest.raises(InvalidValue, match="mean"):
        laws.stationary("simultaneous", -1.0)
