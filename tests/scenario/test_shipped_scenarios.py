"""Scenarios that come with the package, and those printed in the documentation, are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from equilibria.sim.scenario import load_plan, plan_from_bytes, shipped

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", shipped.names())
def test_shipped_scenario_is_valid_and_says_what_it_shows(name: str) -> None:
    plan = load_plan(name)
    first = plan.source.splitlines()[0]
    assert first.startswith(b"#"), f"{name}: the first line must be a comment that says what the scenario shows"
    if plan.sweep is not None:
        assert plan.members()[-1].plan().hash


@pytest.mark.parametrize("index", [0, 1])
def test_printed_scenario_is_valid(index: int) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "scenario.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    assert plan_from_bytes(blocks[index].encode(), "docs/scenario.md").members()
