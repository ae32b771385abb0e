"""PSRO with exact oracles: published tables, termination, semantics of mixtures."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from equilibria.agents.solvers.population.psro import PSRO
from equilibria.games.extensive import (
    BehaviouralPolicy,
    ExtensiveGame,
    expected_values,
    exploitability,
    openspiel,
    uniform_policy,
)
from equilibria.sim.contract import Solver

GOOFSPIEL = "goofspiel(imp_info=True,num_cards=4,points_order=descending)"
EXACT = {"rel": 5e-3}  # three digits
FACTOR_TWO = 2.0  # trajectories of iterative meta-solvers are sensitive to ties


@functools.cache
def curve(name: str, meta_solver: str, evaluation: str | None = None) -> tuple[float, ...]:
    """Return exploitability after 10, 25, 50 and 100 iterations."""
    solver = PSRO(openspiel(name), meta_solver=meta_solver, eval=evaluation)
    found = []
    for k in (10, 25, 50, 100):
        solver.step(k - solver.iteration)
        found.append(solver.distance().exploitability)
    return tuple(found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kuhn_poker", [8.333e-2, 4.968e-2, 3.186e-2, 2.145e-2]),
        ("leduc_poker", [1.174, 0.633, 0.398, 0.250]),
        (GOOFSPIEL, [0.246, 0.147, 0.110, 0.0677]),
        ("kuhn_poker(players=3)", [9.2e-2, 6.5e-2, 3.9e-2, 2.8e-2]),
    ],
)
def test_uniform_psro_reproduces_the_reference_table(name: str, expected: list[float]) -> None:
    rel = 2e-2 if "players=3" in name else EXACT["rel"]  # that row is given to two digits
    assert curve(name, "uniform") == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kuhn_poker", [0, 0, 0, 0]),
        ("leduc_poker", [1.417, 0.703, 0.307, 0.079]),
        (GOOFSPIEL, [None, 0, 0, 0]),
    ],
)
def test_nash_psro_reproduces_the_reference_table(name: str, expected: list[float | None]) -> None:
    found = curve(name, "nash")
    for value, reference in zip(found, expected, strict=True):
        if reference == 0:
            assert abs(value) < 1e-12
        elif reference is not None:
            # equilibria of the meta-game are not unique
            assert reference / FACTOR_TWO < value < reference * FACTOR_TWO


@pytest.mark.parametrize(
    ("name", "solver", "expected"),
    [
        ("kuhn_poker", "shor", [3.4e-3, 2.8e-3, 2.1e-3, 2.1e-3]),
        ("kuhn_poker", "pm", [1.9e-3, 4.6e-4, 3.1e-5, 3.0e-5]),
        ("leduc_poker", "shor", [1.34, 0.401, 0.125, 2.9e-2]),
        ("leduc_poker", "pm", [0.976, 0.325, 9.4e-2, 1.6e-2]),
        (GOOFSPIEL, "shor", [2.0e-2, 1.2e-2, 9.7e-3, 7.8e-3]),
        (GOOFSPIEL, "pm", [6.7e-2, 9.7e-4, 3.9e-4, 9.2e-5]),
    ],
)
def test_discovered_solvers_reproduce_the_reference_table(name: str, solver: str, expected: list[float]) -> None:
    for value, reference in zip(curve(name, solver), expected, strict=True):
        assert reference / FACTOR_TWO < value < reference * FACTOR_TWO


@pytest.mark.heavy
def test_discovered_solvers_reproduce_the_three_player_table() -> None:
    name = "kuhn_poker(players=3)"
    shor, pm = curve(name, "shor"), curve(name, "pm")
    for value, reference in zip(shor, [1.6e-2, 3.4e-3, 6.7e-4, 7.9e-5], strict=True):
        assert reference / FACTOR_TWO < value < reference * FACTOR_TWO
    assert shor[-1] < 1e-3
    assert pm[-1] <= 1.5 * shor[-1]


def test_shor_beats_uniform_and_nash_on_leduc_and_pm_beats_shor_on_the_small_games() -> None:
    shor = curve("leduc_poker", "shor")[-1]
    best = min(curve("leduc_poker", s)[-1] for s in ("uniform", "nash"))
    assert shor <= 0.6 * best
    assert curve("leduc_poker", "pm")[-1] <= 1.5 * shor
    for name in ("kuhn_poker", GOOFSPIEL):
        assert curve(name, "pm")[-1] <= curve(name, "shor")[-1]


def test_shor_training_contains_an_exact_equilibrium_of_kuhn_from_ten_policies_on() -> None:
    for value in curve("kuhn_poker", "shor", "nash"):
        assert abs(value) < 1e-9


def test_double_oracle_terminates_at_the_value_of_kuhn() -> None:
    game = openspiel("kuhn_poker")
    solver = PSRO(game, meta_solver="nash")
    solver.step(15)
    assert solver.terminated
    assert solver.terminated_at is not None
    assert solver.terminated_at <= 15
    assert solver.distance().nash_conv < 1e-9
    np.testing.assert_allclose(expected_values(game, solver.policy()), [-1 / 18, 1 / 18], atol=1e-9)
    sizes = solver.meta.sizes
    solver.step(5)
    assert solver.iteration == 20
    np.testing.assert_array_equal(solver.meta.sizes, sizes)


def test_the_initial_mixture_is_the_uniform_policy() -> None:
    for name, value in (("kuhn_poker", 0.458333), ("leduc_poker", 2.373611)):
        game = openspiel(name)
        assert PSRO(game).distance().exploitability == pytest.approx(value, abs=1e-6)
        assert exploitability(game, uniform_policy(game)) == pytest.approx(value, abs=1e-6)


def test_matching_pennies_has_value_zero() -> None:
    solver = PSRO(openspiel("matrix_mp"), meta_solver="nash")
    solver.step(5)
    assert solver.distance().values == pytest.approx([0.0, 0.0], abs=1e-12)
    assert solver.distance().nash_conv < 1e-12


def per_state_average(solver: PSRO, game: ExtensiveGame) -> BehaviouralPolicy:
    """Average action probabilities infoset by infoset: what a mixture is not."""
    from equilibria.games.extensive import behavioural

    sigma = solver.meta_strategy().marginals
    off = game.arrays.seq_off.astype(int)
    probs = np.zeros(game.arrays.sequences)
    for j in range(len(sigma[0])):
        x = np.concatenate([solver.meta.plans(p)[j] for p in range(game.players)])
        weight = np.concatenate([np.full(off[p + 1] - off[p], sigma[p][j]) for p in range(game.players)])
        probs += weight * behavioural(game, x).probs
    return BehaviouralPolicy(game, probs)


def test_mixtures_draw_a_policy_before_the_game() -> None:
    import pyspiel
    from open_spiel.python.algorithms.exploitability import nash_conv as openspiel_nash_conv

    game = openspiel("kuhn_poker")
    solver = PSRO(game, meta_solver="uniform")
    solver.step(6)
    theirs = openspiel_nash_conv(
        pyspiel.load_game("kuhn_poker"), solver.policy().to_openspiel_python(pyspiel.load_game("kuhn_poker"))
    )
    assert solver.distance().nash_conv == pytest.approx(theirs, abs=1e-8)
    averaged = exploitability(game, per_state_average(solver, game))
    assert abs(averaged - solver.distance().exploitability) > 1e-4


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker", GOOFSPIEL, "liars_dice(dice_sides=4)"])
def test_exploitability_of_mixtures_agrees_with_openspiel(name: str) -> None:
    import pyspiel

    game = openspiel(name)
    solver = PSRO(game, meta_solver="shor", eval="pm")
    solver.step(5)
    theirs = pyspiel.exploitability(pyspiel.load_game_as_turn_based(name), solver.policy().to_openspiel())
    assert solver.distance().exploitability == pytest.approx(theirs, abs=1e-8)
    assert exploitability(game, solver.policy()) == pytest.approx(theirs, abs=1e-8)


def test_two_runs_are_bit_identical() -> None:
    game = openspiel("leduc_poker")

    def plans() -> bytes:
        solver = PSRO(game, meta_solver="shor")
        solver.step(12)
        return solver.plan().tobytes()

    assert plans() == plans()


def test_steps_in_other_chunks_and_reports_in_between_change_nothing() -> None:
    game = openspiel("leduc_poker")
    for name in ("nash", "shor"):
        whole, parts = PSRO(game, meta_solver=name), PSRO(game, meta_solver=name)
        whole.step(15)
        for n in (1, 3, 0, 7, 4):
            parts.step(n)
            parts.certificate()
        np.testing.assert_array_equal(whole.plan(), parts.plan())


def test_the_openspiel_oracle_finds_the_same_equilibrium() -> None:
    ours = PSRO(openspiel("kuhn_poker"), meta_solver="nash", ties="first")
    theirs = PSRO(openspiel("kuhn_poker"), meta_solver="nash", oracle="exact_openspiel")
    for s in (ours, theirs):
        s.step(20)
        assert s.terminated
        assert s.distance().nash_conv < 1e-9


def test_psro_is_a_solver_with_an_exact_certificate() -> None:
    solver = PSRO(openspiel("kuhn_poker"), meta_solver="shor", eval="pm")
    assert isinstance(solver, Solver)
    solver.step(8)
    certificate = solver.certificate()
    assert certificate.kind == "exact"
    assert certificate.value == pytest.approx(solver.distance().exploitability)
    assert certificate.details["meta_solver"] == "shor"
    assert certificate.details["eval"] == "pm"
    assert certificate.details["nash_conv"] == pytest.approx(2 * certificate.value)


def test_best_evaluation_is_labelled_and_never_worse_than_its_candidates() -> None:
    solver = PSRO(openspiel("leduc_poker"), meta_solver="shor", eval="best")
    solver.step(15)
    strategy = solver.meta_strategy()
    assert strategy.solver.startswith("best(")
    best = solver.distance().exploitability
    for name in ("shor", "pm", "rm+", "nash"):
        other = PSRO(openspiel("leduc_poker"), meta_solver="shor", eval=name)
        other.step(15)
        assert best <= other.distance().exploitability + 1e-12


@pytest.mark.parametrize("ties", ["uniform", "first"])
def test_ties_are_broken_as_asked(ties: str) -> None:
    # what the pure response of iteration 1 never reaches is a tie in iteration 2
    solver = PSRO(openspiel("leduc_poker"), meta_solver="last", ties=ties)
    solver.step(2)
    plan = solver.meta.plans(0)[2]
    pure = bool(np.isin(plan, (0.0, 1.0)).all())
    assert pure == (ties == "first")
