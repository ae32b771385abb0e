"""``equilibria new``: what it writes works, and it never overwrites."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from equilibria.sim.cli.app import build_app
from equilibria.sim.scenario import load_plan, shipped


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def new(*arguments: str) -> Result:
    return CliRunner().invoke(build_app(), ["new", *arguments])


def test_scenario_is_valid_and_bears_the_name() -> None:
    assert new("my-first").exit_code == 0
    assert load_plan("my-first.yaml").name == "my-first"
    assert os.listdir() == ["my-first.yaml"]


@pytest.mark.parametrize("name", ["2026", "1.5", "true.yaml", "a" * 100])
def test_names_that_yaml_would_misread_are_quoted(name: str) -> None:
    assert new(name).exit_code == 0
    assert load_plan(f"{name.removesuffix('.yaml')}.yaml").name == name.removesuffix(".yaml")


def test_scenario_from_any_shipped_one() -> None:
    for index, name in enumerate(shipped.names()):
        assert new(f"copy{index}", "--from", name).exit_code == 0, name


@pytest.mark.parametrize("game", ["toy_walk", "schelling"])
def test_scenario_for_a_game(game: str, toys: Path) -> None:
    assert new("mine", "--game", game).exit_code == 0
    assert load_plan("mine.yaml").resolved["game"]["use"] == game


def test_nothing_is_overwritten() -> None:
    Path("mine.yaml").write_text("precious")
    result = new("mine")
    assert result.exit_code == 2
    assert Path("mine.yaml").read_text() == "precious"
    Path("folder").mkdir()
    assert new("folder", "--plugin").exit_code == 2
    assert os.listdir("folder") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["../x"], ["a b"], [".hidden"], ["x", "--from", "a", "--game", "b"], ["x", "--plugin", "--from", "quickstart"],
        ["Über", "--plugin"], ["9x", "--plugin"], ["schelling", "--plugin"], ["equilibria", "--plugin"],
    ],
)  # fmt: skip
def test_bad_usage_exits_with_two_and_writes_nothing(arguments: list[str]) -> None:
    assert new(*arguments).exit_code == 2
    assert os.listdir() == []


def test_unknown_sources_suggest() -> None:
    assert "did you mean the shipped scenario 'quickstart'" in str(new("x", "--from", "quickstrat").exception)
    assert "did you mean 'schelling'" in str(new("x", "--game", "scheling").exception)
    assert os.listdir() == []


@pytest.mark.heavy
def test_plugin_installs_passes_its_tests_and_runs(tmp_path: Path) -> None:
    assert new("my-walk", "--plugin").exit_code == 0
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", "site", "./my-walk"], check=True, capture_output=True, timeout=120)
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}

    def run(*arguments: str, cwd: str = "my-walk") -> str:
        line = [sys.executable, "-m", *arguments]
        done = subprocess.run(line, check=False, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "3 passed" in run("pytest", "-q", "-p", "no:cacheprovider")
    assert "Number of walkers." in run("equilibria.sim.cli.app", "describe", "my_walk")
    assert "Certificate: mean position" in run("equilibria.sim.cli.app", "run", "scenario.yaml", "--out", "../demo")
