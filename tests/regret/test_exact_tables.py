"""Exploitability of average policies against the exact tables, and against OpenSpiel's own solvers."""

from __future__ import annotations

from typing import Any

import pyspiel
import pytest

from equilibria.agents.solvers.regret.methods import CLASSES
from equilibria.agents.solvers.regret.solver import RegretMinimiser
from equilibria.games.extensive import exploitability, nash_conv, openspiel

GAMES = ("kuhn_poker", "kuhn_poker(players=3)", "leduc_poker", "liars_dice(dice_sides=3)")
K = 100
# method, parameters, then @20 and @100 per game; zero_tol on, alternating updates.
# CFR, CFR+, LCFR and DCFR agree with OpenSpiel's classes, PCFR+ and PDCFR+ with their authors' code.
TABLE: list[tuple[str, dict[str, Any], list[float]]] = [
    ("cfr", {}, [4.067019775e-2, 8.225977316e-3, 5.507293605e-2, 1.233854139e-2,
                 4.531456534e-1, 9.571635300e-2, 4.231212950e-2, 8.462425900e-3]),
    ("cfr_plus", {}, [1.010897737e-2, 1.194404101e-3, 1.641523465e-2, 9.849978784e-4,
                      1.736553734e-1, 1.341599498e-2, 1.156171676e-2, 4.799325205e-4]),
    ("linear_cfr", {}, [1.085499987e-2, 1.089027365e-3, 1.222229412e-2, 2.301661201e-3,
                        2.559778068e-1, 3.448966947e-2, 2.158041292e-2, 2.487840674e-3]),
    ("dcfr", {}, [1.152063311e-2, 1.666341970e-3, 6.556945671e-3, 2.044907968e-3,
                  1.667968180e-1, 7.754514419e-3, 4.597330870e-3, 3.8996e-5]),
    ("pcfr_plus", {}, [2.639591067e-3, 2.322955399e-5, 1.051841148e-2, 4.326527938e-4,
                       1.465023873e-1, 1.980125757e-2, 8.247145937e-3, 6.9955e-5]),
    ("pdcfr_plus", {}, [1.836032842e-3, 1.104827318e-7, 7.582811470e-3, 2.108823266e-4,
                        1.525766230e-1, 1.764662156e-2, 3.014724682e-3, 2.1654e-7]),
    ("hs_pcfr_plus", {}, [5.331449607e-3, 1.8e-13, 2.260649879e-2, 3.051499013e-4,
                          1.761992799e-1, 2.806707029e-2, 7.572820628e-8, 0.0]),
    ("vad_cfr", {"warm_start": 10}, [1.661377192e-3, 2.432149880e-5, 8.391079329e-3, 2.861417715e-4,
                                     1.629381607e-1, 8.219531831e-3, 1.441512959e-6, 9.5448e-9]),
    ("wop_cfr", {"warm_start": 10, "exponent": 1.0}, [1.888819008e-3, 1.664398592e-5, 7.178165546e-3, 4.052044698e-4,
                                                     1.352324164e-1, 1.978261991e-2, 2.619918231e-3, 1.92638e-5]),
    ("wop_cfr", {"warm_start": 10}, [1.416981024e-3, 1.766535641e-5, 7.688992140e-3, 1.667161426e-4,
                                     2.037967343e-1, 2.045452832e-2, 1.962490891e-5, 1.44299e-7]),
    ("aod_cfr", {}, [2.046695945e-2, 4.693149106e-4, 3.116878278e-2, 3.114416733e-4,
                     2.460419109e-1, 2.289110276e-2, 3.070167002e-2, 6.244963708e-5]),
]  # fmt: skip
SHORT = {3.8996e-5, 6.9955e-5, 2.1654e-7, 9.5448e-9, 1.92638e-5, 1.44299e-7}  # printed with fewer digits


def make(method: str, name: str, parameters: dict[str, Any], budget: int = K) -> RegretMinimiser:
    return CLASSES[method](openspiel(name), budget=budget, **parameters)


@pytest.mark.parametrize("column", range(4), ids=["kuhn2", "kuhn3", "leduc2", "liars_dice3"])
@pytest.mark.parametrize(("method", "parameters", "values"), TABLE, ids=[f"{m}-{len(p)}" for m, p, _ in TABLE])
def test_exploitability_is_exact(method: str, parameters: dict[str, Any], values: list[float], column: int) -> None:
    solver = make(method, GAMES[column], parameters)
    for iterations, expected in zip((20, 80), values[2 * column : 2 * column + 2], strict=True):
        solver.step(iterations)
        measured = exploitability(solver.game, solver.average_policy())
        # rounding differences between summation orders grow with the iterations, most on Leduc
        relative = 1e-6 if iterations == 20 else (1e-3 if column == 2 else 1e-5)
        relative = 1e-4 if expected in SHORT else relative
        assert measured == pytest.approx(expected, rel=relative, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "warm", "iterations", "average", "current"),
    [
        ("kuhn_poker", 20, 60, 5.472649099e-05, 2.675448815e-04),
        ("kuhn_poker(players=3)", 20, 40, 2.736714995e-03, 1.790326674e-03),
        ("leduc_poker", 7, 14, 3.437841211e-01, 3.984610704e-01),
        ("liars_dice(dice_sides=3)", 10, 30, 3.856219866e-07, 0.0),
    ],
)
def test_vad_trajectories_are_exact(name: str, warm: int, iterations: int, average: float, current: float) -> None:
    solver = make("vad_cfr", name, {"warm_start": warm})
    solver.step(iterations)
    assert exploitability(solver.game, solver.average_policy()) == pytest.approx(average, rel=1e-6, abs=1e-12)
    assert exploitability(solver.game, solver.current_policy()) == pytest.approx(current, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize(
    ("method", "name", "conv"),
    [
        ("cfr", "kuhn_poker", 0.016451954631830),
        ("cfr_plus", "kuhn_poker", 0.002388808202223),
        ("cfr", "leduc_poker", 0.191432706009195),
        ("cfr_plus", "leduc_poker", 0.026831989941796),
        ("cfr", "liars_dice(dice_sides=4)", 0.034087115313),
    ],
)
def test_nash_conv_after_100_iterations_is_openspiels(method: str, name: str, conv: float) -> None:
    solver = make(method, name, {})
    solver.step(100)
    # ten digits on Kuhn; summation order shows in the ninth digit of Leduc after 100 iterations
    assert nash_conv(solver.game, solver.average_policy()) == pytest.approx(conv, rel=1e-8)


@pytest.mark.parametrize("name", ["kuhn_poker(players=3)", "leduc_poker"])
@pytest.mark.parametrize("method", ["cfr", "cfr_plus"])
def test_ten_iterations_agree_with_the_cpp_solver(method: str, name: str) -> None:
    peer = {"cfr": pyspiel.CFRSolver, "cfr_plus": pyspiel.CFRPlusSolver}[method](pyspiel.load_game(name))
    solver = make(method, name, {})
    for _ in range(10):
        peer.evaluate_and_update_policy()
    solver.step(10)
    theirs = pyspiel.nash_conv(pyspiel.load_game(name), peer.tabular_average_policy())
    assert nash_conv(solver.game, solver.average_policy()) == pytest.approx(theirs, abs=1e-9)
