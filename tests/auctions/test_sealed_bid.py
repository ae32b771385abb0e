"""Sealed-bid auctions on grids: agreement with game trees and OpenSpiel, recovery of known equilibria."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import equilibria as eq
from equilibria.agents.solvers.sealed_bid.settings import BayesianCFRPlusSettings
from equilibria.agents.solvers.sealed_bid.solver import BayesianCFRPlus
from equilibria.games.auctions.sealed_bid import CODES, SealedBidGame, auction_game, grid_of, uniform_auction
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.mechanisms import all_pay, first_price, second_price, war_of_attrition
from equilibria.mechanisms.priors import Exponential, Power, Uniform
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.testing import check_solver

WEIGHTED = BayesianCFRPlusSettings(regret_power=1.0, average_power=2.0)
RULES = {
    "first_price": first_price,
    "second_price": second_price,
    "all_pay": all_pay,
    "war_of_attrition": war_of_attrition,
}


def random_policy(game: SealedBidGame, seed: int) -> Any:
    weight = np.random.default_rng(seed).random(game.legal.shape) * game.legal
    return weight / np.maximum(weight.sum(axis=2, keepdims=True), 1e-300)


@pytest.mark.parametrize("rule", CODES)
@pytest.mark.parametrize(("n", "types"), [(1, 4), (2, 5), (3, 3)])
def test_values_and_gains_equal_those_of_the_tree(rule: str, n: int, types: int) -> None:
    reserve = 0.0 if rule == "war_of_attrition" else 0.3
    priors = [Uniform(), Uniform(0, 2), Power(2.0)][:n]
    game = auction_game(rule, priors, types=types, bids=types + 1, reserve=reserve)
    tree = game.tree()
    policy = random_policy(game, 1)
    found = game.evaluate(policy)
    # the tree lists players, then types, then bids; each player starts with the empty sequence
    blocks = [np.concatenate([[1.0], policy[p, : int(game.counts[p])].ravel()]) for p in range(n)]
    table = BehaviouralPolicy(tree, np.concatenate(blocks))
    np.testing.assert_allclose(found.values, eq.expected_values(tree, table), atol=1e-12)
    assert found.nash_conv == pytest.approx(eq.nash_conv(tree, table), abs=1e-12)


@pytest.mark.parametrize("rule", CODES)
def test_cfr_plus_makes_the_iterates_of_the_tree_solver(rule: str) -> None:
    game = auction_game(rule, [Uniform(), Uniform(0, 2)], types=5, bids=6)
    ours, theirs = BayesianCFRPlus(game), eq.agents.CFRPlus(game.tree())
    ours.step(40)
    theirs.step(40)
    assert ours.metrics()["nash_conv"] == pytest.approx(eq.nash_conv(game.tree(), theirs.average_policy()), abs=1e-10)


def test_nash_conv_equals_openspiel_to_1e_8() -> None:
    import pyspiel

    k = 5
    values = np.arange(1.0, k + 1)
    game = SealedBidGame(
        "first_price", [values, values], [np.full(k, 1 / k)] * 2, np.arange(float(k)), allowed="below_value"
    )
    solver = BayesianCFRPlus(game)
    solver.step(60)
    spiel = pyspiel.load_game(f"first_sealed_auction(players=2,max_value={k})")
    peer = pyspiel.CFRPlusSolver(spiel)
    for _ in range(60):
        peer.evaluate_and_update_policy()
    assert solver.metrics()["nash_conv"] == pytest.approx(pyspiel.nash_conv(spiel, peer.average_policy()), abs=1e-8)


@pytest.mark.parametrize("rule", CODES)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_grid_auctions_follow_the_rules_of_the_library(rule: str, n: int) -> None:
    game = auction_game(rule, [Uniform()] * n, types=4, bids=5)
    policy = random_policy(game, 2)
    rng = np.random.default_rng(3)
    draws = 200_000
    types = rng.choice(4, (draws, n), p=game.masses[0])
    cumulative = policy.cumsum(axis=2)
    bids = np.empty((draws, n))
    for p in range(n):
        bids[:, p] = game.bids[np.minimum((rng.random(draws)[:, None] > cumulative[p, types[:, p]]).sum(axis=1), 4)]
    out = RULES[rule]().allocate_and_price(bids)
    utility = game.values[0][types] * out.alloc[:, :, 0] - out.pay
    found = game.evaluate(policy)
    assert (np.abs(utility.mean(axis=0) - found.values) < 4.5 * utility.std(axis=0) / np.sqrt(draws) + 1e-12).all()
    assert abs(out.revenue.mean() - found.revenue) < 4.5 * out.revenue.std() / np.sqrt(draws) + 1e-12


def test_first_price_equilibrium_is_recovered_on_101_values_and_bids() -> None:
    solver = BayesianCFRPlus(uniform_auction("first_price", types=101, bids=101))
    solver.step(1000)
    numbers = solver.metrics()
    assert numbers["ex_ante_loss"] <= 1e-3
    assert numbers["bid_error"] <= 0.02


@pytest.mark.parametrize(
    ("rule", "n", "tolerance"),
    # two steps of the bid grid (0.01): the grid moves equilibria by one, slow convergence of low types adds the other
    [("second_price", 2, 0.02), ("all_pay", 2, 0.02), ("first_price", 3, 0.02)],
)
def test_other_equilibria_are_recovered(rule: str, n: int, tolerance: float) -> None:
    solver = BayesianCFRPlus(uniform_auction(rule, bidders=n))
    solver.step(2000)
    assert solver.metrics()["bid_error"] <= tolerance


@pytest.mark.parametrize(
    ("rule", "priors", "top"),
    [
        ("first_price", [Uniform()] * 2, 1.0),
        ("first_price", [Uniform()] * 3, 1.0),
        ("first_price", [Uniform()] * 5, 1.0),
        ("all_pay", [Uniform()] * 2, 1.0),
        ("first_price", [Uniform(), Uniform(0, 2)], 0.8),
    ],
)
def test_learned_bids_are_within_one_percent_and_lose_half_a_percent(
    rule: str, priors: list[Uniform], top: float
) -> None:
    solver = BayesianCFRPlus(auction_game(rule, priors, types=101, bids=201, top_bid=top), WEIGHTED)
    solver.step(2000)
    assert solver.bid_l2() <= 0.005
    assert solver.utility_loss() <= 0.002


def test_early_regrets_of_low_types_fade_only_with_weights() -> None:
    game = uniform_auction("first_price", bidders=5, types=101, bids=201)
    plain, weighted = BayesianCFRPlus(game), BayesianCFRPlus(game, WEIGHTED)
    plain.step(1000)
    weighted.step(1000)
    assert weighted.bid_l2() < 0.01
    assert plain.bid_l2() > 0.02
    assert weighted.metrics()["nash_conv"] < 0.2 * plain.metrics()["nash_conv"]


def test_distances_need_a_closed_form() -> None:
    solver = BayesianCFRPlus(auction_game("all_pay", [Exponential()] * 2, types=5, bids=5))
    assert "bid_error" not in solver.metrics()
    with pytest.raises(InvalidValue, match="no known closed form"):
        solver.utility_loss()


def test_truth_is_an_exact_equilibrium_of_the_second_price_grid() -> None:
    game = uniform_auction("second_price", bidders=3, types=21, bids=21)
    assert game.evaluate(game.truthful()).nash_conv < 1e-12
    game = uniform_auction("first_price", types=21, bids=21)
    assert game.evaluate(game.truthful()).nash_conv > 0.1


def test_closed_forms_are_offered_where_they_are_known() -> None:
    assert auction_game("all_pay", [Exponential()] * 2, types=5, bids=5).closed_form() is None
    assert auction_game("war_of_attrition", [Uniform()] * 3, types=5, bids=5).closed_form() is None
    first = auction_game("first_price", [Exponential()] * 2, types=5, bids=5).closed_form()
    assert first is not None and np.isfinite(first).all()
    pair = auction_game("first_price", [Uniform(0, 2), Uniform(0, 1)], types=5, bids=5).closed_form()
    assert pair is not None and pair[0, -1] == pytest.approx(2 / 3) == pair[1, -1]


def test_a_prior_becomes_masses_of_cells() -> None:
    values, mass = grid_of(Uniform(), 5)
    assert values.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(mass, [0.125, 0.25, 0.25, 0.25, 0.125])
    assert grid_of(Exponential(2.0), 50)[1].sum() == pytest.approx(1.0)


def test_the_solver_keeps_the_contract() -> None:
    check_solver(lambda: BayesianCFRPlus(uniform_auction("first_price", types=6, bids=7)))
    check_solver(lambda: BayesianCFRPlus(uniform_auction("first_price", types=6, bids=7), WEIGHTED))


def test_the_bids_table_has_one_row_per_type() -> None:
    solver = BayesianCFRPlus(uniform_auction("war_of_attrition", types=6, bids=7))
    solver.step(5)
    table = solver.table("bids")
    assert {len(column) for column in table.values()} == {12}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rule": "third"}, "rule must be one of"),
        ({"values": [[1.0, 0.5]]}, "values of bidder 0 must be finite, at least 0 and increasing"),
        ({"masses": [[0.5, 0.6]]}, "2 probabilities, got sum 1.1"),
        ({"bids": [-1.0, 0.0]}, "bids must be finite"),
        ({"reserve": -1.0}, "reserve must be at least 0"),
        ({"allowed": "none"}, "allowed must be"),
        ({"masses": []}, "got 1 and 0"),
    ],
)
def test_bad_games_are_named(change: dict[str, Any], says: str) -> None:
    parts: dict[str, Any] = {"rule": "first_price", "values": [[0.0, 1.0]], "masses": [[0.5, 0.5]], "bids": [0.0, 1.0]}
    with pytest.raises(InvalidValue, match=says):
        SealedBidGame(**{**parts, **change})


def test_bad_policies_and_large_trees_are_refused() -> None:
    game = uniform_auction("first_price", types=4, bids=4)
    with pytest.raises(InvalidValue, match=r"shape \(2, 4, 4\), got \(2, 4\)"):
        game.evaluate(np.ones((2, 4)))
    with pytest.raises(InvalidValue, match="distributions over allowed bids"):
        game.evaluate(np.ones((2, 4, 4)))
    with pytest.raises(GameTooLarge, match="at most"):
        uniform_auction("first_price", types=101, bids=101).tree()
    with pytest.raises(InvalidValue, match="needs allowed: any"):
        auction_game("first_price", [Uniform()] * 2, types=4, bids=4, allowed="below_value").tree()
