"""Magnetic mirror descent as a solver: values, resume, limits, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.mirror.settings import MMDSettings
from equilibria.agents.solvers.mirror.simplex import mmd_step
from equilibria.agents.solvers.mirror.solver import MMD
from equilibria.games.extensive.action_values import action_values
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.matrix import matrix_game
from equilibria.games.extensive.policy import BehaviouralPolicy, random_policy, uniform_policy
from equilibria.games.extensive.random_games import random_game
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.values import exploitability
from equilibria.sim.contract import Solver, State
from equilibria.sim.errors import InvalidValue, NotConverged, NumericalError, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveGame:
    return openspiel("kuhn_poker")


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker", "kuhn_poker(players=3)", "tiny_hanabi"])
@pytest.mark.parametrize("seed", range(5))
def test_action_values_are_conditional_expectations(name: str, seed: int) -> None:
    import pyspiel

    game = openspiel(name)
    policy = random_policy(game, np.random.default_rng(seed))
    values = action_values(game, np.log(policy.probs))
    expected = _conditional_values(pyspiel.load_game(name), game, policy)
    for infoset, value in expected.items():
        low = int(game.arrays.first[infoset])
        actions = slice(low, low + int(game.arrays.nact[infoset]))
        assert float(policy.probs[actions] @ values.q[actions]) == pytest.approx(value, abs=1e-12 * game.utility_range)


def _conditional_values(peer: Any, game: ExtensiveGame, policy: BehaviouralPolicy) -> dict[int, float]:
    """Walk OpenSpiel's own tree: reach-weighted mean payoff of the player to act at every infoset."""
    total: dict[int, float] = {}
    mass: dict[int, float] = {}

    def walk(state: Any, reach: float) -> FloatArray:
        if state.is_terminal():
            return np.array(state.returns())
        if state.is_chance_node():
            outcomes = state.chance_outcomes()
            return np.asarray(np.sum([p * walk(state.child(a), reach * p) for a, p in outcomes], axis=0))
        player = state.current_player()
        text = state.information_state_string(player)
        probs = policy.prob(player, text)
        value = np.sum([p * walk(state.child(a), reach * p) for a, p in probs.items()], axis=0)
        infoset = game.index[player, text]
        total[infoset] = total.get(infoset, 0.0) + reach * value[player]
        mass[infoset] = mass.get(infoset, 0.0) + reach
        return np.asarray(value)

    walk(peer.new_initial_state(), 1.0)
    return {infoset: total[infoset] / mass[infoset] for infoset in total if mass[infoset] > 0.0}


def test_one_iteration_is_one_step_at_every_infoset(kuhn: ExtensiveGame) -> None:
    start = random_policy(kuhn, np.random.default_rng(3))
    magnet = random_policy(kuhn, np.random.default_rng(4))
    solver = MMD(kuhn, schedule="constant", alpha=0.3, eta=0.7, start=start, magnet=magnet, floor=0.0)
    q = solver.action_values().q
    solver.step(1)
    for first, count in zip(kuhn.arrays.first, kuhn.arrays.nact, strict=True):
        actions = slice(int(first), int(first + count))
        expected = mmd_step(start.probs[actions], q[actions], eta=0.7, alpha=0.3, magnet=magnet.probs[actions])
        np.testing.assert_allclose(solver.policy().probs[actions], expected, rtol=1e-12)


def test_magnet_moves_geometrically(kuhn: ExtensiveGame) -> None:
    solver = MMD(kuhn, schedule="constant", alpha=1.0, eta=0.1, magnet_rate=0.25)
    old = solver.magnet().probs
    solver.step(1)
    actions = slice(1, 3)
    expected = old[actions] ** 0.75 * solver.policy().probs[actions] ** 0.25
    np.testing.assert_allclose(solver.magnet().probs[actions], expected / expected.sum(), rtol=1e-13)


OPTIONS = [
    {},
    {"schedule": "constant", "alpha": 0.2, "magnet_rate": 0.05},
    {"form": "sequence", "schedule": "constant", "alpha": 0.1},
    {"schedule": "constant", "alpha": 0.2, "objective": "minimaxent"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_resume_is_bit_identical(kuhn: ExtensiveGame, options: dict[str, object]) -> None:
    settings = MMDSettings.model_validate(options)
    whole, first, second = (MMD.from_settings(kuhn, settings) for _ in range(3))
    whole.step(1234)
    first.step(500)
    second.load(State(dict(first.save().arrays), dict(first.save().meta)))
    second.step(734)
    assert second.iteration == whole.iteration == 1234
    assert second.policy().probs.tobytes() == whole.policy().probs.tobytes()
    assert second.magnet().probs.tobytes() == whole.magnet().probs.tobytes()
    assert isinstance(whole, Solver)


def test_entropy_objectives_have_their_own_fixed_points(kuhn: ExtensiveGame) -> None:
    policies = {}
    for objective in ("standard", "maxent", "minimaxent"):
        settings = MMDSettings.model_validate(
            {"schedule": "constant", "alpha": 0.5, "floor": 0.0, "objective": objective}
        )
        solver = MMD.from_settings(kuhn, settings)
        solver.step(20_000)
        assert solver.regularised_gap() < 1e-12
        policies[objective] = solver.policy().probs
    assert np.abs(policies["maxent"] - policies["standard"]).max() > 1e-3
    assert np.abs(policies["minimaxent"] - policies["maxent"]).max() > 1e-3


def test_minimaxent_equilibrium_is_the_dilated_one_with_reach_weights() -> None:
    """With entropy in the values of both players, one-shot games coincide with the sequence form."""
    game = matrix_game([[0.0, -1.0, 2.0], [1.0, 0.0, -1.0]])
    solvers = [MMD(game, form=form, schedule="constant", alpha=0.3, floor=0.0) for form in ("behavioural", "sequence")]
    for solver in solvers:
        solver.step(5000)
    np.testing.assert_allclose(solvers[0].policy().probs, solvers[1].policy().probs, atol=1e-10)


def test_three_player_and_general_sum_games_are_played_in_behavioural_form() -> None:
    game = openspiel("kuhn_poker(players=3)")
    solver = MMD(game, schedule="constant", alpha=0.2)
    solver.solve(1e-8, every=500)
    assert solver.regularised_gap() < 1e-8
    with pytest.raises(Unsupported, match="two-player zero-sum game"):
        MMD(game, form="sequence")
    with pytest.raises(Unsupported, match="needs two players"):
        MMD(game, objective="minimaxent")


def test_unreached_infosets_keep_to_the_magnet(kuhn: ExtensiveGame) -> None:
    solver = MMD(kuhn, schedule="constant", alpha=0.05, eta=50.0, floor=0.0)
    solver.step(200)
    assert np.isfinite(solver.policy().probs).all()


def test_certificate_names_the_temperature(kuhn: ExtensiveGame) -> None:
    solver = MMD(kuhn, schedule="constant", alpha=0.5, floor=0.0)
    solver.step(5000)
    certificate = solver.certificate()
    assert certificate.value == pytest.approx(0.1124098765, abs=1e-8)
    assert "quantal response equilibrium at temperature 0.5" in certificate.sentence()
    assert float(certificate.details["fixed_point_residual"]) < 1e-9  # type: ignore[arg-type]


def test_iterations_are_counted_from_one(kuhn: ExtensiveGame) -> None:
    solver = MMD(kuhn, alpha=5.0, eta=2.0)
    assert solver.rates(1) == (5.0, 2.0)
    assert solver.rates(100) == pytest.approx((0.5, 0.2))
    with pytest.raises(InvalidValue, match="counted from 1"):
        solver.rates(0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"eta": 0.0}, "eta .* must be positive"),
        ({"alpha": -1.0}, "alpha .* must be non-negative"),
        ({"magnet_rate": 1.5}, r"magnet_rate must lie in \[0, 1\]"),
        ({"form": "sequential"}, "did you mean 'sequence'"),
        ({"schedule": "anneal"}, "did you mean 'annealing'"),
        ({"form": "sequence", "alpha": 0.0}, "eta .* must be positive"),
        ({"form": "sequence", "magnet_rate": 0.1}, "fixed uniform magnet"),
    ],
)
def test_bad_parameters_are_named(kuhn: ExtensiveGame, options: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MMD(kuhn, **options)  # type: ignore[arg-type]


def test_magnet_with_zeros_is_refused(kuhn: ExtensiveGame) -> None:
    probs = uniform_policy(kuhn).probs.copy()
    probs[1:3] = (1.0, 0.0)
    with pytest.raises(InvalidValue, match="magnet must not contain zeros"):
        MMD(kuhn, magnet=BehaviouralPolicy(kuhn, probs))


def test_solve_says_when_it_cannot_converge(kuhn: ExtensiveGame) -> None:
    with pytest.raises(NotConverged, match="after 10 iterations"):
        MMD(kuhn, schedule="constant", alpha=0.1).solve(1e-12, max_iterations=10)
    with pytest.raises(Unsupported, match="schedule='constant'"):
        MMD(kuhn).solve()


def test_overflow_is_a_named_error(kuhn: ExtensiveGame) -> None:
    with pytest.raises(NumericalError, match="policy became nan at unit 3"):
        MMD(kuhn, schedule="constant", alpha=0.0, eta=1e308, floor=0.0).step(3)


def test_saved_state_of_another_game_is_refused(kuhn: ExtensiveGame) -> None:
    other = MMD(openspiel("leduc_poker"))
    with pytest.raises(InvalidValue, match="the game has 26 sequences"):
        MMD(kuhn).load(other.save())


@pytest.mark.parametrize("seed", range(5))
def test_one_player_games_are_optimised(seed: int) -> None:
    game = random_game(SeedTree(seed), players=1, depth=5, chance=0.5)
    solver = MMD(game, schedule="annealing", alpha=0.1, eta=5.0)
    solver.step(20_000)
    assert exploitability(game, solver.policy()) < 0.01


def test_payoff_shifts_change_nothing_and_scales_scale_the_temperature() -> None:
    payoffs = np.random.default_rng(0).normal(size=(2, 3, 3))
    policies = []
    for table, alpha, eta in ((payoffs, 0.5, 0.05), (payoffs + 7.0, 0.5, 0.05), (4.0 * payoffs, 2.0, 0.0125)):
        solver = MMD(matrix_game(table), schedule="constant", alpha=alpha, eta=eta, floor=0.0)
        solver.step(2000)
        policies.append(solver.policy().probs)
    np.testing.assert_allclose(policies[1], policies[0], rtol=1e-11)
    np.testing.assert_allclose(policies[2], policies[0], rtol=1e-11)
