"""Shipped scenarios: each says what it is, each is valid, the quick ones run and end with a certificate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from equilibria.sim.analysis.facts import certificate_sentence, final_values
from equilibria.sim.analysis.html import loadable, to_yaml
from equilibria.sim.api import run
from equilibria.sim.scenario import load_plan
from equilibria.sim.scenario.shipped import folder, names

SHIPPED = names()
QUICK = [name for name in SHIPPED if name.startswith("quick/")]
_HEADER = re.compile(r"What: .+Paper: .+Expect: .+About \d.*", re.DOTALL)


def header(path: Path) -> str:
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)


def test_there_are_shipped_scenarios_and_quick_ones() -> None:
    assert "quickstart" in SHIPPED
    assert QUICK


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_says_what_it_is_and_is_valid(name: str) -> None:
    path = folder() / f"{name}.yaml"
    assert _HEADER.fullmatch(header(path)), f"{path}: first comment must hold What:, Paper:, Expect: and About <time>"
    plan = load_plan(name)
    assert plan.resolved["metrics"], f"{path}: records no metric"
    for member in plan.members() if plan.sweep is not None else []:
        assert member.label


@pytest.mark.parametrize("name", SHIPPED)
def test_the_resolved_scenario_is_a_scenario_with_the_same_hash(name: str, tmp_path: Path) -> None:
    plan = load_plan(name)
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(loadable(plan.resolved)), encoding="utf-8")
    assert load_plan(str(again)).hash == plan.hash


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_scenario_runs_and_is_certified(name: str, tmp_path: Path) -> None:
    plan = load_plan(name)
    plans = [member.plan() for member in plan.members()] if plan.sweep is not None else [plan]
    for index, each in enumerate(plans):
        done = run(each, tmp_path / str(index))
        assert done.state == "complete"
        assert done.certificate is not None
        assert certificate_sentence(done) == done.certificate["sentence"] != ""
        assert final_values(done)
