"""Identities between methods, and invariances of their iterates."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.regret.history_solver import HistoryRegretMinimiser
from equilibria.agents.solvers.regret.methods import (
    CFR,
    CLASSES,
    DCFR,
    VADCFR,
    WOPCFR,
    CFRPlus,
    DPCFRPlus,
    HSPCFRPlus,
    LinearCFR,
    PCFRPlus,
    PDCFRPlus,
)
from equilibria.agents.solvers.regret.solver import RegretMinimiser
from equilibria.games.extensive import (
    BehaviouralPolicy,
    ExtensiveGame,
    GameBuilder,
    expected_values,
    nash_conv,
    openspiel,
    openspiel_history,
)
from equilibria.sim.types import FloatArray

GOOFSPIEL_5 = "turn_based_simultaneous_game(game=goofspiel(num_cards=5,imp_info=True,points_order=descending))"
KUHN_VALUE, LEDUC_VALUE = -1 / 18, -0.0856064241


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveGame:
    return openspiel("kuhn_poker")


@pytest.fixture(scope="module")
def leduc() -> ExtensiveGame:
    return openspiel("leduc_poker")


def average(solver: RegretMinimiser, iterations: int) -> FloatArray:
    solver.step(iterations)
    return solver.average_policy().probs


def test_linear_cfr_is_dcfr_with_exponents_one(kuhn: ExtensiveGame) -> None:
    same = average(DCFR(kuhn, alpha=1.0, beta=1.0, gamma=1.0), 100)
    assert average(LinearCFR(kuhn), 100) == pytest.approx(same, abs=1e-12)


def test_wop_without_its_additions_is_predictive_cfr_plus(leduc: ExtensiveGame) -> None:
    wop = average(WOPCFR(leduc, exponent=1.0, warm_start=0, gamma=2.0), 60)
    assert wop == pytest.approx(average(PCFRPlus(leduc, gamma=2.0), 60), abs=1e-12)


def test_wop_as_a_row_of_the_table_is_pdcfr_plus(leduc: ExtensiveGame) -> None:
    wop = WOPCFR(leduc, exponent=1.0, warm_start=0, gamma=5.0, alpha=2.3, project_discount=True)
    assert average(wop, 60) == pytest.approx(average(PDCFRPlus(leduc), 60), abs=1e-12)


def test_vad_without_its_additions_is_dcfr_with_a_shifted_index(leduc: ExtensiveGame) -> None:
    vad = VADCFR(
        leduc,
        boost=1.0,
        sensitivity=0.0,
        optimism=0.0,
        exponent=1.0,
        regret_floor=None,
        warm_start=0,
        alpha=1.5,
        beta=0.0,
        gamma=2.0,
        gamma_sensitivity=0.0,
        weighting="plain",
    )
    assert average(vad, 40) == pytest.approx(average(DCFR(leduc, index_shift=1), 40), abs=1e-10)


def test_the_bound_branch_of_vad_agrees_with_the_fast_one(kuhn: ExtensiveGame) -> None:
    # beta above alpha forces min(alpha, beta): equal to setting beta to alpha
    slow = average(VADCFR(kuhn, warm_start=0, alpha=0.4, beta=0.9, sensitivity=0.0), 30)
    fast = average(VADCFR(kuhn, warm_start=0, alpha=0.4, beta=0.4, sensitivity=0.0), 30)
    assert slow == pytest.approx(fast, abs=1e-12)


def test_a_shared_moving_average_is_another_method(kuhn: ExtensiveGame) -> None:
    shared = average(VADCFR(kuhn, warm_start=0, ewma_scope="global"), 50)
    assert (shared != average(VADCFR(kuhn, warm_start=0), 50)).any()
    assert shared == pytest.approx(average(VADCFR(kuhn, warm_start=0, ewma_scope="global"), 50), abs=0.0)


def test_both_names_of_pdcfr_plus_are_one_class() -> None:
    assert DPCFRPlus is PDCFRPlus


@pytest.mark.parametrize("method", sorted(CLASSES))
def test_histories_and_sequences_give_the_same_iterates(method: str, kuhn: ExtensiveGame) -> None:
    parameters: dict[str, Any] = {"warm_start": 3} if method in ("vad_cfr", "wop_cfr") else {}
    solver = CLASSES[method](kuhn, budget=30, **parameters)
    slow = HistoryRegretMinimiser(openspiel_history("kuhn_poker"), method, budget=30, **parameters)
    solver.step(30)
    slow.step(30)
    table = {key: list(row.values()) for key, row in slow.average_policy().items()}
    assert BehaviouralPolicy.from_table(kuhn, table).probs == pytest.approx(solver.average_policy().probs, abs=1e-9)


def test_updating_all_players_at_once_differs_and_converges(kuhn: ExtensiveGame) -> None:
    together, alternating = CFR(kuhn, alternating=False), CFR(kuhn)
    together.step(2_000)
    alternating.step(2_000)
    assert (together.average_policy().probs != alternating.average_policy().probs).any()
    assert nash_conv(kuhn, together.average_policy()) < 0.02


@pytest.mark.parametrize("method", ["cfr", "cfr_plus", "dcfr", "pcfr_plus"])
def test_scaling_payoffs_by_a_power_of_two_changes_no_policy(method: str) -> None:
    base, scaled = (average(CLASSES[method](matrix(scale)), 50) for scale in (1.0, 8.0))
    assert (base == scaled).all()


@pytest.mark.parametrize("method", ["cfr", "cfr_plus", "dcfr", "pcfr_plus"])
def test_permuting_actions_permutes_the_policy(method: str) -> None:
    order = [2, 0, 1]
    base, moved = average(CLASSES[method](matrix(1.0)), 50), average(CLASSES[method](matrix(1.0, order)), 50)
    assert moved[1:4] == pytest.approx(base[1:4][order], abs=1e-12)


def test_normalised_payoffs_scale_volatility(kuhn: ExtensiveGame) -> None:
    # Kuhn's payoffs lie in -2..2: dividing by half the range halves the regrets that VAD's constants see
    plain, normalised = VADCFR(kuhn, warm_start=0), VADCFR(kuhn, warm_start=0, normalise=True)
    assert (average(plain, 20) != average(normalised, 20)).any()
    assert average(CFRPlus(kuhn, normalise=True), 64) == pytest.approx(average(CFRPlus(kuhn), 64), abs=1e-12)


@pytest.mark.parametrize(("method", "warm"), [("vad_cfr", 100), ("wop_cfr", 100), ("cfr_plus", None)])
@pytest.mark.parametrize(("name", "value"), [("kuhn_poker", KUHN_VALUE), ("leduc_poker", LEDUC_VALUE)])
def test_the_average_value_is_within_nash_conv_of_the_game_value(
    method: str, warm: int | None, name: str, value: float
) -> None:
    game = openspiel(name)
    parameters: dict[str, Any] = {} if warm is None else {"warm_start": warm}
    solver = CLASSES[method](game, **parameters)
    solver.step(300)
    policy = solver.average_policy()
    assert abs(float(expected_values(game, policy)[0]) - value) <= nash_conv(game, policy) + 1e-9


@pytest.mark.parametrize("method", sorted(CLASSES))
def test_policies_are_distributions_at_all_times(method: str, leduc: ExtensiveGame) -> None:
    solver = CLASSES[method](leduc, budget=60)
    for _ in range(6):
        for policy in (solver.average_policy(), solver.current_policy()):
            BehaviouralPolicy(leduc, policy.probs)  # refuses negative entries and wrong sums
        solver.step(10)


@pytest.mark.parametrize("method", sorted(CLASSES))
def test_nothing_becomes_infinite_in_a_hundred_thousand_iterations(method: str, kuhn: ExtensiveGame) -> None:
    solver = CLASSES[method](kuhn, budget=100_000)
    for _ in range(10):
        solver.step(10_000)
        BehaviouralPolicy(kuhn, solver.average_policy().probs)
        BehaviouralPolicy(kuhn, solver.current_policy().probs)


@pytest.mark.parametrize("cls", [VADCFR, WOPCFR])
def test_the_average_is_uniform_until_the_warm_start(cls: type[RegretMinimiser], kuhn: ExtensiveGame) -> None:
    solver = cls(kuhn, warm_start=20)
    solver.step(20)
    assert set(solver.average_policy().probs.tolist()) == {0.5, 1.0}
    assert "uniform until iteration 20" in solver.certificate().warning
    solver.step(1)
    assert set(solver.average_policy().probs.tolist()) != {0.5, 1.0}
    assert solver.certificate().warning == ""


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["cfr_plus", "vad_cfr", "wop_cfr"])
def test_the_order_of_summation_hardly_matters_with_the_dead_zone(method: str) -> None:
    game = openspiel(GOOFSPIEL_5)
    results = []
    for shuffled in (game, reversed_rows(game)):
        solver = CLASSES[method](shuffled, budget=600)
        solver.step(600)
        results.append(nash_conv(game, BehaviouralPolicy(game, solver.average_policy().probs)) / 2)
    assert results[0] == pytest.approx(results[1], abs=1e-9)


def matrix(scale: float, order: list[int] | None = None) -> ExtensiveGame:
    payoffs = np.array([[0.0, -1.0, 2.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.5]]) * scale
    if order is not None:
        payoffs = payoffs[order]
    b = GameBuilder(2)
    r, c = b.add_infoset(0, "r", 3), b.add_infoset(1, "c", 3)
    for i in range(3):
        for j in range(3):
            b.add_terminal((r + i, c + j), (payoffs[i, j], -payoffs[i, j]))
    return b.build()


def reversed_rows(game: ExtensiveGame) -> ExtensiveGame:
    """The same game with the entries of every row in reverse order."""
    a = game.arrays
    ends = a.rowptr.astype(np.int64)
    row = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    perm = ends[row] + ends[row + 1] - 1 - np.arange(len(row))
    arrays = dataclasses.replace(a, col=np.ascontiguousarray(a.col[:, perm]), val=a.val[perm], cval=a.cval[perm])
    for changed in (arrays.col, arrays.val, arrays.cval):
        changed.flags.writeable = False  # as in every game, so the compiled kernels fit
    return dataclasses.replace(game, arrays=arrays)


def test_schedules_hold_their_last_value_when_asked(kuhn: ExtensiveGame) -> None:
    solver = HSPCFRPlus(kuhn, budget=10, beyond_budget="hold")
    solver.step(30)
    assert solver.iteration == 30
