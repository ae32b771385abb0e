"""RegretNet: feasible and individually rational outcomes, known regret, contract, acceptance of a small run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from equilibria.agents.learning.torch_import import torch
from equilibria.agents.mechanism_design.menu import build as build_menu
from equilibria.agents.mechanism_design.regret_net import RegretNet, build, itemwise_myerson
from equilibria.agents.mechanism_design.settings import MenuLearnerSettings, RegretNetSettings
from equilibria.games.auctions.menus import MenuGame
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_solver

SMALL = RegretNetSettings(
    hidden=16, batch=16, batches=3, inner_steps=3, judged=1000, judged_profiles=20, judged_restarts=3, judged_steps=5
)


def learner(game: MenuGame, **change: Any) -> RegretNet:
    return RegretNet(game, SMALL.model_copy(update=change), seeds=SeedTree(2))


@pytest.mark.parametrize("demand", ["additive", "unit"])
@pytest.mark.parametrize("bidders", [1, 3])
def test_learned_auctions_sell_what_there_is_and_nobody_pays_more_than_reported(demand: str, bidders: int) -> None:
    game = MenuGame([0, 1], [1, 3], demand=demand, bidders=bidders)
    auction = learner(game)
    auction.step(5)
    reports = game.sample(np.random.default_rng(1), 500 * bidders).reshape(500, bidders, 2)
    shares, paid = auction.allocate(reports)
    assert shares.min() >= 0.0
    assert shares.sum(axis=1).max() <= 1 + 1e-6
    if demand == "unit":
        assert shares.sum(axis=2).max() <= 1 + 1e-6
    assert (paid <= (shares * reports).sum(axis=2) + 1e-6).all()
    assert (paid >= 0.0).all()


@pytest.mark.parametrize("bidders", [1, 2])
def test_regret_is_the_gain_from_the_best_report_of_a_grid(bidders: int) -> None:
    auction = learner(MenuGame([0], [1], bidders=bidders), hidden=8)
    auction.step(3)
    rng = np.random.default_rng(5)
    values = np.random.default_rng(5).random((30, bidders, 1)).astype(np.float32).astype(np.float64)
    found = auction.regret(30, 20, 150, rng)
    grid = np.linspace(0, 1, 1001)
    for i in range(bidders):
        best = np.full(30, -np.inf)
        for bid in grid:
            reports = values.copy()
            reports[:, i] = bid
            shares, paid = auction.allocate(reports)
            best = np.maximum(best, values[:, i, 0] * shares[:, i, 0] - paid[:, i])
        shares, paid = auction.allocate(values)
        gain = best - (values[:, i, 0] * shares[:, i, 0] - paid[:, i])
        np.testing.assert_allclose(found[:, i], gain, atol=2e-4)
    assert found.max() > 0.01  # an untrained auction invites lies


def test_misreports_of_one_bidder_leave_the_other_reports_alone() -> None:
    auction = learner(MenuGame([0, 0], [1, 1], bidders=2))
    values, lies = torch.rand(4, 2, 2), torch.rand(4, 2, 2)
    layers = auction.network.unpack(auction._weights)
    together = auction._utility(layers, values, lies)
    for i in range(2):
        reports = values.clone()
        reports[:, i] = lies[:, i]
        shares, paid = auction.network(layers, reports)
        alone = (shares[:, i] * values[:, i]).sum(dim=1) - paid[:, i]
        torch.testing.assert_close(together[:, i], alone)


@pytest.mark.parametrize(("bidders", "items", "layers"), [(1, 2, 2), (2, 2, 1), (3, 1, 3)])
def test_written_out_ascents_equal_recorded_ones(bidders: int, items: int, layers: int) -> None:
    game = MenuGame([0.0, 1.0][:items], [1.0, 3.0][:items], bidders=bidders)
    auction = learner(game, layers=layers, misreport_step=0.01)
    auction._weights = auction._weights + 0.1 * torch.ones_like(auction._weights)
    values, start = (auction._sample(np.random.default_rng(k), 40) for k in (1, 2))
    weights = auction.network.unpack(auction._weights)
    for steps in (1, 6):
        found = auction._ascend(weights, values, start, steps)
        torch.testing.assert_close(found, auction._recorded_ascent(weights, values, start, steps), atol=2e-5, rtol=0)
        assert float((found - start).abs().max()) > 0.005 * steps


@pytest.mark.parametrize("bidders", [1, 2])
def test_the_learner_keeps_the_contract(bidders: int) -> None:
    check_solver(lambda: learner(MenuGame([0, 0], [1, 1], bidders=bidders)))


def test_the_certificate_says_regret_and_revenue_together() -> None:
    found = learner(MenuGame([0, 0], [1, 1])).certificate()
    assert found.kind == "lower bound"
    assert {"revenue", "revenue_share", "optimum", "largest_regret"} <= set(found.details)
    two = learner(MenuGame([0, 0], [1, 1], bidders=2))
    assert two.certificate().details["itemwise_myerson"] == pytest.approx(5 / 6)
    assert set(two.metrics()) == {"revenue", "regret"}


def test_known_optima_of_several_bidders() -> None:
    assert MenuGame([0], [1], bidders=3).optimum() == pytest.approx(0.53125)
    assert MenuGame([0, 0], [1, 1], bidders=2).optimum() is None
    assert itemwise_myerson(MenuGame([0] * 10, [1] * 10, bidders=3)) == pytest.approx(5.3125)


def test_learning_raises_revenue_to_near_the_optimum() -> None:
    auction = learner(MenuGame([0], [1]), hidden=32, batch=64, inner_steps=5, batches=20, step=0.005)
    auction.step(300)
    after = auction.metrics()
    assert after["revenue_share"] == pytest.approx(1.0, abs=0.1)
    assert after["regret"] < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101])  # about 300 s
def test_two_items_reach_the_optimum_within_three_per_cent_with_little_regret(seed: int) -> None:
    """20,000 updates of 25 ascent steps; regret from 100 random reports of 200 steps for each of 200 profiles."""
    auction = RegretNet(MenuGame([0, 0], [1, 1]), seeds=SeedTree(seed))
    auction.step(20_000)
    found = auction.certificate()
    print(seed, found.sentence(), found.details)
    assert found.high <= 0.005
    assert abs(float(str(found.details["revenue"])) / 0.549201 - 1) <= 0.03


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: MenuGame([0], [1], bidders=0), "bidders must be at least 1"),
        (lambda: learner(MenuGame([0], [1])).allocate(np.zeros((2, 1))), r"shape \[profiles, 1, 1\], got \(2, 1\)"),
        (lambda: learner(MenuGame([0], [1])).allocate(np.full((1, 1, 1), np.nan)), r"reports\[0, 0, 0\].*nan"),
        (lambda: learner(MenuGame([0], [1])).load(learner(MenuGame([0, 0], [1, 1])).save()), "weights"),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        call()


def test_games_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedGame, match="regret_net plays menu_sale"):
        build(SMALL, game=object(), roles=("all",), seeds=SeedTree(0), budget=1)
    with pytest.raises(UnsupportedGame, match="rochet_net sells to one bidder, the game has 2"):
        build_menu(
            MenuLearnerSettings(), game=MenuGame([0], [1], bidders=2), roles=("all",), seeds=SeedTree(0), budget=1
        )
