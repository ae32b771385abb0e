"""Fictitious cross-play and its baselines against the reference results of the paper's code."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from equilibria.agents.solvers.fxp.base import TeamSolver
from equilibria.agents.solvers.fxp.cross_play import FXP
from equilibria.agents.solvers.fxp.meta import meta_strategy
from equilibria.agents.solvers.fxp.opponents import OpponentSampler
from equilibria.agents.solvers.fxp.population import TeamODO, TeamPSRO
from equilibria.agents.solvers.fxp.self_play import RULES, SelfPlay, project
from equilibria.agents.solvers.fxp.settings import FXPSettings, Rule, SelfPlaySettings, TeamPSROSettings
from equilibria.games.matrix.team import TeamGame, matrix_game
from equilibria.games.matrix.team_games import climb, seek_attack_defend, team_rock_paper_scissors
from equilibria.sim.contract import Solver
from equilibria.sim.errors import InvalidValue, UnsupportedGame


def _trace(solver: TeamSolver, steps: int) -> list[float]:
    out = []
    for _ in range(steps):
        solver.step()
        out.append(solver.exploitability())
    return out


@pytest.mark.parametrize(
    ("make", "exploitability", "iterations"),
    [(climb, 1.486, 34), (seek_attack_defend, 4.0, None), (team_rock_paper_scissors, 0.986, None)],
)
def test_self_play_ends_in_the_published_local_equilibrium(
    make: Callable[[], TeamGame], exploitability: float, iterations: int | None
) -> None:
    solver = SelfPlay(make(), "sp")
    while solver.converged_at < 0:
        solver.step()
    if iterations is not None:
        assert solver.converged_at == iterations
    fresh = SelfPlay(make(), "sp")
    fresh.step(solver.converged_at)
    assert fresh.exploitability() == pytest.approx(exploitability, abs=6e-4)
    # no single member gains more than the un-converged tail of the step size
    assert fresh.game.local_gain(fresh.current) < 5e-3


@pytest.mark.parametrize("rule", ["fp", "fsp"])
def test_fictitious_play_ends_there_too(rule: Rule) -> None:
    solver = SelfPlay(climb(), rule)
    solver.step(100)
    assert solver.exploitability() == pytest.approx(1.5, abs=1e-3)
    assert solver.current.argmax(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("rule", ["replicator", "mwu", "forel", "rm"])
def test_independent_learners_end_in_the_local_equilibrium(rule: Rule) -> None:
    solver = SelfPlay(climb(), rule)
    solver.step(300)
    assert solver.exploitability() > 1.4
    assert abs(solver.policy().weights.sum() - 1) < 1e-12


@pytest.mark.parametrize("meta", ["lp", "fp"])
def test_cross_play_finds_the_global_equilibrium_of_climb(meta: str) -> None:
    solver = FXP(climb(), FXPSettings(meta=meta))  # type: ignore[arg-type]
    trace = _trace(solver, 3)
    assert max(trace[1:]) <= 2e-3
    assert solver.main.argmax(axis=1).tolist() == [0, 0, 0]
    assert solver.main_exploitability() < 5e-3


def test_cross_play_on_seek_attack_defend_follows_the_published_trace() -> None:
    solver = FXP(seek_attack_defend())
    trace = _trace(solver, 4)
    assert trace[0] == pytest.approx(2.007, abs=1e-3)
    assert trace[1:] == pytest.approx([0.0079] * 3, abs=1e-4)
    # in a game with cycles the last main team alone stays exploitable
    assert solver.main_exploitability() == pytest.approx(4.0, abs=1e-4)


def test_cross_play_mixture_solves_team_rock_paper_scissors() -> None:
    solver = FXP(team_rock_paper_scissors())
    assert max(_trace(solver, 3)) < 1e-6
    assert solver.main_exploitability() == pytest.approx(1.0, abs=1e-9)


def test_uniform_psro_reaches_the_published_exploitability_on_climb() -> None:
    solver = TeamPSRO(climb(), TeamPSROSettings(meta="uniform"))
    solver.step(19)  # 20 policies with the first one
    assert solver.exploitability() == pytest.approx(0.315, abs=6e-4)


@pytest.mark.parametrize(("make", "bound"), [(climb, 5e-3), (team_rock_paper_scissors, 0.017)])
def test_nash_psro_reaches_the_equilibrium(make: Callable[[], TeamGame], bound: float) -> None:
    solver = TeamPSRO(make())
    assert _trace(solver, 3)[-1] < bound


def test_one_generation_with_full_self_weight_is_self_play() -> None:
    cross = FXP(climb(), FXPSettings(self_weight=1.0))
    cross.step()
    alone = SelfPlay(climb(), "sp")
    alone.step(cross.iterations_used[0][0])
    np.testing.assert_allclose(cross.main, alone.current, atol=1e-12)


def test_online_double_oracle_adds_only_new_policies() -> None:
    solver = TeamODO(climb())
    solver.step(12)
    assert solver.exploitability() < 0.05
    gaps = np.abs(solver.population.policies[:, None] - solver.population.policies[None]).max(axis=(2, 3))
    assert gaps[np.triu_indices(len(gaps), 1)].min() > 1e-3


def _make(kind: str) -> TeamSolver:
    game = climb()
    if kind in RULES:
        return SelfPlay(game, kind)
    if kind == "fxp":
        return FXP(game)
    return TeamPSRO(game) if kind == "psro" else TeamODO(game)


@pytest.mark.parametrize("kind", ["fxp", "psro", "odo", *RULES])
def test_resumed_solver_goes_on_bit_identically(kind: str) -> None:
    whole, first = _make(kind), _make(kind)
    whole.step(7)
    first.step(4)
    second = _make(kind)
    second.load(first.save())
    second.step(3)
    for name, array in whole.save().arrays.items():
        np.testing.assert_array_equal(array, second.save().arrays[name])
    assert whole.save().meta == second.save().meta
    assert isinstance(whole, Solver)


def test_adding_a_policy_never_changes_old_payoffs() -> None:
    solver = FXP(seek_attack_defend(members=2, levels=3))
    solver.step(2)
    old = solver.payoff_matrix
    solver.step()
    np.testing.assert_array_equal(solver.payoff_matrix[: len(old), : len(old)], old)
    np.testing.assert_array_equal(solver.payoff_matrix, -solver.payoff_matrix.T)


@pytest.mark.parametrize(("method", "bound"), [("lp", 1e-9), ("fp", 5e-2)])
def test_meta_strategy_is_a_nash_of_the_payoff_matrix(method: str, bound: float) -> None:
    solver = FXP(team_rock_paper_scissors())
    solver.step(3)
    payoffs = solver.payoff_matrix
    assert (payoffs @ meta_strategy(payoffs, method)).max() < bound


def test_certificate_names_the_best_team() -> None:
    solver = SelfPlay(seek_attack_defend(), "sp")
    solver.step(200)
    certificate = solver.certificate()
    assert certificate.kind == "exact"
    assert certificate.value == pytest.approx(4.0, abs=0.05)
    team = certificate.details["best_team"]
    assert isinstance(team, list)
    assert sorted(map(str, team)) == ["attack", "attack", "seek 10", "seek 10"]


def test_average_output_mixes_all_iterates() -> None:
    solver = SelfPlay(matrix_game([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]), "rm", SelfPlaySettings(output="average"))
    solver.step(500)
    assert solver.exploitability() < 0.05
    assert len(solver.policy().weights) == 501


def test_elo_ranks_the_dominant_team_first() -> None:
    solver = FXP(climb())
    solver.step(2)
    ratings = solver.population.elo(np.random.default_rng(0), games=50)
    assert ratings.rating[1] > ratings.rating[0]


def test_opponents_are_drawn_with_the_stated_frequencies() -> None:
    kinds, members = OpponentSampler().draw(100_000, 4, 3, np.random.default_rng(0))
    for kind, p in enumerate((0.2, 0.4, 0.4)):
        assert abs((kinds == kind).mean() - p) < 3 * np.sqrt(p * (1 - p) / 100_000)
    assert set(members[kinds == 1]) == {0, 1, 2, 3} and set(members[kinds == 0]) == {0}
    np.testing.assert_allclose(OpponentSampler().probabilities(2, 0), [1 / 3, 2 / 3, 0, 0])


def test_projection_is_the_nearest_distribution() -> None:
    np.testing.assert_allclose(project(np.array([0.5, 0.2, -3.0])), [0.65, 0.35, 0.0])


def test_wrong_settings_and_games_are_refused() -> None:
    with pytest.raises(InvalidValue, match="sum to 1"):
        OpponentSampler(0.5, 0.4, 0.4)
    with pytest.raises(InvalidValue, match="no opponent"):
        OpponentSampler(0, 1, 0).probabilities(0, 3)
    with pytest.raises(InvalidValue, match="rule"):
        SelfPlay(climb(), "mwuu")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedGame, match="team games"):
        FXP(object())  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="belongs to"):
        FXP(climb()).load(TeamPSRO(climb()).save())
