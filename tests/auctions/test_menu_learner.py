"""The menu learner: gradients, contract, known optimal menus and the revenue it reaches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from equilibria.agents.mechanism_design.menu import RochetNet, _gradients
from equilibria.agents.mechanism_design.settings import MenuLearnerSettings
from equilibria.games.auctions.menus import Menu, MenuGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray
from equilibria.testing import check_solver

KNOWN: dict[str, Callable[[], MenuGame]] = {
    "square": lambda: MenuGame([0, 0], [1, 1]),
    "rectangle": lambda: MenuGame([4, 4], [16, 7]),
    "triangle": lambda: MenuGame([0, 0], [1, 1], support="triangle"),
    "unit": lambda: MenuGame([0, 0], [1, 1], demand="unit"),
    "unit 2 to 3": lambda: MenuGame([2, 2], [3, 3], demand="unit"),
}


@pytest.mark.parametrize("make", KNOWN.values(), ids=KNOWN.keys())
def test_known_optimal_menus_earn_the_known_revenue(make: Callable[[], MenuGame]) -> None:
    game = make()
    menu, optimum = game.optimal_menu(), game.optimum()
    assert menu is not None and optimum is not None
    paid = menu.payments(game.sample(np.random.default_rng(1), 1_000_000))
    assert abs(paid.mean() - optimum) < 4 * paid.std() / 1e3 + 1e-4  # the published optimum has four digits


def test_rectangle_optimum_is_88_ninths() -> None:
    # buys both at 12 if v1 >= 8; else half of item 1 and item 2 at 8 if v1 / 2 + v2 >= 8
    v1, v2 = np.meshgrid(4 + 12 * (np.arange(2400) + 0.5) / 2400, 4 + 3 * (np.arange(600) + 0.5) / 600)
    values = np.stack([v1.ravel(), v2.ravel()], axis=1)
    menu = MenuGame([4, 4], [16, 7]).optimal_menu()
    assert menu is not None
    assert menu.payments(values).mean() == pytest.approx(88 / 9, abs=2e-3)  # cells on the boundary


def test_gradients_equal_finite_differences() -> None:
    rng = np.random.default_rng(0)
    values, shares, prices = rng.random((50, 2)), rng.random((4, 2)), rng.random(4)

    def revenue(w: FloatArray, p: FloatArray) -> float:
        e = np.exp(7.0 * (values @ w.T - p))
        return float(((e / (e.sum(axis=1, keepdims=True) + 1)) * p).sum(axis=1).mean())

    d_shares, d_prices = _gradients(values, shares, prices, 7.0)
    for j in range(4):
        step = np.zeros(4)
        step[j] = 1e-6
        slope = (revenue(shares, prices + step) - revenue(shares, prices - step)) / 2e-6
        assert d_prices[j] == pytest.approx(slope, abs=1e-6)  # float32 in the table of choices
        for k in range(2):
            move = np.zeros((4, 2))
            move[j, k] = 1e-6
            slope = (revenue(shares + move, prices) - revenue(shares - move, prices)) / 2e-6
            assert d_shares[j, k] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("demand", ["additive", "unit"])
def test_the_learner_keeps_the_contract(demand: str) -> None:
    game = MenuGame([0, 0], [1, 1], demand=demand)
    settings = MenuLearnerSettings(options=8, batch=16, judged=1000)
    check_solver(lambda: RochetNet(game, settings, budget=40, seeds=SeedTree(3)))


def test_any_menu_is_truthful_and_individually_rational() -> None:
    rng = np.random.default_rng(2)
    menu = Menu(rng.random((30, 2)), rng.random(30))
    true, lie = rng.random((2000, 2)), rng.random((2000, 2))

    def utility(reports: FloatArray) -> FloatArray:
        u = np.concatenate([np.zeros((2000, 1)), reports @ menu.shares.T - menu.prices], axis=1)
        choice = u.argmax(axis=1)
        own = np.concatenate([np.zeros((2000, 1)), true @ menu.shares.T - menu.prices], axis=1)
        return np.asarray(own[np.arange(2000), choice])

    assert (utility(true) >= utility(lie)).all() and (utility(true) >= 0).all()


def test_unit_demand_shares_sum_to_at_most_one() -> None:
    solver = RochetNet(MenuGame([0, 0, 0], [1, 1, 1], demand="unit"), MenuLearnerSettings(options=20, batch=64))
    solver.step(20)
    assert (solver.policy().shares.sum(axis=1) <= 1 + 1e-12).all()


def test_the_certificate_contains_the_known_gap() -> None:
    solver = RochetNet(
        MenuGame([0, 0], [1, 1], demand="unit"), MenuLearnerSettings(options=40, batch=256, judged=50_000), budget=300
    )
    solver.step(300)
    found = solver.certificate()
    assert found.details["regret"] == 0.0 and found.kind == "estimate"
    assert found.low <= found.value <= found.high < 0.3 * 0.3849
    unknown = RochetNet(MenuGame([0, 0], [4, 3]), MenuLearnerSettings(options=4, batch=16, judged=1000)).certificate()
    assert unknown.measure == "revenue" and "not known" in unknown.warning


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lows", "highs", "least"),
    [([0, 0], [1, 1], 0.995 * 0.549201), ([4, 4], [16, 7], 0.998 * 88 / 9), ([0, 0], [4, 3], 1.905)],
)
def test_learned_revenue_reaches_the_acceptance_values(lows: list[float], highs: list[float], least: float) -> None:
    solver = RochetNet(MenuGame(lows, highs), MenuLearnerSettings(judged=2_000_000), seeds=SeedTree(1))
    solver.step(6000)
    found = solver.certificate()
    if found.measure == "revenue":
        assert found.value >= least
    else:
        optimum = solver.game.optimum()
        assert optimum is not None and optimum - found.value >= least


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: MenuGame([0], [1, 1]), "equally many"),
        (lambda: MenuGame([1], [1]), "0 <= low < high"),
        (lambda: MenuGame([0], [1], demand="two"), "demand is additive or unit"),
        (lambda: MenuGame([0], [1], support="triangle"), "the triangle needs two items"),
    ],
)
def test_bad_games_are_named(call: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        call()
