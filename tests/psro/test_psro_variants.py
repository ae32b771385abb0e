"""JPSRO, rectified training, symmetric populations, foreign oracles and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.population.evaluation import correlated_gap
from equilibria.agents.solvers.population.expansion import select
from equilibria.agents.solvers.population.oracle import ExactOracle, Oracle, OracleRequest
from equilibria.agents.solvers.population.psro import PSRO
from equilibria.agents.solvers.population.settings import PSROSettings
from equilibria.agents.solvers.population.symmetric import verify_symmetric
from equilibria.games.extensive import BehaviouralPolicy, ExtensiveGame, openspiel, random_policy
from equilibria.sim.errors import InvalidValue, PluginError, UnknownName, Unsupported, UnsupportedGame
from equilibria.sim.types import FloatArray


@pytest.mark.parametrize(
    ("game", "name", "steps"),
    [
        ("kuhn_poker", "mgce", 15),
        ("kuhn_poker", "mwce", 15),
        ("kuhn_poker", "rvce", 15),
        ("kuhn_poker(players=3)", "mgcce", 25),
        ("kuhn_poker(players=3)", "mwcce", 25),
        ("kuhn_poker(players=3)", "rvcce", 25),
    ],
)
def test_joint_psro_ends_at_a_correlated_equilibrium_of_the_full_game(game: str, name: str, steps: int) -> None:
    solver = PSRO(openspiel(game), meta_solver=name)
    solver.step(steps)
    assert solver.terminated
    certificate = solver.certificate()
    assert certificate.measure == f"{name[2:].upper()} gap"
    # the LP and QP are solved to 1e-8 of the payoff scale
    assert 0 <= certificate.value < 1e-6
    assert certificate.details["exploitability_of_marginals"] >= -1e-12  # type: ignore[operator]


def test_the_gap_of_a_product_strategy_in_a_zero_sum_game_is_its_nash_conv() -> None:
    solver = PSRO(openspiel("kuhn_poker"), meta_solver="uniform")
    solver.step(4)
    strategy = solver.meta_strategy()
    assert correlated_gap(solver.meta, strategy, "cce") == pytest.approx(solver.distance().nash_conv, abs=1e-12)


def test_rectified_training_grows_by_one_response_per_supported_policy() -> None:
    solver = PSRO(openspiel("leduc_poker"), meta_solver="rectified")
    solver.step(6)
    assert solver.meta.sizes.max() > 7
    plain = PSRO(openspiel("leduc_poker"), meta_solver="nash", selector="rectified")
    plain.step(6)
    np.testing.assert_array_equal(plain.meta.sizes, solver.meta.sizes)


def test_symmetric_games_keep_one_population() -> None:
    game = openspiel("blotto(coins=10,fields=3)")
    solver = PSRO(game, meta_solver="nash_maxent", symmetric=True)
    solver.step(60)
    np.testing.assert_array_equal(solver.meta.plans(0), solver.meta.plans(1))
    first, second = solver.meta_strategy().marginals
    np.testing.assert_array_equal(first, second)
    assert solver.distance().exploitability < 0.05


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker", "matrix_bos"])
def test_games_that_are_not_symmetric_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedGame, match=r"is not symmetric.*symmetric: false"):
        PSRO(openspiel(name), symmetric=True)


@pytest.mark.parametrize("name", ["matrix_rps", "matrix_pd", "blotto(coins=5,fields=3)"])
def test_symmetric_games_are_recognised(name: str) -> None:
    assert len(verify_symmetric(openspiel(name))) == 2


def random_oracle(
    game: ExtensiveGame,
    player: int,
    sigma: Sequence[FloatArray],
    populations: Sequence[FloatArray],
    rng: np.random.Generator,
) -> BehaviouralPolicy:
    assert len(sigma[player]) == len(populations[player])
    return random_policy(game, rng)


def test_any_function_is_an_oracle_and_draws_from_its_own_stream() -> None:
    def plans() -> FloatArray:
        solver = PSRO(openspiel("kuhn_poker"), meta_solver="rm+", oracle=random_oracle, num_new=2)
        solver.step(3)
        assert not solver.terminated
        assert solver.meta.sizes.tolist() == [7, 7]
        return solver.meta.plans(0)

    np.testing.assert_array_equal(plans(), plans())
    assert len(np.unique(plans(), axis=0)) == 7


def test_a_function_that_returns_something_else_is_named() -> None:
    solver = PSRO(openspiel("kuhn_poker"), oracle=lambda *_: "policy")  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="returned str"):
        solver.step()


class StartRecorder(ExactOracle):
    """Exact answers that pretend to be learned, to see what an oracle is asked."""

    exact = False

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[OracleRequest] = []

    def respond(self, request: OracleRequest) -> FloatArray:
        self.requests.append(request)
        return super().respond(request)


class Wrapped:
    """An oracle that is no sub-class of ours."""

    exact = True

    def __init__(self) -> None:
        self.inner = ExactOracle()

    def respond(self, request: OracleRequest) -> FloatArray:
        return self.inner.respond(request)


def test_an_oracle_object_gives_the_same_run_as_the_built_in_one() -> None:
    assert isinstance(Wrapped(), Oracle)
    ours, other = PSRO(openspiel("leduc_poker")), PSRO(openspiel("leduc_poker"), oracle=Wrapped())
    for solver in (ours, other):
        solver.step(8)
    np.testing.assert_array_equal(ours.plan(), other.plan())


@pytest.mark.parametrize(
    ("selector", "expected"), [("exhaustive", [0, 1, 2, 3]), ("rectified", [1, 2, 3]), ("top_k", [2, 1])]
)
def test_selectors_choose_where_training_starts(selector: str, expected: list[int]) -> None:
    mixture = np.array([0.0, 0.3, 0.6, 0.1])
    assert select(selector, mixture, 2, np.random.default_rng(0)).tolist() == expected


def test_the_probabilistic_selector_never_takes_a_policy_without_mass() -> None:
    drawn = select("probabilistic", np.array([0.0, 0.5, 0.5]), 200, np.random.default_rng(0))
    assert set(drawn.tolist()) == {1, 2}
    assert set(select("uniform", np.array([0.0, 0.5, 0.5]), 200, np.random.default_rng(0)).tolist()) == {0, 1, 2}


def test_initial_policies_can_be_given() -> None:
    game = openspiel("kuhn_poker")
    rng = np.random.default_rng(0)
    solver = PSRO(game, initial=[random_policy(game, rng), random_policy(game, rng)])
    assert solver.meta.sizes.tolist() == [2, 2]
    with pytest.raises(InvalidValue, match="at least one policy"):
        PSRO(game, initial=[])
    with pytest.raises(InvalidValue, match="belongs to game"):
        PSRO(game, initial=random_policy(openspiel("leduc_poker"), rng))


@pytest.mark.parametrize(
    ("params", "error", "text"),
    [
        ({"meta_solver": "nsh"}, UnknownName, "did you mean 'nash'"),
        ({"eval": "nsh"}, UnknownName, "did you mean 'nash'"),
        ({"num_new": 2}, Unsupported, "same response for every start"),
        ({"selector": "exhaustive"}, Unsupported, "same response for every start"),
        ({"meta_solver_params": {"temperature_start": -1.0}}, InvalidValue, "temperature_start"),
        ({"eval_params": {"rounds": 3}}, InvalidValue, "eval_params need"),
        ({"meta_solvr": "nash"}, InvalidValue, "meta_solvr"),
        ({"tie_tolerance": -1.0}, InvalidValue, "tie_tolerance"),
        ({"oracle": "reinforce"}, InvalidValue, "oracle"),
        ({"oracle": 3}, InvalidValue, "got int"),
        ({"symmetric": True, "meta_solver": "mgce"}, Unsupported, "product meta-solvers"),
    ],
)
def test_bad_parameters_are_refused_by_name(params: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        PSRO(openspiel("kuhn_poker"), **params)


def test_settings_refuse_unknown_solvers_as_a_value_error() -> None:
    with pytest.raises(ValueError, match="did you mean 'nash'"):
        PSROSettings(meta_solver="nsh")
    with pytest.raises(InvalidValue, match="either settings or keywords"):
        PSRO(openspiel("kuhn_poker"), settings=PSROSettings(), eval="pm")


def test_solvers_for_other_games_are_refused_with_alternatives() -> None:
    three = openspiel("kuhn_poker(players=3)")
    with pytest.raises(UnsupportedGame, match=r"3-player.*shor, pm"):
        PSRO(three, meta_solver="nash").step()
    with pytest.raises(Unsupported, match="two-player zero-sum"):
        PSRO(three, meta_solver="rectified")
    with pytest.raises(Unsupported, match="exact oracle"):
        PSRO(three, meta_solver="mgcce", oracle=random_oracle).step()
    with pytest.raises(InvalidValue, match="n must be"):
        PSRO(three).step(-1)


def test_objects_that_are_no_sequence_form_games_are_refused() -> None:
    with pytest.raises(UnsupportedGame, match="got str"):
        PSRO("kuhn_poker")  # type: ignore[arg-type]


def test_rectified_training_that_repeats_itself_goes_on_with_a_plain_response() -> None:
    # without it Kuhn poker stays at 0.0606 from iteration 5 on
    solver = PSRO(openspiel("kuhn_poker"), meta_solver="rectified")
    solver.step(20)
    assert solver.terminated and solver.distance().nash_conv < 1e-9
