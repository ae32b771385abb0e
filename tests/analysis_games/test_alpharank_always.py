"""Alpha-rank answers every game: large, tied, stiff, with several sinks and any number of players."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from equilibria.agents.solvers.population import PSRO
from equilibria.games.analysis import (
    alpha_rank,
    alpha_rank_single,
    alpharank,
    alpharank_implicit,
    markov,
    markov_chain,
    markov_sparse,
)
from equilibria.games.analysis.markov import NEVER, gth, gth_log, gth_orders
from equilibria.games.extensive.spiel import openspiel
from equilibria.sim.types import FloatArray

Maker = Callable[[np.random.Generator, tuple[int, ...]], list[FloatArray]]


def _common(rng: np.random.Generator, shape: tuple[int, ...]) -> list[FloatArray]:
    return [rng.integers(0, 3, shape).astype(float)] * len(shape)


def _conventions(rng: np.random.Generator, shape: tuple[int, ...]) -> list[FloatArray]:
    place = np.indices(shape)
    same = (place == place[0]).all(0)
    return [np.where(same, rng.integers(1, 4, shape), rng.integers(-1, 1, shape)).astype(float) for _ in shape]


def _zero_rows(rng: np.random.Generator, shape: tuple[int, ...]) -> list[FloatArray]:
    return [rng.normal(size=shape) * (np.indices(shape)[p] % 2) for p in range(len(shape))]


MAKERS: dict[str, Maker] = {
    "normal": lambda rng, shape: [rng.normal(size=shape) for _ in shape],
    "tied": lambda rng, shape: [rng.integers(0, 3, shape).astype(float) for _ in shape],
    "heavy tails": lambda rng, shape: [rng.normal(size=shape) ** 7 for _ in shape],
    "common interest": _common,
    "conventions": _conventions,
    "zero rows": _zero_rows,
}
SHAPES = [(5, 6), (3, 3, 3), (2, 2, 2, 2, 2)]


def _edges(payoffs: list[FloatArray]) -> alpharank._Edges:
    shape = payoffs[0].shape
    flat = np.stack(payoffs).reshape(len(shape), -1)
    return alpharank._Edges(*alpharank._deviations(flat, np.array(shape, np.int64)))


def _dense(edges: alpharank._Edges, value: FloatArray, empty: float) -> FloatArray:
    n = len(edges.pointer) - 1
    out = np.full((n, n), empty)
    out[np.repeat(np.arange(n), np.diff(edges.pointer)), edges.target] = value
    return out


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_contraction_by_orders_equals_dense_leading_orders(kind: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(8):
        edges = _edges(MAKERS[kind](rng, shape))
        worse = edges.advantage < -1e-14
        rates = _dense(edges, np.where(np.abs(edges.advantage) <= 1e-14, 0.5, 1.0), 0.0)
        x, order = gth_orders(rates, _dense(edges, worse.astype(float), float(NEVER)).astype(np.int32))
        expected = np.where(order == order.min(), x, 0.0)
        found = alpharank._by_orders(edges, 1e-14, alpharank._Watch())
        np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-12)
        np.testing.assert_allclose(alpharank._limit(edges, 1e-14, alpharank._Watch())[0], found, atol=1e-12)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("alpha", [0.1, 10.0, 1e4])
def test_aggregation_equals_logarithmic_reduction_in_every_state(
    kind: str, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markov_sparse, "DIRECT", 12)
    rng = np.random.default_rng(6)
    for shape in ((12, 14), (5, 5, 5)):
        edges = _edges(MAKERS[kind](rng, shape))
        n = len(edges.pointer) - 1
        logs = alpharank._log_fixation(alpha * edges.advantage, 50)
        source = np.repeat(np.arange(n, dtype=np.int32), np.diff(edges.pointer))
        found, residual = markov_sparse.solve(markov_chain.incoming(n, source, edges.target, logs))
        exact = gth_log(_dense(edges, logs, -np.inf))
        rounding = 1e-16 * np.abs(logs).max()
        np.testing.assert_allclose(np.exp(found), np.exp(exact), atol=1e-9 + 100 * rounding)
        # relative to itself even where a state holds exp(-1e5) of the mass
        assert np.abs(found - exact).max() < 1e-6 + 100 * rounding
        assert residual < 1e-6 + 100 * rounding


def test_v_cycles_solve_what_two_levels_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    # a random landscape has metastable sets on all scales; the closed form is switched off
    monkeypatch.setattr(markov_sparse, "DIRECT", 16)
    a = np.random.default_rng(0).normal(size=(18, 18))
    edges = _edges([a, a])
    logs = alpharank._log_fixation(edges.advantage, 50)
    source = np.repeat(np.arange(324, dtype=np.int32), np.diff(edges.pointer))
    found, residual = markov_sparse.solve(markov_chain.incoming(324, source, edges.target, logs))
    np.testing.assert_allclose(found - found.max(), (49 * (a - a.max())).ravel(), atol=1e-6)
    assert residual < 1e-8


def test_potential_games_have_a_closed_form_at_finite_alpha() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=(20, 30))
    payoffs = [common + rng.normal(size=30), common + rng.normal(size=(20, 1))]  # own action does not enter the rest
    found = alpha_rank(payoffs, alpha=0.3, population=20)
    expected = np.exp(0.3 * 19 * (common - common.max()))
    np.testing.assert_allclose(found.distribution, expected / expected.sum(), rtol=1e-9)


def test_a_slow_class_is_solved_where_sweeps_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    # birth and death with a barrier in the middle: sweeps cross it once in about 1e8
    n = 60
    rates = np.zeros((n, n))
    for i in range(n - 1):
        left = i < n // 2
        rates[i, i + 1], rates[i + 1, i] = (1.0, 0.2) if not left else (0.2, 1.0)
    rates += np.diag(np.full(n - 1, 1e-9), 1) + np.diag(np.full(n - 1, 1e-9), -1)
    rates[-1, 0] = 1e-7  # no detailed balance
    monkeypatch.setattr(markov_sparse, "DIRECT", 8)
    source, target = np.nonzero(rates)
    chain = markov_chain.incoming(n, source.astype(np.int32), target.astype(np.int32), np.log(rates[source, target]))
    found, residual = markov_sparse.solve(chain)
    np.testing.assert_allclose(np.exp(found), gth(rates.copy()), rtol=1e-6)
    assert residual < 1e-4  # the residual counts the states of least mass, too


@pytest.mark.parametrize("alpha", [None, 1e-3, 1.0, 1e3, 1e12])
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e307])
def test_every_scale_and_intensity_gets_an_answer(alpha: float | None, scale: float) -> None:
    rng = np.random.default_rng(2)
    payoffs = [scale * rng.normal(size=(25, 25)) for _ in range(2)]
    found = alpha_rank(payoffs, alpha=alpha)
    assert np.isfinite(found.distribution).all() and abs(found.distribution.sum() - 1) < 1e-9
    single = alpha_rank_single(payoffs[0], alpha=alpha)
    assert np.isfinite(single.distribution).all() and abs(single.distribution.sum() - 1) < 1e-9


@pytest.mark.parametrize("alpha", [None, 10.0])
@pytest.mark.parametrize("shape", [(28, 27, 27), (2,) * 14, (7, 7, 7, 7, 9)])
def test_twenty_thousand_profiles_of_many_players_are_ranked(shape: tuple[int, ...], alpha: float | None) -> None:
    rng = np.random.default_rng(3)
    payoffs = [rng.normal(size=shape) for _ in shape]
    found = alpha_rank(payoffs, alpha=alpha)
    assert abs(found.distribution.sum() - 1) < 1e-9 and found.residual < 1e-9
    for p, marginal in enumerate(found.marginals):
        assert len(marginal) == shape[p] and marginal.min() >= 0


def test_conventions_of_many_players_need_many_mistakes_at_once() -> None:
    # 14 players coordinate; the convention that more mistakes are needed to leave holds all mass
    players = 14
    ones = np.indices((2,) * players).sum(0)
    payoff = np.where(ones == players, 2.0, np.where(ones == 0, 1.0, 0.0))
    found = alpha_rank([payoff] * players)
    # from all zeros or all ones one mistake leads to ties that drift: both conventions stay equally hard to leave
    assert found.sinks == 2
    np.testing.assert_allclose([found.distribution.ravel()[0], found.distribution.ravel()[-1]], 0.5, atol=1e-9)
    checkerboard = np.where(ones % 2 == 0, 1.0, 0.0)
    even = alpha_rank([checkerboard] * players)
    assert even.sinks == 2 ** (players - 1)
    np.testing.assert_allclose(even.distribution.max(), 2.0 ** (1 - players), rtol=1e-9)


def test_residual_is_zero_for_direct_reduction() -> None:
    rng = np.random.default_rng(4)
    assert alpha_rank([rng.normal(size=(6, 6)) for _ in range(2)], alpha=0.1).residual == 0.0
    assert markov.gth(np.array([[0.0, 1.0], [3.0, 0.0]])).tolist() == [0.75, 0.25]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("many", [32, 1])
def test_limit_read_off_the_payoffs_equals_the_one_with_edges(
    kind: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpharank_implicit, "_MANY", many)
    rng = np.random.default_rng(8)
    for shape in (*SHAPES, (4, 3, 4)):
        for _ in range(4):
            payoffs = MAKERS[kind](rng, shape)
            with_edges = alpha_rank(payoffs)
            with monkeypatch.context() as patched:
                patched.setattr(alpharank, "EDGE_LIMIT", 1)
                without = alpha_rank(payoffs)
            assert without.sinks == with_edges.sinks
            if without.residual < 0.5:  # else single mistakes do not connect the sinks, and it says so
                np.testing.assert_allclose(without.distribution, with_edges.distribution, atol=1e-6)
            else:
                assert without.residual == 1.0 and abs(without.distribution.sum() - 1) < 1e-9


@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize("alpha", [0.05, 1.0, 30.0])
def test_finite_alpha_needs_no_stored_deviations(kind: str, alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    for shape in (*SHAPES, (4, 3, 4)):
        payoffs = MAKERS[kind](rng, shape)
        with_edges = alpha_rank(payoffs, alpha=alpha)
        with monkeypatch.context() as patched:
            patched.setattr(alpharank, "EDGE_LIMIT", 1)
            without = alpha_rank(payoffs, alpha=alpha)
        assert without.method == with_edges.method == "finite alpha"
        np.testing.assert_allclose(without.distribution, with_edges.distribution, atol=1e-6)
        assert without.residual < 1e-7 or alpha > 1.0  # profiles of next to no mass may still move


@pytest.mark.parametrize("players", [3, 4])
def test_alpha_rank_trains_populations_of_many_players(players: int) -> None:
    solver = PSRO(openspiel(f"kuhn_poker(players={players})"), meta_solver="alpharank", eval="uniform")
    solver.step(9)
    assert solver.meta.sizes.tolist() == [10] * players
    assert solver.distance().nash_conv > 0
