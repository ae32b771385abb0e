"""Cascading decision processes: the list oracle, planning, learning, refusals."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from equilibria.agents.decisions.cascading import CascadingLearner
from equilibria.games.decisions import cascading_kernels as kernels
from equilibria.games.decisions.cascading import CascadingGame, build
from equilibria.games.decisions.settings import CascadingSettings
from equilibria.sim.errors import EquilibriaError, InvalidValue
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine


def game(seed: int = 1, **settings: Any) -> CascadingGame:
    return build(CascadingSettings(**settings), seeds=SeedTree(seed))


def learner(g: CascadingGame, *, scale: float = 0.1, explore: float = 0.0, seed: int = 5) -> CascadingLearner:
    return CascadingLearner(g, scale=scale, explore=explore, delta=0.05, episodes=100_000, seeds=SeedTree(seed))


def worth_of(u: Any, w: Any, end: float, shown: tuple[int, ...]) -> float:
    value = end
    for a in reversed(shown):
        value = u[a] * w[a] + (1.0 - u[a]) * value
    return value


def test_the_oracle_equals_brute_force_over_all_ordered_lists() -> None:
    rng = np.random.default_rng(1)
    for trial in range(1000):
        n, m = int(rng.integers(1, 8)), int(rng.integers(1, 5))
        u, w = rng.random(n), rng.random(n)
        end = float(rng.random())
        if trial % 2:  # ties in both, and items worth exactly the virtual one
            u, w, end = np.round(u, 1), np.round(w, 1), round(end, 1)
        chosen = np.empty(m, np.int64)
        value = kernels.best_list(u, w, end, np.empty(n, np.int64), np.empty((n + 1, m + 1)), chosen)
        lists = itertools.chain.from_iterable(itertools.permutations(range(n), k) for k in range(min(n, m) + 1))
        assert value == pytest.approx(max(worth_of(u, w, end, x) for x in lists), abs=1e-12)
        shown = tuple(int(a) for a in chosen if a >= 0)
        assert len(set(shown)) == len(shown)
        assert worth_of(u, w, end, shown) == pytest.approx(value, abs=1e-12)


def test_planning_equals_value_iteration_over_explicit_lists() -> None:
    g = game(states=3, items=5, longest=2, horizon=3)
    lists, values = g.solve()
    expected = np.zeros((4, 3))
    for h in (2, 1, 0):
        for s in range(3):
            later = g.transition[s] @ expected[h + 1]
            worth = g.reward[s] + later[:5]
            options = itertools.chain.from_iterable(itertools.permutations(range(5), k) for k in range(3))
            expected[h, s] = max(worth_of(g.attraction[s], worth, float(later[5]), x) for x in options)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    np.testing.assert_allclose(g.evaluate(lists), values, atol=1e-12)


def test_simulated_returns_of_the_optimal_lists_agree_with_the_optimal_value() -> None:
    g = game(states=4, items=6)
    lists, values = g.solve()
    rng = np.random.default_rng(3)
    returns = []
    for _ in range(20_000):
        s, total = int(rng.integers(4)), 0.0
        for h in range(g.horizon):
            clicked = g.items
            for a in lists[h, s]:
                if a >= 0 and rng.random() < g.attraction[s, a]:
                    clicked = int(a)
                    total += g.reward[s, a]
                    break
            s = int(rng.choice(4, p=g.transition[s, clicked]))
        returns.append(total)
    error = np.std(returns) / np.sqrt(len(returns))
    assert np.mean(returns) == pytest.approx(values[0].mean(), abs=4 * error)


def test_optimism_learns_with_falling_regret_and_beats_random_exploration() -> None:
    g = game(items=8)
    vi, greedy = learner(g), learner(g, scale=0.0, explore=0.1)
    for each in (vi, greedy):
        each.step(10_000)
    early = vi.metrics()["regret"]
    for each in (vi, greedy):
        each.step(90_000)
    late = vi.metrics()["regret"]
    assert np.log10(late / early) <= 0.8  # measured: 0.2
    assert late < greedy.metrics()["regret"] / 2
    assert vi.certificate().value < 0.02


def test_the_learners_bounds_hold_the_optimal_value() -> None:
    g = game(seed=4, items=6)
    vi = learner(g, scale=1.0)
    best = g.solve()[1]
    for _ in range(20):
        vi.step(100)
        assert (vi._high >= best - 1e-9).all()
        assert (vi._low <= g.evaluate(vi.policy()) + 1e-9).all()
        assert vi.metrics()["gap_bound"] >= vi.metrics()["value_gap"] - 1e-9


def test_a_learner_goes_on_from_a_saved_state() -> None:
    g = game(items=6)
    whole, first, second = learner(g), learner(g), learner(g)
    whole.step(300)
    first.step(120)
    second.load(first.save())
    np.testing.assert_array_equal(second.policy(), first.policy())
    second.step(180)
    assert second.metrics() == whole.metrics()


@pytest.mark.parametrize("agent", ["cascading_vi", "cascading_greedy"])
def test_the_engine_keeps_its_contract(agent: str) -> None:
    scenario = {
        "version": 1,
        "name": "cascade",
        "game": {"use": "cascading", "params": {"states": 3, "items": 4, "longest": 2}},
        "agents": [{"use": agent}],
        "metrics": [{"use": m, "every": 2} for m in ("regret", "value_gap", "gap_bound")],
        "tables": [{"name": "policy", "every": 3}],
        "run": {"budget": 9, "seed": 1},
    }
    check_engine(plan_from_bytes(json.dumps(scenario).encode(), "cascade.yaml").build)


def test_broken_processes_and_lists_are_named() -> None:
    g = game(states=2, items=3, longest=2)
    with pytest.raises(InvalidValue, match=r"attraction\[0, 1\] must lie in \[0, 1\]"):
        CascadingGame(np.array([[0.1, 1.5, 0.0]] * 2), g.reward, g.transition, 2, 3)
    with pytest.raises(InvalidValue, match=r"reward\[1, 0\]"):
        CascadingGame(g.attraction, np.where([[False], [True]], np.nan, g.reward), g.transition, 2, 3)
    with pytest.raises(InvalidValue, match="must sum to 1"):
        CascadingGame(g.attraction, g.reward, g.transition / 2, 2, 3)
    with pytest.raises(InvalidValue, match="shape"):
        CascadingGame(g.attraction, g.reward[:, :2], g.transition, 2, 3)
    twice = np.zeros((3, 2, 2), np.int64)
    with pytest.raises(InvalidValue, match=r"lists\[0, 0\] must hold distinct items"):
        g.evaluate(twice)
    with pytest.raises(EquilibriaError):
        plan_from_bytes(
            b"version: 1\nname: x\ngame: {use: cascading}\nagents: [{use: cfr}]\nrun: {budget: 1}", "x.yaml"
        )
