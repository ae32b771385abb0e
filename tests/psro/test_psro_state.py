"""Checkpoints of PSRO: every iteration, every kind of solver, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.population.psro import PSRO
from equilibria.games.extensive import openspiel
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_solver

CASES: list[tuple[str, dict[str, Any]]] = [
    ("leduc_poker", {"meta_solver": "nash"}),
    ("leduc_poker", {"meta_solver": "shor", "eval": "nash"}),
    ("kuhn_poker(players=3)", {"meta_solver": "shor"}),
    ("kuhn_poker", {"meta_solver": "rvcce"}),
    ("kuhn_poker", {"meta_solver": "mgce"}),
    ("kuhn_poker", {"meta_solver": "nash", "payoffs": "sampled", "episodes": 50}),
    ("leduc_poker", {"meta_solver": "rectified"}),
    ("blotto(coins=10,fields=3)", {"meta_solver": "pm", "symmetric": True}),
]


def make(name: str, params: dict[str, Any]) -> PSRO:
    return PSRO(openspiel(name), seeds=SeedTree(11), **params)


def fingerprint(solver: PSRO) -> tuple[bytes, bytes, list[int]]:
    return solver.plan().tobytes(), solver.meta_strategy().flat.tobytes(), solver.meta.sizes.tolist()


@pytest.mark.parametrize(("name", "params"), CASES)
@pytest.mark.parametrize("at", [0, 1, 6])
def test_a_resumed_run_is_bit_identical(name: str, params: dict[str, Any], at: int) -> None:
    whole, first = make(name, params), make(name, params)
    whole.step(10)
    first.step(at)
    if at == 6:
        first.certificate()  # reporting before a checkpoint leaves no trace
    resumed = make(name, params)
    resumed.load(first.save())
    assert resumed.iteration == at
    resumed.step(10 - at)
    assert fingerprint(resumed) == fingerprint(whole)
    assert resumed.terminated_at == whole.terminated_at
    assert resumed.train_gap == whole.train_gap


def test_the_schedule_of_shor_goes_on_where_it_stopped() -> None:
    first = make("kuhn_poker", {"meta_solver": "shor"})
    first.step(4)
    state = first.save()
    assert state.meta["train/calls"] == 4
    resumed = make("kuhn_poker", {"meta_solver": "shor"})
    resumed.load(state)
    resumed.step(1)
    assert resumed.save().meta["train/calls"] == 5


def test_states_hold_arrays_and_json_only() -> None:
    solver = make("kuhn_poker", {"meta_solver": "mgcce"})
    solver.step(3)
    state = solver.save()
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in state.arrays.values())
    assert all(v is None or isinstance(v, int | float | str) for v in state.meta.values())


def test_a_state_of_another_game_is_refused() -> None:
    with pytest.raises(CorruptRun, match="another game"):
        make("leduc_poker", {}).load(make("kuhn_poker", {}).save())


@pytest.mark.parametrize("lost", ["psro/plans/1", "psro/recorded"])
def test_a_damaged_state_is_refused(lost: str) -> None:
    state = make("kuhn_poker", {}).save()
    arrays = {k: v for k, v in state.arrays.items() if k != lost}
    with pytest.raises(CorruptRun, match="damaged"):
        make("kuhn_poker", {}).load(State(arrays, state.meta))


def test_recorded_entries_of_the_meta_game_are_never_repeated() -> None:
    solver = make("kuhn_poker", {"meta_solver": "nash"})
    seen: list[tuple[int, int]] = []
    for _ in range(4):
        rows = solver.table("meta_game")
        seen += list(zip(rows["policy_0"].tolist(), rows["policy_1"].tolist(), strict=True))
        assert rows["payoff_0"].tolist() == pytest.approx([-float(v) for v in rows["payoff_1"].tolist()], abs=1e-12)
        solver.step(1)
        other = make("kuhn_poker", {"meta_solver": "nash"})
        other.load(solver.save())
        solver = other
    assert len(seen) == len(set(seen)) == 4 * 4


def test_meta_strategy_rows_name_purpose_and_solver() -> None:
    solver = make("kuhn_poker", {"meta_solver": "shor", "eval": "pm"})
    assert set(solver.table("meta_strategy")["purpose"].tolist()) == {"eval"}
    solver.step(2)
    rows = solver.table("meta_strategy")
    assert set(zip(rows["purpose"].tolist(), rows["solver"].tolist(), strict=True)) == {
        ("train", "shor"),
        ("eval", "pm"),
    }
    for purpose in ("train", "eval"):
        for p in range(2):
            chosen = (rows["purpose"] == purpose) & (rows["player"] == p)
            assert rows["probability"][chosen].sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "params"), CASES)
def test_reporting_does_not_change_the_state(name: str, params: dict[str, Any]) -> None:
    solver = make(name, params)
    for _ in range(4):
        solver.step(1)
        before = solver.save()
        solver.certificate()
        after = solver.save()
        assert before.meta == after.meta
        assert before.arrays.keys() == after.arrays.keys()
        for key, value in before.arrays.items():
            np.testing.assert_array_equal(value, after.arrays[key])


@pytest.mark.parametrize(("name", "params"), CASES)
def test_psro_keeps_the_solver_contract(name: str, params: dict[str, Any]) -> None:
    check_solver(lambda: make(name, params))


@pytest.mark.parametrize("solver", ["shor", "nash", "alpharank", "rectified"])
def test_a_run_can_be_resumed_at_any_iteration(solver: str) -> None:
    whole = make("kuhn_poker", {"meta_solver": solver})
    states = []
    for _ in range(10):
        states.append(whole.save())
        whole.step(1)
    for at, state in enumerate(states):
        resumed = make("kuhn_poker", {"meta_solver": solver})
        resumed.load(state)
        resumed.step(10 - at)
        assert fingerprint(resumed) == fingerprint(whole)
