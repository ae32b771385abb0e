"""Agent quantal response equilibria by path tracing."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.mirror.solver import MMD
from equilibria.games.extensive.action_values import action_values, fixed_point_residual
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.matrix import matrix_game
from equilibria.games.extensive.policy import uniform_policy
from equilibria.games.extensive.qre import agent_qre, qre_path
from equilibria.games.extensive.spiel import openspiel
from equilibria.sim.errors import InvalidValue, NotConverged, Unsupported


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveGame:
    return openspiel("kuhn_poker")


@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.1])
def test_path_and_mirror_descent_meet(kuhn: ExtensiveGame, alpha: float) -> None:
    solver = MMD(kuhn, schedule="constant", alpha=alpha, floor=0.0)
    solver.step(60_000)
    traced = agent_qre(kuhn, alpha)
    assert np.abs(traced.probs - solver.policy().probs).max() < 1e-9
    assert fixed_point_residual(action_values(kuhn, np.log(traced.probs)), alpha) < 1e-10


def test_path_leads_from_uniform_play_to_nash(kuhn: ExtensiveGame) -> None:
    path = qre_path(kuhn, 200.0)
    np.testing.assert_allclose(path.policy(0).probs, uniform_policy(kuhn).probs)
    exploitable = path.exploitability()
    assert exploitable[0] == pytest.approx(0.4583333333)
    assert exploitable[-1] < 1e-3
    assert path.precision[-1] == 200.0


def test_path_turns_where_the_branch_bends_back() -> None:
    """In the stag hunt with a safe action the branch goes to the risk-dominant equilibrium."""
    payoffs = np.array([[4.0, 0.0], [3.0, 3.0]])
    path = qre_path(matrix_game([payoffs, payoffs.T]), 20.0)
    assert path.policy(-1).probs[2] > 0.999


def test_general_sum_three_player_games_are_traced() -> None:
    game = openspiel("kuhn_poker(players=3)")
    policy = agent_qre(game, 1.0)
    assert fixed_point_residual(action_values(game, np.log(policy.probs)), 1.0) < 1e-10


def test_bad_arguments_are_named(kuhn: ExtensiveGame) -> None:
    with pytest.raises(InvalidValue, match=r"alpha .* must be positive"):
        agent_qre(kuhn, 0.0)
    with pytest.raises(InvalidValue, match="must be positive"):
        qre_path(kuhn, -1.0)
    with pytest.raises(NotConverged, match="after 3 points"):
        qre_path(kuhn, 100.0, max_points=3)
    with pytest.raises(Unsupported, match="use magnetic mirror descent"):
        agent_qre(openspiel("liars_dice(dice_sides=5)"), 1.0)
