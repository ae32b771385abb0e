"""Oracles that learn: exact sampling of the response problem, near-best responses, resume, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.population.meta_game import MetaStrategy
from equilibria.agents.solvers.population.oracle import ExactOracle, OracleRequest
from equilibria.agents.solvers.population.oracle_dqn import DQNOracle
from equilibria.agents.solvers.population.oracle_network import ActionTable, InfosetNetwork
from equilibria.agents.solvers.population.oracle_ppo import PPOOracle
from equilibria.agents.solvers.population.oracle_settings import DQNOracleSettings, PPOOracleSettings
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.agents.solvers.population.psro import PSRO
from equilibria.games.extensive import openspiel, random_policy, uniform_policy
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.infoset_tensors import infoset_tensors
from equilibria.games.extensive.kernels import gradient_rows
from equilibria.games.extensive.matrix import matrix_game
from equilibria.games.extensive.response import ResponseProblem
from equilibria.sim.errors import CorruptRun, InvalidValue, Unsupported, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

KUHN = openspiel("kuhn_poker")


def own(game: ExtensiveGame, player: int) -> slice:
    return slice(int(game.arrays.seq_off[player]), int(game.arrays.seq_off[player + 1]))


def gradient(game: ExtensiveGame, player: int, x: FloatArray) -> FloatArray:
    a, g = game.arrays, np.zeros(game.arrays.sequences)
    gradient_rows(a.rowptr, a.col, a.val, x, g, a.seq_off[player], a.seq_off[player + 1])
    return g[own(game, player)]


def request(game: ExtensiveGame, player: int, x: FloatArray, seed: int = 5) -> OracleRequest:
    meta = PlanMetaGame(game)
    sigma = MetaStrategy((), None, "none")  # learning oracles look at x only
    return OracleRequest(meta=meta, player=player, sigma=sigma, opponents=(), x=x, start=0, seeds=SeedTree(seed))


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker", "kuhn_poker(players=3)"])
def test_sampled_episodes_have_the_exact_payoff_of_the_strategy(name: str) -> None:
    game, rng = openspiel(name), np.random.default_rng(0)
    opponents, mine = random_policy(game, rng), random_policy(game, rng)
    x = np.array(opponents.plan())
    for player in range(game.players):
        part = own(game, player)
        problem = ResponseProblem(game, player, x, key=7, lanes=256)
        strategy = mine.probs[part].copy()
        played = problem.play(strategy, 400)
        paid = played.reward[played.ended]
        exact = float(mine.plan()[part] @ gradient(game, player, x))
        assert abs(paid.mean() - exact) < 4 * paid.std() / np.sqrt(len(paid))
        assert not played.reward[~played.ended].any()
        np.testing.assert_allclose(problem.plan(strategy), mine.plan()[part], atol=1e-12)
        assert problem.mass[0] == pytest.approx(1.0, abs=1e-12)


def test_infosets_are_met_as_often_as_their_reaches_say() -> None:
    x = np.array(random_policy(KUHN, np.random.default_rng(3)).plan())
    problem = ResponseProblem(KUHN, 1, x, key=1, lanes=64)
    played = problem.play(problem.uniform(), 2000)
    episodes = played.ended.sum()
    shares = np.bincount(played.infoset.ravel(), minlength=problem.infosets) / episodes
    # player 1 of Kuhn poker decides once per episode
    assert shares == pytest.approx(problem.reach, abs=4 * np.sqrt(0.25 / episodes))


def test_episodes_do_not_depend_on_how_they_are_split() -> None:
    x = np.array(uniform_policy(KUHN).plan())
    whole = ResponseProblem(KUHN, 0, x, key=9, lanes=5)
    split = ResponseProblem(KUHN, 0, x, key=9, lanes=5)
    all_at_once = whole.play(whole.uniform(), 30)
    parts = [split.play(split.uniform(), n) for n in (1, 9, 20)]
    for name in ("infoset", "action", "reward", "ended"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(all_at_once, name))
    assert np.array_equal(parts[-1].following, all_at_once.following)


def test_infosets_the_opponents_avoid_are_never_met() -> None:
    probs = uniform_policy(KUHN).probs.copy()
    a = KUHN.arrays
    for i in range(int(a.iset_off[0]), int(a.iset_off[1])):  # player 0 always passes
        probs[a.first[i]], probs[a.first[i] + 1] = 1.0, 0.0
    from equilibria.games.extensive.policy import realisation_plan

    problem = ResponseProblem(KUHN, 1, realisation_plan(KUHN, probs), key=2, lanes=32)
    played = problem.play(problem.uniform(), 200)
    assert set(np.unique(played.infoset)) == set(np.flatnonzero(problem.reach > 0))
    assert (problem.reach == 0).any()


def test_tensors_are_those_of_openspiel() -> None:
    import pyspiel

    found = infoset_tensors(KUHN, 0)
    assert found.shape == (6, 11)
    state = pyspiel.load_game("kuhn_poker").new_initial_state()
    for action in (2, 0):
        state.apply_action(action)
    place = KUHN.index[0, state.information_state_string(0)] - int(KUHN.arrays.iset_off[0])
    assert found[place].tolist() == list(state.information_state_tensor(0))
    assert len({row.tobytes() for row in found}) == 6
    with pytest.raises(UnsupportedGame, match="one-hot"):
        infoset_tensors(matrix_game([np.eye(2), -np.eye(2)]), 0)


@pytest.mark.parametrize("features", ["tensor", "one_hot"])
def test_a_network_says_the_same_for_one_infoset_and_for_all(features: str) -> None:
    import torch

    shown = torch.from_numpy(infoset_tensors(KUHN, 0)) if features == "tensor" else None
    net = InfosetNetwork(
        shown, 6, hidden=8, layers=2, out=2, activation="tanh", out_gain=1.0, generator=torch.Generator().manual_seed(1)
    )
    some = torch.tensor([4, 1])
    torch.testing.assert_close(net(some), net()[some])
    many = torch.tensor([0, 5, 5, 2, 1, 3, 4, 0])
    torch.testing.assert_close(net(many), net()[many])


def test_strategies_of_tables_are_distributions_over_legal_actions() -> None:
    game = openspiel("leduc_poker")
    problem = ResponseProblem(game, 0, np.array(uniform_policy(game).plan()), key=0, lanes=1)
    table = ActionTable(problem)
    scores = np.random.default_rng(0).standard_normal((problem.infosets, table.width))
    strategy = table.greedy(scores, 0.3)
    for i in range(problem.infosets):
        part = strategy[problem.first[i] : problem.first[i] + problem.actions[i]]
        assert part.sum() == pytest.approx(1.0)
        assert part.argmax() == scores[i, : problem.actions[i]].argmax()
        assert part.min() == pytest.approx(0.3 / problem.actions[i])
    visited = np.arange(problem.infosets) % 2 == 0
    mended = table.unvisited_uniform(strategy, visited)
    assert mended[problem.first[0]] == strategy[problem.first[0]]
    assert mended[problem.first[1]] == pytest.approx(1 / problem.actions[1])


SMALL: dict[str, Any] = {"hidden": 32, "steps": 12_288}
ORACLES: dict[str, Callable[..., PPOOracle | DQNOracle]] = {
    "ppo": lambda **extra: PPOOracle(PPOOracleSettings(lr=2e-3, **SMALL, **extra)),
    "dqn": lambda **extra: DQNOracle(DQNOracleSettings(train_every=32, **SMALL, **extra)),
}


@pytest.mark.parametrize("kind", ORACLES)
@pytest.mark.parametrize("features", ["tensor", "one_hot"])
def test_a_trained_response_on_kuhn_earns_what_the_exact_one_does(kind: str, features: str) -> None:
    for player in range(2):
        x = np.array(random_policy(KUHN, np.random.default_rng(player)).plan())
        asked = request(KUHN, player, x)
        best = float(ExactOracle().respond(asked) @ gradient(KUHN, player, x))
        base = float(x[own(KUHN, player)] @ gradient(KUHN, player, x))
        gained = float(ORACLES[kind](features=features).respond(asked) @ gradient(KUHN, player, x)) - base
        assert 0.97 * (best - base) <= gained <= best - base + 1e-12


@pytest.mark.parametrize("kind", ORACLES)
def test_a_response_depends_on_the_seed_alone(kind: str) -> None:
    import torch

    x = np.array(uniform_policy(KUHN).plan())
    torch.manual_seed(1)
    first = ORACLES[kind](output="sampled").respond(request(KUHN, 0, x))
    before = torch.get_rng_state()
    second = ORACLES[kind](output="sampled").respond(request(KUHN, 0, x))
    assert np.array_equal(first, second)
    assert torch.equal(before, torch.get_rng_state())  # the global generator is left alone
    if kind == "ppo":
        assert not np.array_equal(first, ORACLES[kind](output="sampled").respond(request(KUHN, 0, x, seed=6)))


PARAMS = {"steps": 512, "hidden": 16, "warm_start": True}


@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_psro_with_a_learning_oracle_resumes_bit_identically(kind: str) -> None:
    def solver() -> PSRO:
        return PSRO(KUHN, meta_solver="nash", oracle=kind, oracle_params=PARAMS, seeds=SeedTree(3))

    whole, first, second = solver(), solver(), solver()
    whole.step(3)
    first.step(2)
    second.load(first.save())
    second.step(1)
    for player in range(2):
        assert np.array_equal(whole.meta.plans(player), second.meta.plans(player))
    assert np.array_equal(whole.oracle_shortfall, second.oracle_shortfall)
    assert {k: v.tolist() for k, v in whole.save().arrays.items()} == {
        k: v.tolist() for k, v in second.save().arrays.items()
    }


def test_warm_starts_go_on_from_the_named_network() -> None:
    x = np.array(uniform_policy(KUHN).plan())
    oracle = PPOOracle(PPOOracleSettings(steps=4096, hidden=16, lr=3e-3, warm_start=True, output="sampled"))
    first, meta = request(KUHN, 0, x), PlanMetaGame(KUHN)
    first.meta.add(0, x[own(KUHN, 0)])
    plan = oracle.respond(first)
    meta.add(0, plan)
    again = replace(first, meta=meta, seeds=SeedTree(8))
    gains = gradient(KUHN, 0, x)
    trained = [PPOOracle(PPOOracleSettings(steps=1, hidden=16, output="sampled")).respond(again) @ gains]
    oracle.settings = PPOOracleSettings(steps=1, hidden=16, warm_start=True, output="sampled")
    trained.append(oracle.respond(again) @ gains)
    assert trained[1] > trained[0] + 0.05


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_psro_with_trained_responses_comes_near_the_equilibrium_of_kuhn(kind: str) -> None:
    params = {"steps": 6144, "hidden": 32, "lr": 2e-3, "train_every": 32} if kind == "dqn" else {**SMALL, "lr": 2e-3}
    if kind == "ppo":
        params["steps"] = 6144
    solver = PSRO(KUHN, meta_solver="nash", oracle=kind, oracle_params=params, seeds=SeedTree(1))
    solver.step(6)
    assert not solver.terminated
    assert solver.oracle_shortfall.shape == (2,)
    assert (solver.oracle_shortfall > -1e-9).all()
    assert solver.distance().exploitability < 0.05  # of the uniform policy: 0.458


def test_wrong_parameters_and_games_are_refused_by_name() -> None:
    for params, says in (
        ({"oracle": "ppo", "oracle_params": {"step": 3}}, "step"),
        ({"oracle": "dqn", "oracle_params": {"epsilon_end": 2.0}}, "epsilon_end|less than or equal"),
        ({"oracle": "exact", "oracle_params": {"steps": 3}}, "oracle 'exact' has none"),
    ):
        with pytest.raises(InvalidValue, match=says):
            PSRO(KUHN, **params)  # type: ignore[arg-type]
    with pytest.raises(Unsupported, match="exact oracle"):
        PSRO(KUHN, meta_solver="mgcce", oracle="ppo", oracle_params=PARAMS).step(1)
    x = np.array(uniform_policy(KUHN).plan())
    with pytest.raises(InvalidValue, match=r"player must lie in 0\.\.1"):
        ResponseProblem(KUHN, 2, x, key=0, lanes=1)
    with pytest.raises(InvalidValue, match="lanes"):
        ResponseProblem(KUHN, 0, x, key=0, lanes=0)
    with pytest.raises(InvalidValue, match="shape"):
        ResponseProblem(KUHN, 0, x[:-1], key=0, lanes=1)
    oracle = PPOOracle(PPOOracleSettings(features="tensor", steps=1))
    tables = matrix_game([np.eye(2), -np.eye(2)])
    with pytest.raises(UnsupportedGame, match="one-hot"):
        oracle.respond(request(tables, 0, np.array(uniform_policy(tables).plan())))


def test_a_saved_state_of_other_networks_is_refused() -> None:
    small = PSRO(KUHN, meta_solver="nash", oracle="ppo", oracle_params=PARAMS, seeds=SeedTree(3))
    small.step(1)
    large = PSRO(KUHN, meta_solver="nash", oracle="ppo", oracle_params={**PARAMS, "hidden": 24}, seeds=SeedTree(3))
    large.load(small.save())
    with pytest.raises((InvalidValue, CorruptRun), match="other shapes"):
        large.step(2)


def test_matrix_games_and_one_hot_features_work_with_auto() -> None:
    table = np.array([[2.0, -1.0], [-1.0, 1.0]])
    game = matrix_game([table, -table])
    solver = PSRO(game, meta_solver="nash", oracle="ppo", oracle_params={"steps": 4096, "lr": 3e-3}, seeds=SeedTree(0))
    solver.step(5)
    assert solver.distance().exploitability < 1e-9
