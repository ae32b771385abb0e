"""Exact cooperative games: closed forms, optimum, refused tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from equilibria.agents.bayesian_network.settings import BNSettings
from equilibria.agents.bayesian_network.solver import BNPolicyGradient
from equilibria.games.vector.payoffs import climbing_payoff, penalty_payoff
from equilibria.games.vector.settings import CoordinationSettings
from equilibria.games.vector.tabular import TabularTeamGame, coordination_game, one_shot_game
from equilibria.sim.errors import GameTooLarge, InvalidValue

# agents, best expected next reward, that of all ones, J* (uniform), J* (published), ratio of all ones, of uniform play
CLOSED = [
    (2, 2.45, 1.65, 47.8, 95.6, 0.682008, 0.523013),
    (3, 2.216, 1.704, 43.104, 114.944, 0.774313, 0.463994),
    (5, 2.76464, 1.91136, 53.77816, 344.180224, 0.698533, 0.464873),
]


@pytest.mark.parametrize(("agents", "best", "ones", "uniform", "published", "trap", "random"), CLOSED)
def test_coordination_game_has_its_closed_forms(
    agents: int, best: float, ones: float, uniform: float, published: float, trap: float, random: float
) -> None:
    game = coordination_game(agents)
    following = game.transition[0] @ game.rewards[:, 0]
    assert following.max() == pytest.approx(best, abs=1e-9)
    assert following[0] == pytest.approx(best, abs=1e-9)
    assert following[-1] == pytest.approx(ones, abs=1e-9)
    assert game.optimum() == pytest.approx(uniform, abs=1e-9)
    assert coordination_game(agents, start="published").optimum() == pytest.approx(published, abs=1e-9)
    now = float(game.start @ game.rewards[:, 0])
    assert (now + 19 * ones) / uniform == pytest.approx(trap, abs=1e-6)
    solver = BNPolicyGradient(game, BNSettings(dag="empty"))
    assert solver.returns()[0] / uniform == pytest.approx(random, abs=1e-6)


def test_a_policy_of_constant_play_has_the_closed_form_return() -> None:
    game = coordination_game(3)
    solver = BNPolicyGradient(game, BNSettings(dag="full"))
    for bit, value in ((0, game.optimum()), (1, float(game.start @ game.rewards[:, 0]) + 19 * 1.704)):
        logits = np.full((solver.layout.entries // 2, 2), -800.0)
        logits[:, bit] = 0.0
        solver.theta[0] = logits.ravel()
        assert solver.returns()[0] == pytest.approx(value, abs=1e-9)


def test_optimum_of_one_shot_games_is_the_best_entry() -> None:
    assert one_shot_game(climbing_payoff()).optimum() == pytest.approx(11, abs=1e-12)
    assert one_shot_game(penalty_payoff(-100)).optimum() == pytest.approx(10, abs=1e-12)
    assert one_shot_game(-np.ones((2, 3, 4))).optimum() == pytest.approx(-1, abs=1e-12)


def test_optimum_needs_foresight_when_the_transition_depends_on_the_state() -> None:
    # action 1 pays 1 now and leads to the barren state 1 for ever; action 0 pays 0.5 for ever
    moves = np.zeros((2, 2, 2))
    moves[0, 0, 0] = moves[0, 1, 1] = moves[1, :, 1] = 1
    game = TabularTeamGame("trap", (2,), np.array([[0.5, 1.0], [0.0, 0.0]]), moves, 0.9, np.array([1.0, 0.0]))
    assert game.optimum() == pytest.approx(5, abs=1e-9)
    solver = BNPolicyGradient(game, BNSettings(rate=1.0))
    solver.step(3000)
    assert solver.returns()[0] == pytest.approx(5, abs=2e-3)
    assert solver.gains().max() < 2e-3


def table(**changes: object) -> Callable[[], TabularTeamGame]:
    whole: dict[str, object] = {
        "name": "toy",
        "actions": (2,),
        "rewards": np.ones((1, 2)),
        "transition": np.ones((1, 2, 1)),
        "discount": 0.5,
        "start": np.ones(1),
    }
    return lambda: TabularTeamGame(**{**whole, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (table(actions=()), "every agent needs an action"),
        (table(actions=(2, 0)), "every agent needs an action"),
        (table(rewards=np.ones((2, 2))), r"rewards must have shape \(1, 2\)"),
        (table(rewards=np.array([[1, np.nan]])), "must be finite"),
        (table(transition=np.ones((2, 2, 1))), r"transition must have shape \(1 or 1, 2, 1\)"),
        (table(transition=np.full((1, 2, 1), 0.5)), "must be a distribution"),
        (table(discount=1.0), r"discount must lie in \[0, 1\)"),
        (table(start=np.zeros(1)), "start weights"),
        (lambda: coordination_game(3, noise=0.7), r"\[0, 0.5\]"),
        (lambda: coordination_game(4), "no published margin"),
        (lambda: one_shot_game([[1.0, np.inf]]), "must be finite"),
        (lambda: CoordinationSettings(agents=4), "no published margin"),
    ],
)
def test_broken_tables_are_refused_by_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_games_that_do_not_fit_in_memory_are_refused_before_they_are_built() -> None:
    with pytest.raises(GameTooLarge, match="limit of 50000000"):
        coordination_game(20, margin=2)
    with pytest.raises(InvalidValue, match="margin must lie in"):
        coordination_game(3, margin=5)
