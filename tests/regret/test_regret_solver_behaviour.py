"""Resume, threads, certificates, tables and bad input of the regret minimisers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.regret.history_solver import HistoryRegretMinimiser
from equilibria.agents.solvers.regret.methods import CLASSES, VADCFR, WOPCFR, CFRPlus, HSPCFRPlus
from equilibria.agents.solvers.regret.rules import make_rule
from equilibria.agents.solvers.regret.settings import CFRSettings
from equilibria.games.extensive import (
    ExtensiveGame,
    GameBuilder,
    exploitability,
    openspiel,
    openspiel_history,
    parallel,
)
from equilibria.sim.contract import Solver
from equilibria.sim.errors import InvalidValue, NumericalError, UnknownName, Unsupported


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveGame:
    return openspiel("kuhn_poker")


@pytest.mark.parametrize("method", sorted(CLASSES))
def test_resume_is_bit_identical_and_chunks_change_nothing(method: str) -> None:
    game = openspiel("leduc_poker")
    straight, first = CLASSES[method](game, budget=30), CLASSES[method](game, budget=30)
    straight.step(30)
    first.step(13)
    second = CLASSES[method](game, budget=30)
    second.load(first.save())
    second.step(4)
    second.step(13)
    assert isinstance(second, Solver)
    for name, array in straight.save().arrays.items():
        assert np.array_equal(array, second.save().arrays[name]), name
    assert straight.save().meta == second.save().meta


@pytest.mark.parametrize("alternating", [True, False])
@pytest.mark.parametrize("method", ["cfr_plus", "vad_cfr", "aod_cfr"])
def test_threads_change_no_bit(method: str, alternating: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "MIN_ENTRIES", 0)
    game = openspiel("kuhn_poker(players=3)")
    one, two = (CLASSES[method](game, threads=t, budget=20, alternating=alternating) for t in (1, 2))
    one.step(20)
    two.step(20)
    for name, array in one.save().arrays.items():
        assert np.array_equal(array, two.save().arrays[name]), name


def test_a_history_solver_resumes_bit_identically() -> None:
    tree = openspiel_history("kuhn_poker")
    straight, first, second = (HistoryRegretMinimiser(tree, "vad_cfr", warm_start=2) for _ in range(3))
    straight.step(9)
    first.step(4)
    second.load(first.save())
    second.step(5)
    assert all(np.array_equal(a, second.save().arrays[n]) for n, a in straight.save().arrays.items())
    assert second.certificate().details["iterations"] == 9


def test_imperfect_recall_ends_with_an_agent_form_certificate() -> None:
    solver = HistoryRegretMinimiser(openspiel_history("goofspiel(num_cards=3)"), "cfr_plus")
    start = solver.certificate().value
    solver.step(200)
    certificate = solver.certificate()
    assert certificate.measure == "agent-form gain"
    assert certificate.value < 0.1 * start
    assert "imperfect recall" in certificate.warning
    assert set(solver.table("policy")) == {"player", "infoset", "infostate", "action", "probability"}


def test_certificates_carry_what_a_reader_needs(kuhn: ExtensiveGame) -> None:
    solver = CFRPlus(kuhn)
    solver.step(100)
    certificate = solver.certificate()
    assert certificate.kind == "exact"
    assert certificate.value == exploitability(kuhn, solver.policy())
    assert certificate.details["converges_in_theory"] is True
    assert sum(certificate.details["gains"]) == pytest.approx(certificate.details["nash_conv"])  # type: ignore[arg-type]
    three = CLASSES["cfr"](openspiel("kuhn_poker(players=3)"))
    assert three.certificate().details["converges_in_theory"] is False


def test_policies_handed_out_are_not_views_of_the_state(kuhn: ExtensiveGame) -> None:
    solver = CFRPlus(kuhn)
    solver.step(5)
    before = solver.current_policy().probs.copy()
    held = solver.current_policy()
    solver.step(5)
    assert (held.probs == before).all()


def test_the_policy_table_has_a_row_per_action(kuhn: ExtensiveGame) -> None:
    table = CFRPlus(kuhn).table("policy")
    assert list(table) == ["player", "infoset", "infostate", "action", "probability", "reach", "regret"]
    assert {len(column) for column in table.values()} == {24}
    with pytest.raises(UnknownName, match="no table 'polic'; did you mean 'policy'"):
        CFRPlus(kuhn).table("polic")


def test_stepping_uses_no_more_memory_with_more_iterations(kuhn: ExtensiveGame) -> None:
    import tracemalloc

    solver = VADCFR(kuhn)
    solver.step(10)
    tracemalloc.start()
    solver.step(10)
    few = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    solver.step(20_000)
    many = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert many <= few + 1_000


class TestBadInput:
    @pytest.mark.parametrize(
        ("method", "parameters", "text"),
        [
            ("dcfr", {"alpha": math.nan}, "alpha"),
            ("dcfr", {"alpha": math.inf}, "alpha"),
            ("dcfr", {"gamma": -1.0}, "gamma"),
            ("cfr", {"gamma": 1.0}, "gamma"),
            ("vad_cfr", {"exponent": 0.0}, "exponent"),
            ("vad_cfr", {"warm_start": -1}, "warm_start"),
            ("vad_cfr", {"ewma_scope": "tree"}, "ewma_scope"),
            ("wop_cfr", {"optimism": "much"}, "optimism"),
            ("cfr", {"zero_tol": -1e-9}, "zero_tol"),
            ("aod_cfr", {"ramp": 0}, "ramp"),
            ("hs_dcfr", {"gamma": 1.0}, "gamma"),
        ],
    )
    def test_parameters_out_of_range_are_named(
        self, kuhn: ExtensiveGame, method: str, parameters: dict[str, Any], text: str
    ) -> None:
        with pytest.raises(InvalidValue, match=f"{method}: {text}"):
            CLASSES[method](kuhn, budget=10, **parameters)

    @pytest.mark.parametrize("cls", [VADCFR, WOPCFR])
    def test_a_warm_start_beyond_the_budget_is_refused(self, kuhn: ExtensiveGame, cls: type[VADCFR]) -> None:
        with pytest.raises(InvalidValue, match="warm_start must be below the budget of 100"):
            cls(kuhn, budget=100, warm_start=100)
        solver = cls(kuhn, budget=100, warm_start=100, allow_uniform_average=True)
        solver.step(100)
        assert set(solver.average_policy().probs.tolist()) == {0.5, 1.0}

    def test_warm_starts_follow_the_budget(self, kuhn: ExtensiveGame) -> None:
        assert VADCFR(kuhn).rule.warm_start == 500
        assert VADCFR(kuhn, budget=1_000).rule.warm_start == 500
        assert WOPCFR(kuhn, budget=10_000).rule.warm_start == 5_000
        assert WOPCFR(kuhn, budget=1).rule.warm_start == 0

    def test_schedules_need_and_keep_their_budget(self, kuhn: ExtensiveGame) -> None:
        with pytest.raises(InvalidValue, match="pass budget"):
            HSPCFRPlus(kuhn)
        with pytest.raises(InvalidValue, match="budget must be at least 1"):
            HSPCFRPlus(kuhn, budget=0)
        solver = HSPCFRPlus(kuhn, budget=10)
        solver.step(10)
        with pytest.raises(InvalidValue, match="covers 10 iterations, asked for iteration 11"):
            solver.step(1)

    def test_negative_steps_and_threads_are_refused(self, kuhn: ExtensiveGame) -> None:
        with pytest.raises(InvalidValue, match="at least 0"):
            CFRPlus(kuhn).step(-1)
        with pytest.raises(InvalidValue, match="threads"):
            CFRPlus(kuhn, threads=0)
        solver = CFRPlus(kuhn)
        solver.step(0)
        assert solver.iteration == 0

    def test_other_games_and_states_are_refused(self, kuhn: ExtensiveGame) -> None:
        with pytest.raises(Unsupported, match="needs an ExtensiveGame, got str"):
            CFRPlus("kuhn_poker")  # type: ignore[arg-type]
        with pytest.raises(Unsupported, match="HistoryRegretMinimiser"):
            CFRPlus(openspiel_history("kuhn_poker"))
        with pytest.raises(InvalidValue, match="method 'vad_cfr', this solver has 'cfr_plus'"):
            CFRPlus(kuhn).load(VADCFR(kuhn).save())
        with pytest.raises(InvalidValue, match="saved state has game"):
            CFRPlus(kuhn).load(CFRPlus(openspiel("leduc_poker")).save())

    def test_unknown_methods_are_named(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'cfr_plus'"):
            make_rule("cfr_pluss", CFRSettings(), None)

    def test_overflow_is_an_error_not_a_wrong_number(self) -> None:
        b = GameBuilder(1)
        pick = b.add_infoset(0, "pick", 2)
        b.add_terminal((pick,), (1e300,))
        b.add_terminal((pick + 1,), (-1e300,))
        solver = CLASSES["linear_cfr"](b.build())  # the worse action's regret falls by 2e300 t in iteration t
        with pytest.raises(NumericalError, match=r"cumulative regret became -inf.*normalise"):
            solver.step(100_000)

    def test_payoffs_near_the_end_of_float64_are_refused(self) -> None:
        b = GameBuilder(1)
        b.add_terminal((0,), (1e301,))
        with pytest.raises(InvalidValue, match="must stay below 1e\\+300"):
            b.build()
