"""Conformance suites: one call per part says whether it keeps its contract.

Plugin authors call them from their own tests (also as ``equilibria.testing``)::

    from equilibria.testing import check_engine, check_game

    def test_my_game_keeps_the_contract():
        check_game(lambda: build(MySettings(), seeds=SeedTree(1)))
        check_engine(load_plan("my.yaml").build)

Each suite raises ``PluginError`` with the promise that was broken, what was expected and what was
found; it returns nothing when all is well.
"""

from __future__ import annotations

from equilibria.sim.testing.engine import Recording, check_engine
from equilibria.sim.testing.environment import check_env
from equilibria.sim.testing.game import check_game
from equilibria.sim.testing.mechanism import PROBES, check_mechanism
from equilibria.sim.testing.solver import check_solver

__all__ = ["PROBES", "Recording", "check_engine", "check_env", "check_game", "check_mechanism", "check_solver"]
