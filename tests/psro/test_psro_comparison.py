"""Comparisons of the SHOR paper that take minutes; run by the experiments."""

from __future__ import annotations

import resource

import pytest

from equilibria.agents.solvers.population.psro import PSRO
from equilibria.games.extensive import openspiel


def final(name: str, solver: str, iterations: int | None = None) -> float:
    params = {} if iterations is None else {"iterations": iterations}
    run = PSRO(openspiel(name), meta_solver=solver, meta_solver_params=params)
    run.step(100)
    return run.distance().exploitability


@pytest.mark.slow
def test_shor_is_below_regret_matching_and_replicator_on_three_player_kuhn() -> None:
    name = "kuhn_poker(players=3)"
    shor = final(name, "shor")
    assert shor < 1e-3
    rm, prd = final(name, "rm", 20_000), final(name, "prd", 20_000)
    assert shor < min(rm, prd)
    # reference values 7.4e-4 and 1.9e-3
    assert 3.7e-4 < rm < 1.5e-3
    assert 9.5e-4 < prd < 3.8e-3


@pytest.mark.slow
def test_long_regret_matching_and_replicator_reproduce_their_leduc_rows() -> None:
    # reference values 6.0e-2 and 3.4e-2 with 1e5 inner iterations
    assert 3.0e-2 < final("leduc_poker", "rm", 100_000) < 1.2e-1
    assert 1.7e-2 < final("leduc_poker", "prd", 100_000) < 6.8e-2


@pytest.mark.slow
def test_regret_matching_reproduces_its_kuhn_row() -> None:
    assert 3.2e-4 < final("kuhn_poker", "rm") < 1.3e-3  # reference 6.4e-4


@pytest.mark.slow
def test_four_player_kuhn_needs_less_than_500_megabytes() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert final("kuhn_poker(players=4)", "shor") < 1e-3
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 500


@pytest.mark.slow
def test_double_oracle_ends_at_the_value_of_leduc() -> None:
    run = PSRO(openspiel("leduc_poker"), meta_solver="nash")
    while not run.terminated and run.iteration < 500:
        run.step(10)
    assert run.terminated and run.distance().nash_conv < 1e-8
    assert abs(run.distance().values[0] - -0.0856064241) < 1e-6
