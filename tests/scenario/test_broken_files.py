"""Broken scenario files: each kind of mistake has its position, its key and a way out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from equilibria.sim.cli.app import build_app
from equilibria.sim.errors import Problem, ScenarioError
from equilibria.sim.scenario import load_plan
from equilibria.sim.scenario.plan import plan_from_bytes

GOOD = """\
version: 1
name: toy
game:
  use: toy_walk
  params: {walkers: 3, place: {shape: ring, cells: 5}}
agents:
  - {role: all, use: toy_learner, params: {rate: 0.5}}
mechanisms:
  - {use: toy_tax, params: {share: 0.1}}
metrics:
  - {use: toy_mean, every: 2}
tables:
  - {name: walkers, every: 5, sample: 2}
run: {budget: 20, seed: 7}
"""
SWEEP = GOOD + "sweep:\n  grid:\n    run.budget: [10, 20]\n  seeds: {start: 0, count: 2}\n"


@dataclass(frozen=True)
class Broken:
    """A kind of broken file: what is changed, and the first problem that must be reported."""

    kind: str
    old: str
    new: str
    line: int
    column: int
    key: str
    says: str
    base: str = GOOD


def whole(kind: str, text: str, line: int, column: int, key: str, says: str) -> Broken:
    return Broken(kind, GOOD, text, line, column, key, says)


def sweep(kind: str, old: str, new: str, line: int, column: int, key: str, says: str) -> Broken:
    return Broken(kind, old, new, line, column, key, says, SWEEP)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{previous}'] * 9)}]\n"
    for previous, name in zip("abcdefgh", "bcdefghi", strict=True)
)
TEXT_BOMB = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 50)}]\n"

KINDS = [
    # typos at each depth
    Broken("typo at the top", "metrics:", "metrcs:", 10, 1, "metrcs", "did you mean 'metrics'? allowed: agents"),
    Broken("typo in game", "  use: toy_walk", "  us: toy_walk", 4, 3, "game.us", "allowed: engine, params, use"),
    Broken("typo in params", "walkers: 3", "walker: 3", 5, 12, "game.params.walker", "did you mean 'walkers'?"),
    Broken("typo in nested params", "cells: 5", "cels: 5", 5, 45, "game.params.place.cels", "did you mean 'cells'?"),
    Broken("typo in an agent", "role: all", "rol: all", 7, 6, "agents.0.rol", "did you mean 'role'?"),
    Broken("typo in agent params", "rate: 0.5", "rat: 0.5", 7, 44, "agents.0.params.rat", "did you mean 'rate'?"),
    Broken("typo in a metric", "every: 2", "evry: 2", 11, 21, "metrics.0.evry", "did you mean 'every'?"),
    Broken("typo in a table", "sample: 2", "sampel: 2", 13, 31, "tables.0.sampel", "did you mean 'sample' or"),
    Broken("typo in run", "seed: 7", "sead: 7", 14, 19, "run.sead", "did you mean 'seed'?"),
    Broken("typo in mechanism params", "share: 0.1", "shar: 0.1", 9, 29, "mechanisms.0.params.shar", "allowed: share"),
    sweep("typo in sweep", "  seeds:", "  seds:", 18, 3, "sweep.seds", "did you mean 'seeds'?"),
    sweep("typo in seeds", "count: 2", "cuont: 2", 18, 21, "sweep.seeds.cuont", "did you mean 'count'?"),
    Broken("unknown key without a near one", "name: toy", "name: toy\nzzzzzz: 1", 3, 1, "zzzzzz", "allowed: agents"),
    # missing keys
    Broken("missing version", "version: 1\n", "", 1, 1, "version", "'version' is missing; add `version:"),
    Broken("missing name", "name: toy\n", "", 1, 1, "name", "'name' is missing"),
    Broken("missing game", GOOD[GOOD.index("game:") : GOOD.index("agents:")], "", 1, 1, "game", "'game' is missing"),
    Broken("missing run", "run: {budget: 20, seed: 7}\n", "", 1, 1, "run", "'run' is missing"),
    Broken("missing budget", "budget: 20, ", "", 14, 6, "run.budget", "'budget' is missing"),
    Broken("missing use", "use: toy_learner, ", "", 7, 5, "agents.0.use", "'use' is missing"),
    Broken("missing parameter", ", params: {share: 0.1}", "", 9, 11, "mechanisms.0.params.share", "is missing"),
    Broken("missing union tag", "shape: ring, ", "", 5, 31, "game.params.place", "shape"),
    # wrong types
    Broken("text for a number", "walkers: 3", "walkers: many", 5, 21, "game.params.walkers", "must be a whole number"),
    Broken("quoted number", "walkers: 3", "walkers: '3'", 5, 21, "game.params.walkers", "write 3 without quotes"),
    Broken("fraction for a whole number", "walkers: 3", "walkers: 3.5", 5, 21, "game.params.walkers", "got 3.5"),
    Broken("truth value for a number", "budget: 20", "budget: true", 14, 15, "run.budget", "must be a whole number"),
    Broken("number for text", "name: toy", "name: 12", 2, 7, "name", "must be text, got 12; put the value in quotes"),
    Broken("yes for true", "walkers: 3", "noisy: yes", 5, 19, "game.params.noisy", "write true or false"),
    Broken("list for a mapping", "run: {budget: 20, seed: 7}", "run: [20, 7]", 14, 6, "run", "must be a mapping"),
    Broken("mapping for a list", "  - {use: toy_mean, every: 2}", "  {use: toy_mean}", 11, 3, "metrics", "must be a list"),
    Broken("text for a mapping", "params: {rate: 0.5}", "params: fast", 7, 43, "agents.0.params", "must be a mapping"),
    Broken("empty value", "budget: 20", "budget: ", 14, 14, "run.budget", "must be a whole number, got nothing"),
    Broken("list of wrong entries", "walkers: 3", "names: [1]", 5, 20, "game.params.names.0", "must be text, got 1"),
    Broken("union branch mistake", "cells: 5", "cells: x", 5, 52, "game.params.place.cells", "must be a whole number"),
    Broken("unknown union tag", "shape: ring", "shape: star", 5, 31, "game.params.place", "'ring', 'line'"),
    Broken("not one of the words", "walkers: 3", "kind: fre", 5, 18, "game.params.kind", "'free' or 'bounded', got 'fre'"),
    # bad values
    Broken("nan", "rate: 0.5", "rate: .nan", 7, 50, "agents.0.params.rate", "not a finite number; write a finite one"),
    Broken("infinity", "rate: 0.5", "rate: -.inf", 7, 50, "agents.0.params.rate", "not a finite number"),
    Broken("overflow", "rate: 0.5", "rate: 1e999", 7, 50, "agents.0.params.rate", "too large"),
    Broken("endless digits", "budget: 20", f"budget: {'9' * 5000}", 14, 15, "run.budget", "5000 digits"),
    Broken("above the range", "rate: 0.5", "rate: 1.5", 7, 50, "agents.0.params.rate", "must be <= 1.0, got 1.5"),
    Broken("at an open end", "rate: 0.5", "rate: 0", 7, 50, "agents.0.params.rate", "must be > 0"),
    Broken("negative budget", "budget: 20", "budget: -5", 14, 15, "run.budget", "must be >= 1, got -5; choose"),
    Broken("zero budget", "budget: 20", "budget: 0", 14, 15, "run.budget", "must be >= 1, got 0"),
    Broken("negative seed", "seed: 7", "seed: -7", 14, 25, "run.seed", "must be >= 0"),
    Broken("seed too large", "seed: 7", f"seed: {2**63}", 14, 25, "run.seed", f"<= {2**63 - 1}"),
    Broken("no threads", "seed: 7", "threads: 0", 14, 28, "run.threads", "must be >= 1"),
    Broken("zero every", "every: 2", "every: 0", 11, 28, "metrics.0.every", "must be >= 1"),
    Broken("zero sample", "sample: 2", "sample: 0", 13, 39, "tables.0.sample", "must be >= 1"),
    Broken("name with a slash", "name: toy", "name: ../toy", 2, 7, "name", "does not match"),
    Broken("table name with a slash", "name: walkers", "name: ../w", 13, 12, "tables.0.name", "does not match"),
    # names that nobody provides
    Broken("unknown game", "use: toy_walk", "use: toy_wlak", 4, 8, "game.use", "did you mean 'toy_walk'"),
    Broken("unknown agent", "use: toy_learner", "use: toy_lerner", 7, 22, "agents.0.use", "did you mean 'toy_learner'"),
    Broken("unknown metric", "use: toy_mean", "use: toy_men", 11, 11, "metrics.0.use", "did you mean 'toy_mean'"),
    Broken("unknown mechanism", "use: toy_tax", "use: qqqqq", 9, 11, "mechanisms.0.use", "known mechanisms: "),
    Broken("unknown engine", "use: toy_walk", "use: toy_walk\n  engine: nope", 5, 11, "game.engine", "unknown engine"),
    Broken("name of another kind", "use: toy_mean", "use: toy_tax", 11, 11, "metrics.0.use", "the name of a mechanism"),
    Broken("plugin that cannot be imported", "toy_walk", "toy_broken", 4, 8, "game.use", "cannot be imported"),
    Broken("extra that is missing", "toy_walk", "toy_extra", 4, 8, "game.use", 'pip install "equilibria[moon]"'),
    Broken("agent of another engine", "toy_learner", "toy_foreign", 7, 22, "agents.0.use", "does not work with engine"),
    Broken("metric of another engine", "toy_mean", "toy_foreign_metric", 11, 11, "metrics.0.use", "ones that do: toy_mean"),
    Broken("engine that cannot host", "use: toy_walk", "use: toy_walk\n  engine: toy_other_engine", 5, 11, "game.engine",
           "cannot host game 'toy_walk'; use one of: toy_engine"),
    Broken("game without an engine", "use: toy_walk", "use: toy_homeless", 4, 8, "game.engine", "add `engine:`"),
    Broken("metric twice", "tables:", "  - {use: toy_mean}\ntables:", 12, 11, "metrics.1.use", "already in metrics.0"),
    Broken("table twice", "run:", "  - {name: walkers}\nrun:", 14, 12, "tables.1.name", "already in tables.0"),
    # versions of the schema
    Broken("newer version", "version: 1", "version: 2", 1, 10, "version", "pip install --upgrade"),
    Broken("version zero", "version: 1", "version: 0", 1, 10, "version", "write version: 1"),
    Broken("version as text", "version: 1", "version: one", 1, 10, "version", "must be a whole number"),
    # YAML itself
    Broken("duplicate key", "name: toy", "name: toy\nname: toy2", 3, 1, "name", "twice (first in line 2)"),
    Broken("nested duplicate key", "seed: 7", "seed: 7, seed: 8", 14, 28, "run.seed", "keep one of them"),
    Broken("tab in the indentation", "  use: toy_walk", "\tuse: toy_walk", 4, 1, "game", "use spaces"),
    Broken("unclosed list", "  - {use: toy_mean, every: 2}", "  [1, 2", 12, 7, "metrics.2", "is not closed (opened in line 11)"),
    Broken("unclosed mapping", "seed: 7}", "seed: 7", 15, 1, "run", "is not closed (opened in line 14)"),
    Broken("unclosed quote", "name: toy", 'name: "toy', 15, 1, "name", "quoted text is not closed (opened in line 2)"),
    Broken("colon in a value", "name: toy", "name: toy: two", 2, 10, "", "':' is not allowed here"),
    Broken("wrong indentation", "  params: {walkers", "   params: {walkers", 5, 10, "game", "indentation"),
    Broken("code tag", "walkers: 3", "walkers: !!python/object/apply:os.system [ls]", 5, 21, "game.params.walkers", "tag"),
    Broken("own tag", "name: toy", "name: !secret toy", 2, 7, "name", "tag !secret is not allowed; remove it"),
    Broken("tag that does not fit", "budget: 20", "budget: !!int x", 14, 15, "run.budget", "is not of type int"),
    Broken("date", "name: toy", "name: 2026-01-31", 2, 7, "name", "put it in quotes"),
    Broken("merge key", "run: {", "run: {<<: {threads: 1}, ", 14, 7, "run.<<", "merge keys are not supported"),
    Broken("number as a key", "walkers: 3", "7: 3", 5, 12, "game.params.7", "is not text; put it in quotes"),
    Broken("control character in a key", "walkers: 3", '"a\\e[2J": 3', 5, 12, "game.params.a?[2J", "control characters"),
    Broken("null as a key", "walkers: 3", "~: 3", 5, 12, "game.params.~", "is not text"),
    Broken("list as a key", "walkers: 3", "[a]: 3", 5, 12, "game.params", "not a list or mapping"),
    Broken("template braces", "walkers: 3", "walkers: {{ n }}", 5, 22, "game.params.walkers", "use a plain word"),
    Broken("alias without anchor", "budget: 20", "budget: *b", 14, 15, "run.budget", "has no anchor"),
    Broken("alias in itself", "walkers: 3", "names: &n [*n]", 5, 23, "game.params.names.0", "refers to a value that contains"),
    whole("alias bomb", BOMB, 5, 28, "e.5", "more than 50000 values"),
    whole("alias bomb of text", TEXT_BOMB, 2, 157, "b.38", "more than 4000000 characters"),
    whole("depth 5000", "a: " + "[" * 5000 + "]" * 5000, 1, 67, ".".join(["a", *["0"] * 63]), "nested deeper than 64"),
    whole("unclosed depth 5000", "[" * 5000, 1, 65, ".".join(["0"] * 64), "nested deeper"),
    whole("depth 5000 in blocks", "- " * 5000, 1, 129, ".".join(["0"] * 64), "nested deeper"),
    Broken("second document", "run: {", "---\nrun: {", 14, 1, "", "keep one scenario per file"),
    whole("empty", "", 0, 0, "", "the file is empty; start with `version: 1`"),
    whole("spaces only", "  \n \n", 0, 0, "", "the file is empty"),
    whole("comments only", "# nothing\n# here\n", 0, 0, "", "the file is empty"),
    whole("list at the top", "- a\n- b\n", 1, 1, "", "the top level must be a mapping"),
    whole("text at the top", "hello", 1, 1, "", "the top level must be a mapping, got 'hello'; start with"),
    whole("null at the top", "---\n...\n", 2, 1, "", "the top level must be a mapping, got nothing"),
    whole("control character", "version: 1\nname: \x07\n", 2, 7, "", "U+0007 is not allowed"),
    whole("lone surrogate", 'version: 1\nname: "\\ud800"\n', 2, 7, "name", "lone surrogate"),
    whole("old YAML directive", "%YAML 1.1\n---\nversion: 1\n", 2, 1, "", "remove the directive"),
    whole("endless tag", f"a: {'!' * 999_990}", 1, 4, "", "tag of more than 1000 characters"),
    whole("many values", "a: [" + "1," * 400_000 + "]", 1, 99999, "a.49997", "more than 50000 values"),
    # sweeps
    sweep("sweep without content", SWEEP[SWEEP.index("\n  grid") :], " {}\n", 15, 8, "sweep", "neither grid nor seeds"),
    sweep("empty grid", "\n    run.budget: [10, 20]", " {}", 16, 9, "sweep.grid", "is empty; add"),
    sweep("axis without values", "[10, 20]", "[]", 17, 5, "sweep.grid.run.budget", "has no values; list at least one"),
    sweep("axis that is no list", "[10, 20]", "10", 17, 17, "sweep.grid.run.budget", "must be a list"),
    sweep("axis with a typo", "run.budget", "run.budgt", 17, 5, "sweep.grid.run.budgt", "did you mean 'budget'?"),
    sweep("axis of an unknown section", "run.budget", "rn.budget", 17, 5, "sweep.grid.rn.budget", "unknown key 'rn'"),
    sweep("axis with an empty part", "run.budget", "run..budget", 17, 5, "sweep.grid.run..budget", "empty part"),
    sweep("axis beyond a list", "run.budget: [10, 20]", "agents.1.use: [toy_other]", 17, 5, "sweep.grid.agents.1.use",
          "has no entry '1'; write an index in 0..0"),
    sweep("axis with a name for an index", "run.budget: [10, 20]", "agents.x.use: [toy_other]", 17, 5,
          "sweep.grid.agents.x.use", "write an index in 0..0"),
    sweep("axis below a value", "run.budget", "run.budget.x", 17, 5, "sweep.grid.run.budget.x", "single value"),
    sweep("axis of the seed", "run.budget", "run.seed", 17, 5, "sweep.grid.run.seed", "use sweep.seeds"),
    sweep("axis of the sweep", "run.budget", "sweep.seeds.count", 17, 5, "sweep.grid.sweep.seeds.count", "cannot change"),
    sweep("axis value out of range", "[10, 20]", "[10, -1]", 17, 22, "sweep.grid.run.budget.1", "must be >= 1, got -1"),
    sweep("axis value twice", "[10, 20]", "[10, 10]", 17, 22, "sweep.grid.run.budget.1", "stands already at index 0"),
    sweep("axis with an unknown agent", "run.budget: [10, 20]", "agents.0.use: [toy_learner, toy_othr]", 17, 33,
          "sweep.grid.agents.0.use.1", "did you mean 'toy_other'"),
    sweep("axis that orphans params", "run.budget: [10, 20]", "agents.0.use: [toy_learner, toy_other]", 17, 33,
          "sweep.grid.agents.0.use.1", "unknown key 'rate'; allowed: depth (set agents.0.params in the grid too)"),
    sweep("no seeds", "count: 2", "count: 0", 18, 28, "sweep.seeds.count", "must be >= 1"),
    sweep("too many members", "count: 2", "count: 60000", 16, 3, "sweep", "has 120000 members, the limit is 100000"),
]  # fmt: skip


def text_of(case: Broken) -> str:
    assert case.base.count(case.old) >= 1, case.kind
    return case.base.replace(case.old, case.new, 1)


def test_the_base_files_are_valid(toys: Path) -> None:
    assert plan_from_bytes(GOOD.encode(), "good.yaml").name == "toy"
    assert len(plan_from_bytes(SWEEP.encode(), "sweep.yaml").members()) == 4


def test_there_are_many_kinds() -> None:
    assert len({case.kind for case in KINDS}) == len(KINDS) >= 45


TRUE_CONSEQUENCES = {  # kinds whose change makes further, true mistakes: params of another plugin, a cut-off file
    "extra that is missing",
    "agent of another engine",
    "game without an engine",
    "lone surrogate",
}


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    return build_app()


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.kind)
def test_mistake_has_position_key_and_hint(
    case: Broken, app: typer.Typer, toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_bytes(text_of(case).encode("utf-8", "surrogatepass"))
    start = time.process_time()
    result = CliRunner().invoke(app, ["validate", "broken.yaml"])
    assert time.process_time() - start < 3.0  # the promise to the user, not a benchmark
    assert result.exit_code == 2
    assert result.stdout == "" and "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    place = f"broken.yaml:{case.line}:{case.column}: " if case.line else "broken.yaml: "
    start_of_line = f"{place}{case.key}: " if case.key else place
    (found,) = [line for line in lines if case.says in line][:1] or [result.stderr]
    assert found.startswith(start_of_line) and case.says in found
    assert "; " in found or ": pip install" in found  # what is wrong; what to do
    assert len(lines) == 1 or case.kind in TRUE_CONSEQUENCES, result.stderr
    assert os.listdir(tmp_path) == ["broken.yaml"]


def test_several_mistakes_come_at_once_in_file_order(toys: Path) -> None:
    text = """\
version: 1
nam: toy
game:
  use: toy_wlk
agents:
  - {role: all, use: toy_learner, params: {rate: 3, foo: .nan}}
metrics:
  - {use: toy_mean, every: 0}
  - {use: toy_mean, evry: 1}
run: {seed: "7", budgt: 3, seed: 8}
"""
    with pytest.raises(ScenarioError) as caught:
        plan_from_bytes(text.encode(), "many.yaml")
    problems = caught.value.problems
    places = [(p.line, p.column) for p in problems]
    assert places == sorted(places)
    assert {p.key for p in problems} >= {
        "nam", "game.use", "agents.0.params.rate", "agents.0.params.foo", "metrics.0.every",
        "metrics.1.evry", "run.seed", "run.budgt",
    }  # fmt: skip
    assert str(caught.value).splitlines()[0].startswith("many.yaml:2:1: nam: unknown key 'nam'; did you mean 'name'?")


class TestFiles:
    """Mistakes of the file rather than of its text."""

    def problem(self, path: Path | str) -> Problem:
        with pytest.raises(ScenarioError) as caught:
            load_plan(path)
        (problem,) = caught.value.problems
        return problem

    def test_missing_file_suggests_shipped_scenarios(self) -> None:
        assert "file not found" in self.problem("no/such/file.yaml").message
        assert "file not found" in self.problem("").message or "folder" in self.problem("").message

    def test_folder(self, tmp_path: Path) -> None:
        assert "is a folder, not a scenario file" in self.problem(tmp_path).message

    def test_broken_link(self, tmp_path: Path) -> None:
        (tmp_path / "link.yaml").symlink_to(tmp_path / "gone.yaml")
        assert "file not found" in self.problem(tmp_path / "link.yaml").message

    def test_named_pipe_is_refused_without_waiting(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.yaml")
        assert "is not a regular file" in self.problem(tmp_path / "pipe.yaml").message

    def test_name_with_nul(self) -> None:
        assert "check the path" in self.problem("a\0b").message

    def test_endless_name(self) -> None:
        assert "check the path" in self.problem("a" * 5000).message

    def test_unreadable_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "secret.yaml"
        path.write_text(GOOD)

        def refuse(*_: object, **__: object) -> None:  # the tests may run as root, who may read everything
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        assert "no permission to read" in self.problem(path).message

    def test_20_megabytes_are_refused_by_size(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.yaml"
        path.write_bytes(b"# filler\n" * (20_000_000 // 9))
        assert "the limit is 1000000" in self.problem(path).message

    def test_latin_1(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.yaml"
        path.write_bytes("version: 1\nname: Zürich\n".encode("latin-1"))
        problem = self.problem(path)
        assert (problem.line, problem.column) == (2, 8)
        assert problem.message == "byte 0xfc is not UTF-8; save the file as UTF-8"

    def test_utf_16(self, tmp_path: Path) -> None:
        path = tmp_path / "wide.yaml"
        path.write_text(GOOD, encoding="utf-16")
        assert "is not UTF-8; save the file as UTF-8" in self.problem(path).message

    def test_zip_archive(self, tmp_path: Path) -> None:
        path = tmp_path / "archive.yaml"
        path.write_bytes(b"PK\x03\x04\x14\x00\x00\x00")
        assert "is not allowed in YAML" in self.problem(path).message

    def test_byte_order_mark_and_windows_lines_are_fine(self, toys: Path, tmp_path: Path) -> None:
        path = tmp_path / "bom.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
        assert load_plan(path).hash == plan_from_bytes(GOOD.encode(), "good.yaml").hash


@pytest.mark.parametrize("kind", ["typo in params", "alias bomb", "unclosed list", "depth 5000", "code tag"])
def test_real_command_line_on_a_broken_file(kind: str, toys: Path, tmp_path: Path) -> None:
    case = next(c for c in KINDS if c.kind == kind)
    (tmp_path / "broken.yaml").write_text(text_of(case))
    command = [sys.executable, "-m", "equilibria.sim.cli.app", "validate", "broken.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(toys)}
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"broken.yaml:{case.line}:{case.column}: {case.key}: ")
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["broken.yaml"]


def test_findings_as_json(toys: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD.replace("rate: 0.5", "rate: 2"))
    arguments = ["validate", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--json"]
    result = CliRunner().invoke(build_app(), arguments)
    assert result.exit_code == 2
    good, bad = json.loads(result.stdout)
    assert good["valid"] and len(good["hash"]) == 64
    assert [p["key"] for p in bad["problems"]] == ["agents.0.params.rate"]
