"""The examples in the docstrings run and give what they show."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = {
    "agents.solvers.mirror.solver": 5,
    "agents.solvers.mirror.simplex": 1,
    "agents.solvers.regret.mccfr": 4,
    "games.extensive.lp": 2,
    "games.extensive.qre": 2,
    "games.extensive.matrix": 1,
    "games.extensive.random_games": 1,
}


@pytest.mark.parametrize(("name", "examples"), MODULES.items())
def test_examples_run(name: str, examples: int) -> None:
    result = doctest.testmod(importlib.import_module(f"equilibria.{name}"))
    assert result.failed == 0
    assert result.attempted == examples
