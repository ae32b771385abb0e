"""Every regret minimiser and its engine passes the conformance suites that plugin authors run."""

from __future__ import annotations

import pytest

from equilibria.agents.solvers.regret.history_solver import HistoryRegretMinimiser
from equilibria.agents.solvers.regret.methods import CLASSES
from equilibria.games.extensive import openspiel, openspiel_history
from equilibria.sim.scenario import load_plan
from equilibria.testing import check_engine, check_solver


@pytest.mark.parametrize("method", sorted(CLASSES))
def test_a_method_is_a_conforming_solver(method: str) -> None:
    check_solver(lambda: CLASSES[method](openspiel("kuhn_poker"), budget=100))


@pytest.mark.parametrize("method", ["cfr_plus", "vad_cfr", "aod_cfr"])
def test_a_method_on_histories_is_a_conforming_solver(method: str) -> None:
    check_solver(lambda: HistoryRegretMinimiser(openspiel_history("kuhn_poker"), method, budget=100))


@pytest.mark.parametrize("name", ["quickstart", "quick/vad_cfr_kuhn", "quick/imperfect_recall"])
def test_shipped_runs_are_conforming_engines(name: str) -> None:
    check_engine(load_plan(name).build)
