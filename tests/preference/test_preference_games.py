"""Preference games and their self-play solvers against closed forms and reference numbers."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from equilibria.agents.solvers.preference import updates
from equilibria.agents.solvers.preference.settings import INPOSettings, SPOSettings, SPPOSettings
from equilibria.agents.solvers.preference.solver import PreferenceSolver
from equilibria.agents.solvers.preference.updates import inpo_fixed_point
from equilibria.games.matrix.preference import PreferenceGame
from equilibria.sim.contract import Solver
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree

CYCLE = np.array([[0.5, 0.9, 0.3], [0.1, 0.5, 0.6], [0.7, 0.4, 0.5]])
REFERENCE = np.array([0.6, 0.3, 0.1])
BORDA_TRAP = np.array([[0.5, 0.51, 0.51], [0.49, 0.5, 1.0], [0.49, 0.0, 0.5]])


def test_three_cycle_has_weights_proportional_to_the_opposite_margins() -> None:
    game = PreferenceGame(CYCLE)
    np.testing.assert_allclose(game.winner(), np.array([1, 2, 4]) / 7, atol=1e-12)
    assert game.gap(game.winner()) < 1e-12
    assert game.condorcet() is None


def test_condorcet_winner_wins_although_another_item_has_the_better_mean() -> None:
    game = PreferenceGame(BORDA_TRAP)
    np.testing.assert_allclose(game.winner(), [1, 0, 0], atol=1e-9)
    assert game.condorcet() == 0
    np.testing.assert_allclose(game.borda(), [0.51, 0.745, 0.245])


def test_copies_share_the_mass_of_the_original_but_shift_borda() -> None:
    order = [0, 0, 1, 2]
    copied = PreferenceGame(CYCLE[np.ix_(order, order)])
    np.testing.assert_allclose(copied.winner(), np.array([0.5, 0.5, 2, 4]) / 7, atol=1e-9)
    assert not np.allclose(copied.borda()[[0, 2, 3]], PreferenceGame(CYCLE).borda())


@pytest.mark.parametrize(
    ("steps", "gap", "average"),
    [
        (100, 0.0600, (0.22089, 0.14199, 0.63712)),
        (1000, 0.01926, (0.17059, 0.24487, 0.58453)),
        (10_000, 0.00606, None),
    ],
)
def test_averaged_self_play_has_the_reference_gaps(
    steps: int, gap: float, average: tuple[float, float, float] | None
) -> None:
    game = PreferenceGame(CYCLE)
    solver = PreferenceSolver(game, SPPOSettings(), budget=steps)
    solver.step(steps)
    assert game.gap(solver.policy()) == pytest.approx(gap, abs=5e-5)
    if average is not None:
        np.testing.assert_allclose(solver.policy(), average, atol=5e-6)
    # the last policy keeps circling
    assert game.gap(solver.current_policy()) > 0.1


@pytest.mark.parametrize(
    ("tau", "expected"),
    [
        (1, (0.651406, 0.236197, 0.112397)),
        (0.3, (0.699062, 0.135532, 0.165406)),
        (0.1, (0.535179, 0.075035, 0.389786)),
        (0.05, (0.329324, 0.121160, 0.549516)),
        (0.01, (0.171162, 0.242529, 0.586309)),
    ],
)
def test_regularised_winner_has_the_reference_values(tau: float, expected: tuple[float, ...]) -> None:
    pi = inpo_fixed_point(CYCLE, REFERENCE, tau)
    np.testing.assert_allclose(pi, expected, atol=1e-6)
    weights = REFERENCE * np.exp(CYCLE @ pi / tau)
    np.testing.assert_allclose(weights / weights.sum(), pi, atol=1e-12)


@pytest.mark.parametrize(("steps", "divergence"), [(100, 1.2e-7), (1000, 1.3e-11)])
def test_inpo_schedule_converges_in_the_last_iterate(steps: int, divergence: float) -> None:
    fixed = inpo_fixed_point(CYCLE, REFERENCE, 0.1)
    solver = PreferenceSolver(PreferenceGame(CYCLE), INPOSettings(tau=0.1, reference=[0.6, 0.3, 0.1]))
    solver.step(steps)
    pi = solver.policy()
    assert float((fixed * np.log(fixed / pi)).sum()) == pytest.approx(divergence, rel=0.05)


def test_inpo_with_constant_step_converges_geometrically() -> None:
    fixed = inpo_fixed_point(CYCLE, REFERENCE, 0.3)
    solver = PreferenceSolver(PreferenceGame(CYCLE), INPOSettings(tau=0.3, step=1.0, reference=[0.6, 0.3, 0.1]))
    errors = []
    for _ in range(3):
        solver.step(20)
        errors.append(np.abs(solver.policy() - fixed).max())
    assert errors[2] < errors[1] < errors[0] and errors[2] < 1e-6


def test_pairwise_loss_is_minimised_by_the_closed_form_update() -> None:
    # E over y, y' ~ pi_t and their ordering of (h(y_w, y_l) - 1/(2 eta))^2 is a least-squares problem in
    # the log policy; with full support its minimiser is unique up to a constant
    tau, eta, n = 0.2, 0.7, 3
    pi = np.array([0.5, 0.3, 0.2])
    rows, target, weight = [], [], []
    for a in range(n):
        for b in range(n):
            if a != b:
                rows.append(np.eye(n)[a] - np.eye(n)[b])
                base = tau / eta * np.log(REFERENCE[a] / REFERENCE[b]) + (eta - tau) / eta * np.log(pi[a] / pi[b])
                target.append(base + 1 / (2 * eta))
                weight.append(pi[a] * pi[b] * CYCLE[a, b])  # a is the preferred one
    root = np.sqrt(weight)
    found = np.linalg.lstsq(np.array(rows) * root[:, None], np.array(target) * root, rcond=None)[0]
    logits = np.log(pi)  # log probabilities, as the updates expect
    updates.inpo_(CYCLE, np.log(REFERENCE), logits, tau, eta, 0, 1)
    # the update is a stationary point of the loss, and the only one up to a constant
    gradient = np.zeros(n)
    for w, row, t in zip(weight, rows, target, strict=True):
        gradient += w * row * (row @ logits - t)
    np.testing.assert_allclose(gradient, 0, atol=1e-12)
    np.testing.assert_allclose(found - found.mean(), logits - logits.mean(), atol=1e-6)


def test_sampled_self_play_approaches_the_winner() -> None:
    game = PreferenceGame(CYCLE)
    solver = PreferenceSolver(game, SPOSettings(step=0.05), seeds=SeedTree(1))
    solver.step(100_000)
    assert game.gap(solver.policy()) < 0.03


@pytest.mark.parametrize("settings", [SPPOSettings(step=0.3), SPOSettings(), INPOSettings()])
def test_resumed_preference_solver_is_bit_identical(settings: SPPOSettings | SPOSettings | INPOSettings) -> None:
    game = PreferenceGame(CYCLE)
    whole, first, second = (PreferenceSolver(game, settings, seeds=SeedTree(5)) for _ in range(3))
    whole.step(20)
    first.step(13)
    second.load(first.save())
    second.step(7)
    np.testing.assert_array_equal(whole.policy(), second.policy())
    np.testing.assert_array_equal(whole.current_policy(), second.current_policy())
    assert isinstance(whole, Solver)


def test_vanishing_masses_stay_finite() -> None:
    solver = PreferenceSolver(PreferenceGame(np.array([[0.5, 1.0], [0.0, 0.5]])), SPPOSettings(step=5.0))
    solver.step(100_000)
    assert solver.current_policy().tolist() == [1.0, 0.0]
    assert np.isfinite(solver.certificate().value)


def test_wrong_preferences_and_steps_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"entries \[0, 1\]"):
        PreferenceGame(np.array([[0.5, 0.9], [0.3, 0.5]]))
    np.testing.assert_allclose(PreferenceGame.symmetrised([[0.5, 0.9], [0.3, 0.5]]).preference[0, 1], 0.8)
    with pytest.raises(InvalidValue, match=r"\[0, 1\]"):
        PreferenceGame(np.array([[0.5, 1.5], [-0.5, 0.5]]))
    with pytest.raises((InvalidValue, ValidationError), match="at least tau"):
        INPOSettings(tau=0.5, step=0.1)
    with pytest.raises(InvalidValue, match="positive everywhere"):
        PreferenceSolver(PreferenceGame(CYCLE), INPOSettings(reference=[1.0, 0.0, 0.0]))
