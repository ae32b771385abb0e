"""Plans: defaults, hashes, overrides, sweeps, building."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equilibria.sim.errors import InvalidValue, ScenarioError
from equilibria.sim.scenario import Plan, load_plan, plan_from_bytes
from equilibria.sim.seeds import MAX_SEED, SeedTree

GOOD = """\
# a comment
version: 1
name: toy
description: a walk
game: {use: toy_walk, params: {walkers: 1e1}}
agents:
  - {role: all, use: toy_learner, params: {rate: 1}}
metrics:
  - {use: toy_mean, every: 2}
tables:
  - {name: walkers, every: 5}
run: {budget: 20, seed: 7}
"""
SWEEP = (
    GOOD
    + """\
sweep:
  grid:
    agents.0.params: [{rate: 0.5}, {}]
    run.budget: [10, 20]
  seeds: {start: 3, count: 2}
"""
)


def plan(text: str = GOOD, **options: Any) -> Plan:
    return plan_from_bytes(text.encode(), "toy.yaml", **options)


@pytest.fixture(autouse=True)
def _toys(toys: Path) -> None:
    """Every test here uses the toy plugins."""


def test_defaults_are_filled_in() -> None:
    resolved = plan().resolved
    assert resolved["game"] == {
        "use": "toy_walk",
        "engine": "toy_engine",
        "params": {
            "walkers": 10,
            "drift": 0.0,
            "kind": "free",
            "noisy": True,
            "names": [],
            "place": {"shape": "ring", "cells": 8},
        },
    }
    assert resolved["run"] == {"budget": 20, "seed": 7, "checkpoint_every": 2, "threads": 1}
    assert resolved["tables"] == [{"name": "walkers", "every": 5, "sample": None}]
    assert resolved["mechanisms"] == [] and resolved["sweep"] is None
    assert resolved["versions"]["equilibria-toys"] == "1.0"
    assert json.loads(json.dumps(resolved, allow_nan=False)) == resolved


def test_plan_offers_what_the_run_loop_needs() -> None:
    made = plan()
    assert (made.name, made.seed, made.budget, made.checkpoint_every, made.threads) == ("toy", 7, 20, 2, 1)
    assert made.source == GOOD.encode()
    assert made.directory_name == f"toy-{made.hash[:8]}-s7"


def test_checkpoint_default_is_at_least_one_unit() -> None:
    assert plan(overrides=["run.budget=3"]).checkpoint_every == 1


class TestHash:
    """The hash names the experiment, not how it is written or run."""

    @pytest.mark.parametrize(
        "change",
        [
            ("# a comment\n", ""),
            ("walkers: 1e1", "walkers: 10"),
            ("{walkers: 1e1}", "{walkers: 10, drift: 0, kind: free}"),
            ("rate: 1}", "rate: 1.0}"),
            ("name: toy", "name: other"),
            ("description: a walk\n", ""),
            ("seed: 7", "seed: 8"),
            ("seed: 7", "seed: 7, threads: 2"),
            ("seed: 7", "seed: 7, checkpoint_every: 2"),
            ("run: {budget: 20, seed: 7}\n", "run:\n  seed: 7\n  budget: 0x14\n"),
        ],
    )
    def test_is_the_same(self, change: tuple[str, str]) -> None:
        assert change[0] in GOOD
        assert plan(GOOD.replace(*change)).hash == plan().hash

    @pytest.mark.parametrize(
        "change",
        [
            ("walkers: 1e1", "walkers: 11"),
            ("every: 2", "every: 1"),
            ("budget: 20", "budget: 21"),
            ("every: 5", "every: 5, sample: 3"),
            ("role: all", "role: walker"),
        ],
    )
    def test_is_another(self, change: tuple[str, str]) -> None:
        assert plan(GOOD.replace(*change)).hash != plan().hash

    def test_is_pinned(self) -> None:
        # a change of this value breaks the resumption of runs: raise the run format's version then
        made = plan()
        made.resolved["versions"] = {"equilibria": "0.1.0"}
        assert made.hash[:16] == "831eb6df54e5f69f"

    def test_sweep_hash_sees_seed_and_grid(self) -> None:
        base = plan(SWEEP)
        assert base.hash == plan().hash
        assert plan(SWEEP, seed=8).sweep_hash != base.sweep_hash
        assert plan(SWEEP.replace("count: 2", "count: 3")).sweep_hash != base.sweep_hash


class TestOverrides:
    """``--set``, ``--seed`` and ``--threads``."""

    def test_values_follow_the_rules_of_files(self) -> None:
        made = plan(
            overrides=["game.params.walkers=1e2", "game.params.place={shape: line, length: 2}", "agents.0.role=b"]
        )
        assert made.resolved["game"]["params"]["walkers"] == 100
        assert made.resolved["game"]["params"]["place"] == {"shape": "line", "length": 2.0}
        assert made.resolved["agents"][0]["role"] == "b"

    def test_aliases_are_not_changed_along(self) -> None:
        text = GOOD.replace("{use: toy_mean, every: 2}", "{use: toy_mean, every: &e 2}").replace(
            "every: 5", "every: *e"
        )
        text = text.replace("{rate: 1}", "&p {rate: 1}") + "sweep: {grid: {agents.0.params: [*p, {rate: 0.5}]}}\n"
        made = plan(text, overrides=["agents.0.params.rate=0.25"])
        assert made.resolved["agents"][0]["params"] == {"rate": 0.25}
        assert made.resolved["sweep"]["grid"]["agents.0.params"][0] == {"rate": 1}

    def test_later_ones_win(self) -> None:
        assert plan(overrides=["run.budget=5", "run.budget=6"]).budget == 6

    def test_missing_mappings_are_made(self) -> None:
        text = GOOD.replace(", params: {rate: 1}", "")
        assert plan(text, overrides=["agents.0.params.rate=0.25"]).resolved["agents"][0]["params"] == {"rate": 0.25}

    def test_seed_and_threads(self) -> None:
        made = plan(seed=MAX_SEED, threads=3)
        assert (made.seed, made.threads) == (MAX_SEED, 3)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("run.budget", "--set run.budget: must read key=value"),
            ("=3", "--set =3: must read key=value"),
            ("run.budget=", "run.budget: must be a whole number, got nothing"),
            ("run.budget=x", "--set run.budget=x: run.budget: must be a whole number, got 'x'"),
            ("run.budgt=3", "run.budgt: unknown key 'budgt'; did you mean 'budget'?"),
            ("run..budget=3", "empty part in the path"),
            ("run.budget.x=3", "run.budget is a single value"),
            ("agents.1.role=b", "agents is a list of 1 entries and has no entry '1'; write an index in 0..0"),
            ("agents.-1.role=b", "write an index in 0..0"),
            ("game.params.names=[a", "the list is not closed"),
            ("game.params.drift=.nan", "is not a finite number"),
            ("game.params.drift=!!python/name:os 1", "tag"),
            (
                "game.use=toy_wlak",
                "--set game.use=toy_wlak: game.use: unknown game 'toy_wlak'; did you mean 'toy_walk'",
            ),
        ],
    )
    def test_mistakes_name_the_option(self, text: str, says: str) -> None:
        with pytest.raises(ScenarioError) as caught:
            plan(overrides=[text])
        (problem,) = caught.value.problems
        assert says in str(problem)
        assert str(problem).startswith(f"--set {text}")

    def test_bad_seed_names_the_option(self) -> None:
        with pytest.raises(ScenarioError, match=r"--seed: run\.seed: must be >= 0, got -1"):
            plan(seed=-1)


class TestSweep:
    """Members of a sweep."""

    def test_grid_runs_in_file_order_with_the_seeds_innermost(self) -> None:
        members = plan(SWEEP).members()
        assert [m.index for m in members] == list(range(8))
        assert [m.seed_number for m in members] == [3, 4] * 4
        assert [m.overrides["run.budget"] for m in members] == [10, 10, 20, 20] * 2
        assert members[1].label == 'agents.0.params={"rate":0.5}, run.budget=10, seed 4'

    def test_member_seeds_come_from_the_seed_tree(self) -> None:
        members = plan(SWEEP).members()
        assert members[0].seed == SeedTree(7).member(3).seed == members[2].seed
        assert len({m.seed for m in members}) == 2

    def test_members_are_plans_of_their_own(self) -> None:
        members = plan(SWEEP).members()
        made = members[4].plan()
        assert made.sweep is None and made.seed == members[4].seed and made.budget == 10
        assert made.resolved["agents"][0]["params"] == {"rate": 0.5}  # the default of the toy learner
        assert members[0].plan().hash == made.hash  # rate 0.5 given or by default
        assert members[2].plan().hash != made.hash

    def test_grid_can_change_the_agent_when_it_sets_the_params_too(self) -> None:
        text = GOOD + "sweep:\n  grid:\n    agents.0: [{use: toy_learner}, {use: toy_other, params: {depth: 2}}]\n"
        members = plan(text).members()
        assert [m.plan().resolved["agents"][0]["use"] for m in members] == ["toy_learner", "toy_other"]
        assert [m.seed for m in members] == [7, 7]

    def test_seeds_without_a_grid(self) -> None:
        members = plan(GOOD + "sweep: {seeds: {count: 3}}\n").members()
        assert [m.label for m in members] == ["seed 0", "seed 1", "seed 2"]
        assert {m.plan().hash for m in members} == {plan().hash}

    def test_seeds_from_the_command_line(self) -> None:
        assert [m.seed_number for m in plan().members(start=5, count=2)] == [5, 6]
        assert [m.seed_number for m in plan(SWEEP).members(start=0, count=1)] == [0] * 4
        assert plan().members(start=0, count=1)[0].plan().hash == plan().hash

    def test_without_sweep_or_seeds_is_refused(self) -> None:
        with pytest.raises(InvalidValue, match="has no sweep section; add one, or give seeds"):
            plan().members()
        with pytest.raises(InvalidValue, match="count at least 1"):
            plan().members(count=0)

    def test_large_grids_are_checked_axis_by_axis_at_once_and_in_full_late(self) -> None:
        budgets = list(range(1, 301))
        text = GOOD + f"sweep:\n  grid:\n    run.budget: {budgets}\n    game.params.walkers: [1, 2]\n"
        assert len(plan(text).members()) == 600
        with pytest.raises(ScenarioError, match=r"sweep\.grid\.run\.budget\.299"):
            plan(text.replace("300]", "-300]"))

    def test_survive_the_manifest(self) -> None:
        base = plan(SWEEP)
        again = Plan.from_resolved(json.loads(json.dumps(base.resolved)))
        assert again.sweep_hash == base.sweep_hash
        assert [m.plan().resolved for m in again.members()] == [m.plan().resolved for m in base.members()]


class TestFromResolved:
    """Resume and replay start from the manifest's JSON."""

    def test_is_the_same_plan(self) -> None:
        made = plan()
        again = Plan.from_resolved(json.loads(json.dumps(made.resolved)), source=made.source)
        assert (again.resolved, again.hash, again.source) == (made.resolved, made.hash, made.source)
        assert again.version_differences() == []

    def test_keeps_the_old_versions_and_says_so(self) -> None:
        resolved = json.loads(json.dumps(plan().resolved))
        resolved["versions"]["equilibria-toys"] = "0.9"
        again = Plan.from_resolved(resolved)
        assert again.version_differences() == ["equilibria-toys 0.9 (now 1.0)"]
        assert again.hash != plan().hash

    def test_damaged_json_is_a_scenario_error(self) -> None:
        resolved = json.loads(json.dumps(plan().resolved))
        resolved["run"]["budget"] = -1
        with pytest.raises(ScenarioError, match=r"manifest: run\.budget: must be >= 1"):
            Plan.from_resolved(resolved)


class _Out:
    def __init__(self) -> None:
        self.rows: list[tuple[str, int, float]] = []
        self.tables: list[tuple[str, int]] = []

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        self.rows.append((name, unit, value))

    def table(self, name: str, columns: Any) -> None:
        self.tables.append((name, len(columns["unit"])))


def test_build_makes_a_running_engine() -> None:
    made = plan()
    engine = made.build()
    out = _Out()
    engine.start(SeedTree(made.seed))
    assert engine.advance(100, out) == 20
    assert [unit for _, unit, _ in out.rows] == list(range(0, 21, 2))
    assert out.tables == [("walkers", 10)] * 5
    assert engine.certificate().measure == "drift"


def test_build_depends_on_seed_alone() -> None:
    def end(seed: int, threads: int) -> Any:
        engine = plan(seed=seed, threads=threads).build()
        engine.start(SeedTree(seed))
        engine.advance(20, _Out())
        return engine.save().arrays["position"]

    np.testing.assert_array_equal(end(1, 1), end(1, 2))
    assert (end(1, 1) != end(2, 1)).any()


def test_shipped_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from equilibria.sim.scenario import shipped

    (tmp_path / "shipped" / "quick").mkdir(parents=True)
    (tmp_path / "shipped" / "quick" / "walk.yaml").write_text(GOOD)
    monkeypatch.setattr(shipped, "folder", lambda: tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    assert shipped.names() == ["quick/walk"]
    assert load_plan("quick/walk").name == "toy"
    with pytest.raises(ScenarioError, match="did you mean the shipped scenario 'quick/walk'"):
        load_plan("quick/wlk")
    (tmp_path / "quick").mkdir()
    Path("quick/walk").write_text(GOOD.replace("name: toy", "name: mine"))
    assert load_plan("quick/walk").name == "mine"  # a file at the path wins


class TestRefusalsWhenBuilding:
    """Parts may refuse what no settings model can see; the scenario's line is blamed."""

    TEXT = b"version: 1\nname: x\ngame: {use: schelling, params: {activation: simultaneous}}\n"

    def refusal(self, rest: bytes, **options: Any) -> str:
        with pytest.raises(ScenarioError) as caught:
            plan_from_bytes(self.TEXT + rest + b"run: {budget: 3}\n", "x.yaml", **options).build()
        assert caught.value.__cause__ is not None
        return str(caught.value)

    def test_metric_is_blamed(self) -> None:
        said = self.refusal(b"metrics:\n  - {use: unhappy_share}\n  - {use: gini}\n")
        assert said.startswith("x.yaml:6:11: metrics.1.use: metric 'gini' needs the column 'wealth'")

    def test_table_is_blamed(self) -> None:
        assert self.refusal(b"tables: [{name: agnts}]\n").startswith("x.yaml:4:17: tables.0.name: ")

    def test_option_has_no_position(self) -> None:
        said = self.refusal(b"", overrides=["tables=[{name: agnts}]"])
        assert said.startswith("x.yaml: tables.0.name: a population run has no table 'agnts'")


def test_agent_and_metric_must_fit_the_form_of_the_game() -> None:
    text = (
        b"version: 1\nname: x\ngame: {use: climb}\nagents: [{use: cfr_plus}]\nmetrics: [{use: exploitability}]\n"
        b"run: {budget: 3}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        plan_from_bytes(text, "x.yaml")
    agent, metric = caught.value.problems
    assert str(agent).startswith("x.yaml:4:16: agents.0.use: agent 'cfr_plus' does not work with game 'climb' (team); ")
    assert "choose a agent" not in agent.message and "fxp" in agent.message
    assert "metric 'exploitability' does not work with game 'climb' (team)" in metric.message
