"""Magnetic mirror descent against published and independently computed equilibria.

Numbers: Sokota et al. (2023) define the games and schedules; the digits were computed with an independent
implementation and, for the sequence form, agree with OpenSpiel's ``mmd_dilated``.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from equilibria.agents.solvers.mirror.solver import MMD
from equilibria.games.extensive.action_values import fixed_point_residual
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.matrix import matrix_game
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.values import expected_values, exploitability

DARK_HEX = "dark_hex(board_size=2,gameversion=adh)"
LIARS_DICE = "liars_dice(dice_sides=4)"

RPS = {
    0.5: (0.2981331944, 0.4138204546, 0.2880463510),
    0.2: (0.2236449196, 0.4779881736, 0.2983669068),
    0.1: (0.1734780259, 0.4863032404, 0.3402187336),
    0.05: (0.1517447014, 0.4679477468, 0.3803075518),
}

AQRE = {
    0.5: (
        {
            "0": 0.2842898582, "1": 0.3969918298, "2": 0.5361280769, "0pb": 0.1192029220, "1pb": 0.6382262312,
            "2pb": 0.9975273768, "0p": 0.3171962149, "1p": 0.3461477944, "2p": 0.6710795436, "0b": 0.1192029220,
            "1b": 0.6839850835, "2b": 0.9975273768,
        },
        -0.0448354695,
        0.1124098765,
    ),
    0.1: (
        {
            "0": 0.1898615450, "1": 0.1369253652, "2": 0.5915857589, "0pb": 0.0000453979, "1pb": 0.5454583686,
            "2pb": 1.0 - 1e-13, "0p": 0.3221643436, "1p": 0.0338515737, "2p": 0.9434168068, "0b": 0.0000453979,
            "1b": 0.4300754599,
        },
        -0.0562404498,
        0.0188950230,
    ),
}  # fmt: skip

DILATED = {
    0.5: (
        {
            "0": 0.3897870106, "1": 0.3995374769, "2": 0.4215952367, "0pb": 0.4124896845, "1pb": 0.5793522623,
            "2pb": 0.7339251783, "0p": 0.5033815445, "1p": 0.5112479881, "2p": 0.5497998303, "0b": 0.4319963012,
            "1b": 0.5619931878, "2b": 0.6876862666,
        },
        0.0408650642,
    ),
    0.1: (
        {
            "0": 0.2463576574, "1": 0.2969018606, "2": 0.5245319279, "0pb": 0.1415559531, "1pb": 0.6357665166,
            "2pb": 0.9728520785, "0p": 0.3499457462, "1p": 0.3658405806, "2p": 0.7156152708, "0b": 0.2027723701,
            "1b": 0.5884517391, "2b": 0.9379815100,
        },
        -0.0091001413,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveGame:
    return openspiel("kuhn_poker")


def _bet(policy: BehaviouralPolicy, infostate: str) -> float:
    player = 0 if len(infostate) != 2 else 1
    return policy.prob(player, infostate)[1]


@pytest.mark.parametrize("alpha", sorted(RPS))
def test_perturbed_rock_paper_scissors_has_the_known_quantal_response(alpha: float) -> None:
    payoffs = (np.array([[0, -3, 3], [3, 0, -1], [-3, 1, 0]]) + 3.0) / 6.0
    game = matrix_game([payoffs, 1.0 - payoffs])
    solver = MMD(game, schedule="constant", alpha=alpha, eta=alpha, floor=0.0)
    solver.step(10_000)
    np.testing.assert_allclose(solver.policy().probs[1:4], RPS[alpha], rtol=0, atol=1e-9)
    np.testing.assert_allclose(solver.policy().probs[5:8], RPS[alpha], rtol=0, atol=1e-9)


@pytest.mark.parametrize("alpha", sorted(AQRE))
def test_kuhn_agent_quantal_response_equilibrium(kuhn: ExtensiveGame, alpha: float) -> None:
    solver = MMD(kuhn, schedule="constant", alpha=alpha, floor=0.0)
    solver.step(60_000)
    bets, value, exploitable = AQRE[alpha]
    policy = solver.policy()
    for infostate, probability in bets.items():
        assert _bet(policy, infostate) == pytest.approx(probability, abs=1e-8), infostate
    assert expected_values(kuhn, policy)[0] == pytest.approx(value, abs=1e-8)
    assert exploitability(kuhn, policy) == pytest.approx(exploitable, abs=1e-8)
    # facing a bet is a choice between two known payoffs: closed forms
    assert _bet(policy, "0b") == pytest.approx(1.0 / (1.0 + math.exp(1.0 / alpha)), abs=1e-12)
    assert _bet(policy, "2b") == pytest.approx(1.0 / (1.0 + math.exp(-3.0 / alpha)), abs=1e-12)
    assert fixed_point_residual(solver.action_values(), alpha) < 1e-9
    assert 0.0 <= solver.regularised_gap() + 1e-15 < 1e-12


@pytest.mark.parametrize("alpha", sorted(DILATED))
def test_kuhn_sequence_form_quantal_response_equilibrium(kuhn: ExtensiveGame, alpha: float) -> None:
    solver = MMD(kuhn, form="sequence", schedule="constant", alpha=alpha, floor=0.0)
    solver.step(200)  # the reference digits for alpha = 0.1 are those of iteration 200, 3e-8 from the limit
    bets, value = DILATED[alpha]
    policy = solver.policy()
    for infostate, probability in bets.items():
        assert _bet(policy, infostate) == pytest.approx(probability, abs=1e-8), infostate
    assert expected_values(kuhn, policy)[0] == pytest.approx(value, abs=1e-8)
    solver.step(800)
    np.testing.assert_allclose(solver.policy().probs, policy.probs, atol=1e-6)
    policy = solver.policy()
    solver.step(1)
    np.testing.assert_allclose(solver.policy().probs, policy.probs, rtol=1e-6)


def test_sequence_form_gap_vanishes_in_200_iterations(kuhn: ExtensiveGame) -> None:
    solver = MMD(kuhn, form="sequence", schedule="constant", alpha=0.1, floor=0.0)
    assert solver.eta == pytest.approx(0.9)  # alpha / max|A|^2 with max|A| = 2/6
    before = solver.regularised_gap()
    solver.step(200)
    assert before > 0.1
    assert abs(solver.regularised_gap()) < 1e-12


@pytest.mark.parametrize("name", ["kuhn_poker", DARK_HEX])
def test_quantal_response_is_approached_on_a_straight_line(name: str) -> None:
    game = openspiel(name)
    solver = MMD(game, schedule="constant", alpha=0.5, floor=0.0)
    logs, old = [], solver.policy().probs
    for _ in range(12):
        solver.step(50)
        new = solver.policy().probs
        logs.append(math.log10(float(np.abs(new - old).max())))
        old = new
    # complex eigenvalues make the change swing around its line: judge the fit, not single steps
    slope, start = np.polyfit(np.arange(12.0), logs, 1)
    residual = np.asarray(logs) - (start + slope * np.arange(12))
    assert -0.7 < slope < -0.3
    assert float(residual.var() / np.var(logs)) < 0.02
    solver.step(400)
    near = solver.policy().probs
    solver.step(9000)
    assert float(np.abs(near - solver.policy().probs).max()) < 2e-10  # 1.3e-10 in dark hex


def test_default_floor_costs_less_than_half_a_millionth(kuhn: ExtensiveGame) -> None:
    solver = MMD(kuhn, schedule="constant", alpha=0.5)
    solver.step(1000)
    for infostate, probability in AQRE[0.5][0].items():
        assert _bet(solver.policy(), infostate) == pytest.approx(probability, abs=5e-7)


# game, alpha, eta, then exploitability after 100, 1000, 10000 iterations: annealing | moving magnet
NASH = [
    ("kuhn_poker", 1.0, 1.0, (2.913e-2, 5.059e-3, 1.223e-3), (9.412e-2, 3.663e-3, 3.8e-11)),
    (DARK_HEX, 1.0, 1.0, (3.023e-2, 9.087e-3, 2.793e-3), (1.067e-1, 3.679e-3, 1.0e-10)),
    (LIARS_DICE, 1.0, 2.0, (7.355e-2, 1.522e-2, 1.086e-3), (1.911e-1, 1.464e-2, 3.1e-4)),
    ("leduc_poker", 5.0, 1.0, (2.355e-1, 6.686e-2, 1.705e-2), (1.735e-1, 8.467e-2, 1.322e-2)),
]
LONG = {
    "kuhn_poker": (3.937e-4, 3.8e-11),
    DARK_HEX: (8.148e-4, 1.0e-10),
    LIARS_DICE: (2.956e-4, 3.6e-10),
    "leduc_poker": (5.193e-3, 1.1e-4),
}


def _curve(solver: MMD, marks: tuple[int, ...]) -> list[float]:
    values = []
    for mark in marks:
        solver.step(mark - solver.iteration)
        values.append(exploitability(solver.game, solver.policy()))
    return values


@pytest.mark.parametrize(("name", "alpha", "eta", "annealed", "moving"), NASH)
def test_last_iterate_approaches_nash(
    name: str, alpha: float, eta: float, annealed: tuple[float, ...], moving: tuple[float, ...]
) -> None:
    game, marks = openspiel(name), (100, 1000, 10_000)
    np.testing.assert_allclose(_curve(MMD(game, alpha=alpha, eta=eta), marks), annealed, rtol=0.02)
    magnet = MMD(game, schedule="constant", alpha=1.0, eta=0.1, magnet_rate=0.05)
    ratio = np.array(_curve(magnet, marks)) / np.array(moving)
    assert ratio.max() < 2.0
    assert ratio.min() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "alpha", "eta"), [row[:3] for row in NASH])
def test_hundred_thousand_iterations_reach_the_published_level(name: str, alpha: float, eta: float) -> None:
    game = openspiel(name)
    annealed, moving = LONG[name]
    assert _curve(MMD(game, alpha=alpha, eta=eta), (100_000,))[0] == pytest.approx(annealed, rel=0.02)
    magnet = MMD(game, schedule="constant", alpha=1.0, eta=0.1, magnet_rate=0.05)
    assert 0.5 * moving < _curve(magnet, (100_000,))[0] < 2.0 * moving


# the error shrinks by about 1 + alpha^2 / 10 per iteration, from a start that is payoff range / alpha away
QRE_ITERATIONS = {0.5: 4000, 0.2: 15_000, 0.1: 60_000, 0.05: 300_000}


@pytest.mark.parametrize("name", ["kuhn_poker", DARK_HEX, LIARS_DICE, "leduc_poker"])
@pytest.mark.parametrize(
    "alpha",
    [0.5, 0.2, pytest.param(0.1, marks=pytest.mark.heavy), pytest.param(0.05, marks=pytest.mark.slow)],
)
def test_every_game_of_the_paper_reaches_its_agent_quantal_response(name: str, alpha: float) -> None:
    solver = MMD(openspiel(name), schedule="constant", alpha=alpha, floor=0.0)
    solver.step(QRE_ITERATIONS[alpha])
    assert fixed_point_residual(solver.action_values(), alpha) < 1e-9


@pytest.mark.slow
def test_sequence_form_agrees_with_openspiel() -> None:
    import pyspiel
    from open_spiel.python.algorithms.mmd_dilated import MMDDilatedEnt

    peer = MMDDilatedEnt(pyspiel.load_game("kuhn_poker"), 0.2, 0.1)
    for _ in range(50):
        peer.update_sequences()
    game = openspiel("kuhn_poker")
    solver = MMD(game, form="sequence", schedule="constant", alpha=0.2, eta=0.1, floor=0.0)
    solver.step(50)
    expected = BehaviouralPolicy.from_openspiel(game, peer.get_policies())
    np.testing.assert_allclose(solver.policy().probs, expected.probs, atol=1e-9)
