"""The command line's frame: start-up, exit codes, streams, list, describe, schema."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from equilibria.sim.cli import app as frame
from equilibria.sim.errors import EquilibriaError, RunInUse, ScenarioError, StorageFailed

HEAVY = ("numba", "polars", "torch", "streamlit", "mesa", "networkx", "pyspiel", "matplotlib", "pandas", "ray")
MODULE = [sys.executable, "-m", "equilibria.sim.cli.app"]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command line."""
    env = {**os.environ, "NO_COLOR": "1", **environment}
    return subprocess.run([*MODULE, *arguments], check=False, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["list"], ["validate", "BROKEN"], ["describe", "toy_walk"], ["schema"]]
)
def test_quick_commands_import_nothing_heavy(arguments: list[str], toys: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\nname: x\ngame: {use: toy_walk, params: {walkers: -1}}\nrun: {budget: 0}\n")
    given = [str(broken) if a == "BROKEN" else a for a in arguments]
    env = {**os.environ, "PYTHONPATH": str(toys)}
    line = [sys.executable, "-X", "importtime", "-m", "equilibria.sim.cli.app", *given]
    done = subprocess.run(line, check=False, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == (2 if "validate" in arguments else 0), done.stderr[-500:]
    imported = {m.split(".")[0] for m in re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE)}
    assert "equilibria" in imported
    assert imported.isdisjoint(HEAVY)


def test_version_and_help_go_to_stdout() -> None:
    done = command("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"equilibria \d+\.\d+\.\d+\n", done.stdout)
    assert "validate" in command("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "code"), [(["nonsense"], 2), (["validate"], 2), (["list", "frogs"], 2), (["describe", "frogs"], 2)]
)
def test_wrong_usage_exits_with_two_on_stderr(arguments: list[str], code: int) -> None:
    done = command(*arguments)
    assert done.returncode == code
    assert done.stdout == "" and done.stderr and "Traceback" not in done.stderr


def test_closed_pipe_is_quiet() -> None:
    line = " ".join(f"'{part}'" for part in [*MODULE, "schema"]) + " | head -c 10"
    done = subprocess.run(["bash", "-c", line], check=False, capture_output=True, text=True, timeout=120)
    assert len(done.stdout) == 10
    assert done.stderr == ""


def test_ascii_terminal_does_not_end_a_command(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("version: 1\nname: ü\n", encoding="utf-8")
    done = command("validate", str(path), PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and "does not match the pattern" in done.stderr and "Error" not in done.stderr


def ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, *options: str) -> int:
    """Return the exit code of a command that raises ``error``."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def top() -> None: ...

    @app.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(frame, "build_app", lambda: app)
    with pytest.raises(SystemExit) as caught:
        frame.main(["fail", *options])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ScenarioError([]), 2, ""),
        (EquilibriaError("the walk diverged"), 3, "the walk diverged\n"),
        (RunInUse("in use"), 4, "in use\n"),
        (StorageFailed("disk full"), 5, "disk full\n"),
        (OSError(28, "No space left on device"), 5, "No space left"),
        (PermissionError(13, "Permission denied", "/x"), 5, "Permission denied"),
        (MemoryError(), 3, "out of memory"),
        (KeyboardInterrupt(), 130, ""),
        (RuntimeError("two\nlines"), 3, "internal error (RuntimeError: two lines); please report it"),
        (RecursionError("deep"), 3, "internal error"),
    ],
)
def test_every_error_has_its_exit_code(
    error: BaseException, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EQUILIBRIA_DEBUG", raising=False)
    assert ends_with(monkeypatch, error) == code
    out = capsys.readouterr()
    assert says in out.err
    assert "Traceback" not in out.err and out.out == ""


def test_traceback_on_request_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(monkeypatch, RuntimeError("x"), "--traceback") == 3
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    monkeypatch.setenv("EQUILIBRIA_DEBUG", "1")
    assert ends_with(monkeypatch, RuntimeError("x")) == 3
    assert "Traceback (most recent call last)" in capsys.readouterr().err


class TestList:
    """``equilibria list``."""

    def test_groups_everything(self, toys: Path) -> None:
        result = CliRunner().invoke(frame.build_app(), ["list"])
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert [n for n in lines if not n.startswith(" ")][:2] == ["games", "agents"]
        assert any(n.split() == ["toy_walk", "Toy", "game.", "(from", "equilibria-toys", "1.0)"] for n in lines)
        assert any("toy_broken" in n and "BROKEN" in n for n in lines)
        assert any("toy_extra" in n and "needs the extra 'moon'" in n for n in lines)

    def test_json(self, toys: Path) -> None:
        result = CliRunner().invoke(frame.build_app(), ["list", "metrics", "--json"])
        names = [row["name"] for row in json.loads(result.stdout)["metrics"]]
        assert "toy_mean" in names and names == sorted(names)


class TestDescribe:
    """``equilibria describe``."""

    def describe(self, name: str) -> str:
        result = CliRunner().invoke(frame.build_app(), ["describe", name])
        assert result.exit_code == 0
        return result.stdout

    def test_shows_parameters_of_nested_models(self, toys: Path) -> None:
        text = self.describe("toy_walk")
        assert "source: Pearson (1905)" in text and "engines: toy_engine" in text
        assert re.search(r"walkers +whole number +4 +>= 1, <= 1e\+06 +Number of walkers\.", text)
        assert re.search(r"kind +one of free, bounded +free", text)
        assert re.search(r"place\.length +number +1\.0 +> 0", text)

    @pytest.mark.parametrize("name", ["toy_walk", "toy_learner", "toy_tax", "toy_mean"])
    def test_snippet_can_be_pasted(self, name: str, toys: Path, tmp_path: Path) -> None:
        from equilibria.sim.scenario import plan_from_bytes

        snippet = self.describe(name).split("in a scenario:")[1]
        base = "" if name == "toy_walk" else "game: {use: toy_walk}\n"
        text = f"version: 1\nname: x\n{base}{snippet}\nrun: {{budget: 1}}\n"
        assert plan_from_bytes(text.encode(), "x").name == "x"

    def test_unknown_name_suggests(self, toys: Path) -> None:
        result = CliRunner().invoke(frame.build_app(), ["describe", "toy_wakl"])
        assert "did you mean 'toy_walk'" in str(result.exception)

    def test_every_part_of_the_product(self) -> None:
        from equilibria.sim import registry
        from equilibria.sim.plugin import KINDS

        for kind in KINDS:
            for name in registry.names(kind):
                assert name in self.describe(name)


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def accepts(schema: Any, value: Any, root: Any) -> bool:
    """Evaluate the part of JSON schema that pydantic and the export write (checked against jsonschema)."""

    def ok(inner: Any, found: Any = value) -> bool:
        return accepts(inner, found, root)

    if "$ref" in schema and not ok(root["$defs"][schema["$ref"].removeprefix("#/$defs/")]):
        return False
    if "if" in schema and ok(schema["if"]) and not ok(schema["then"]):
        return False
    if not all(map(ok, schema.get("allOf", []))) or ("anyOf" in schema and not any(map(ok, schema["anyOf"]))):
        return False
    if "oneOf" in schema and sum(map(ok, schema["oneOf"])) != 1:
        return False
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        return False
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return False
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    if isinstance(value, list):
        return all(ok(schema.get("items", {}), item) for item in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        closed = schema.get("additionalProperties", True) is False
        return (
            set(schema.get("required", ())) <= set(value)
            and not (closed and set(value) - set(known))
            and all(ok(known[key], inner) for key, inner in value.items() if key in known)
        )
    return True


def test_schema_accepts_good_and_refuses_bad_scenarios(toys: Path) -> None:
    schema = json.loads(CliRunner().invoke(frame.build_app(), ["schema"]).stdout)
    good = {
        "version": 1,
        "name": "x",
        "game": {"use": "toy_walk", "params": {"walkers": 3, "place": {"shape": "line", "length": 2}}},
        "agents": [{"use": "toy_learner"}],
        "run": {"budget": 3},
    }
    assert accepts(schema, good, schema)
    changes: tuple[dict[str, Any], ...] = (
        {"version": 2},
        {"nam": "x"},
        {"game": {"use": "toy_walk", "params": {"walkers": 0}}},
        {"game": {"use": "toy_walk", "params": {"wolkers": 1}}},
        {"game": {"use": "unknown"}},
        {"mechanisms": [{"use": "toy_tax"}]},
        {"run": {}},
    )
    for change in changes:
        assert not accepts(schema, {**good, **change}, schema), change


def test_schema_names_every_plugin(toys: Path) -> None:
    schema = json.loads(CliRunner().invoke(frame.build_app(), ["schema"]).stdout)
    assert "toy_walk" in schema["$defs"]["GameEntry"]["properties"]["use"]["enum"]
    assert schema["$defs"]["mechanism-toy_tax"]["required"] == ["share"]
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references <= set(schema["$defs"])
