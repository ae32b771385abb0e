"""Solvers of team, preference, iterated, scheduled and offline games keep the solver contract."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from equilibria.agents.reservoir.settings import BodySettings, BRGSettings
from equilibria.agents.reservoir.solver import BodyReservoir
from equilibria.agents.solvers.coffee.data import generate
from equilibria.agents.solvers.coffee.solver import CoffeePSRO
from equilibria.agents.solvers.fxp.cross_play import FXP
from equilibria.agents.solvers.fxp.population import TeamODO, TeamPSRO
from equilibria.agents.solvers.fxp.self_play import RULES, SelfPlay
from equilibria.agents.solvers.fxp.settings import Rule
from equilibria.agents.solvers.preference.settings import INPOSettings, SPOSettings, SPPOSettings
from equilibria.agents.solvers.preference.solver import PreferenceSolver
from equilibria.agents.solvers.tournament.solver import Tournament
from equilibria.games.matrix.iterated import PRISONERS_DILEMMA, IteratedGame
from equilibria.games.matrix.preference import PreferenceGame
from equilibria.games.matrix.repeated import Phase, ScheduledDilemma
from equilibria.games.matrix.strategies import named
from equilibria.games.matrix.team_games import climb, team_rock_paper_scissors
from equilibria.sim.contract import Solver
from equilibria.testing import check_solver

CYCLE = PreferenceGame(np.array([[0.5, 0.9, 0.3], [0.1, 0.5, 0.6], [0.7, 0.4, 0.5]]))
NOISY = IteratedGame(
    tuple(named(n) for n in ("joss", "random", "grudger")), np.array(PRISONERS_DILEMMA), turns=20, noise=0.1
)


def _self_play(rule: Rule) -> Callable[[], Solver]:
    return lambda: SelfPlay(climb(), rule)


def _reservoir() -> Solver:
    settings = BRGSettings(body=BodySettings(dimension=6, habituation=2, epoch=20), replicas=2)
    return BodyReservoir(ScheduledDilemma((Phase(40, 0.3),), np.array(PRISONERS_DILEMMA)), settings)


MAKERS: dict[str, Callable[[], Solver]] = {
    "fxp": lambda: FXP(team_rock_paper_scissors()),
    "team_psro": lambda: TeamPSRO(climb()),
    "team_odo": lambda: TeamODO(climb()),
    **{f"team_{rule}": _self_play(rule) for rule in RULES},
    "sppo": lambda: PreferenceSolver(CYCLE, SPPOSettings()),
    "spo": lambda: PreferenceSolver(CYCLE, SPOSettings()),
    "inpo": lambda: PreferenceSolver(CYCLE, INPOSettings()),
    "tournament": lambda: Tournament(NOISY),
    "brg": _reservoir,
    "coffee_psro": lambda: CoffeePSRO(generate("kuhn_poker", episodes=200, coverage=0.5)),
}


@pytest.mark.parametrize("name", MAKERS)
def test_solver_keeps_the_contract(name: str) -> None:
    check_solver(MAKERS[name])
