"""Every quick scenario keeps the engine's contract: chunks, resumption, determinism, certificate."""

from __future__ import annotations

import pytest

from equilibria.sim.scenario import load_plan, shipped
from equilibria.testing import check_engine

QUICK = [name for name in shipped.names() if name.startswith("quick/")]


@pytest.mark.parametrize("name", QUICK)
def test_quick_scenario_keeps_the_contract(name: str) -> None:
    check_engine(load_plan(name, overrides=["run.budget=7"]).build, units=9)
