from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from equilibria.sim import registry
from equilibria.sim.scenario import Plan, plan_from_bytes

TOYS = Path(__file__).parents[1] / "data" / "run_toys"


@pytest.fixture(autouse=True)
def counter_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the toy distribution with the counting engine."""
    monkeypatch.syspath_prepend(str(TOYS))
    registry.refresh()
    yield
    monkeypatch.undo()
    registry.refresh()


def scenario_text(
    *, budget: int = 300, checkpoint_every: int = 100, seed: int = 7, sweep: str = "", every: int = 1, **params: Any
) -> str:
    settings = ", ".join(f"{key}: {value}" for key, value in params.items())
    return f"""\
version: 1
name: toy
game: {{use: counter, params: {{{settings}}}}}
metrics:
  - {{use: mean_position, every: {every}}}
tables:
  - {{name: agents, every: {every}}}
run: {{budget: {budget}, seed: {seed}, checkpoint_every: {checkpoint_every}, threads: 1}}
{sweep}
"""


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """Return a function from toy settings to a plan."""

    def make(**settings: Any) -> Plan:
        return plan_from_bytes(scenario_text(**settings).encode(), "toy.yaml")

    return make


@pytest.fixture
def make_scenario(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a toy scenario file."""

    def make(name: str = "toy.yaml", **settings: Any) -> Path:
        path = tmp_path / name
        path.write_text(scenario_text(**settings))
        return path

    return make


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "equilibria.sim.cli.app", *map(str, arguments)]


def environment(**changes: str | None) -> dict[str, str]:
    """Return this process's environment with the toys installed; ``None`` removes a variable."""
    merged: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(TOYS), **changes}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.fixture
def cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the real command line in a process of its own."""

    def run(*arguments: object, env: dict[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            timeout=600,
            env=env or environment(),
            check=False,
            **more,
        )

    return run


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts the command line; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, env: dict[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env or environment(),
            **more,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def tables(run: Path) -> dict[str, bytes]:
    """Return the bytes of every part of a run by relative path."""
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("*.parquet"))}


@pytest.fixture
def table_bytes() -> Callable[[Path], dict[str, bytes]]:
    """Return ``tables``."""
    return tables


@pytest.fixture
def child_environment() -> Callable[..., dict[str, str]]:
    """Return ``environment``."""
    return environment
