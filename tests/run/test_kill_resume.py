"""kill -9 at random moments, resume, and every Parquet file equals that of an uninterrupted run.

``SCENARIOS`` lists what is killed: the toy (quick, records much) and shipped scenarios by name with
settings that make them last some seconds, at least one per engine.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from equilibria.sim.store import layout, open_run
from equilibria.sim.store.verify import verify_run

KILLS = 20
SCENARIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "toy": ("toy.yaml", ()),
    "extensive": ("quickstart", ("run.budget=6000", "run.checkpoint_every=450", "tables.0.every=300")),
    "population": (
        "wealth_boltzmann",
        ("game.params.agents=50000", "run.budget=600", "run.checkpoint_every=37", "tables.0.every=5"),
    ),
    "contagion": (
        "contagion_sis",
        ("game.params.graph.params.n=5000", "run.budget=1500", "run.checkpoint_every=47", "tables.0.every=3"),
    ),
    "mesa": ("mesa_boltzmann", ("run.checkpoint_every=23",)),
    "schelling": ("schelling_segregation", ("run.checkpoint_every=29", "tables.0.every=7")),
    "training": (
        "mappo_spread",
        (
            "agents.0.params.worlds=32",
            "agents.0.params.epochs=3",
            "agents.0.params.minibatches=3",
            "agents.0.params.certificate_updates=1",
            "agents.0.params.certificate_episodes=16",
            "metrics.1.every=20",
            "metrics.1.params.episodes=40",
            "run.budget=150",
            "run.checkpoint_every=7",
        ),
    ),
    "tournament": ("iterated_tournament", ()),
}
"""Case: scenario (a file of the test or a shipped name) and values for ``--set``."""

IN_EVERY_RUN = ("toy", "extensive", "population")
CASES = [
    pytest.param(case, marks=pytest.mark.heavy if case in IN_EVERY_RUN else pytest.mark.slow) for case in SCENARIOS
]


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_goes_on_to_the_same_bytes(
    case: str,
    tmp_path: Path,
    make_scenario: Callable[..., Path],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    spawn: Callable[..., subprocess.Popen[str]],
    table_bytes: Callable[[Path], dict[str, bytes]],
) -> None:
    name, settings = SCENARIOS[case]
    scenario: Path | str = name
    if name == "toy.yaml":
        scenario = make_scenario(budget=4000, checkpoint_every=130, walkers=40, delay=0.0005)
    overrides = [text for value in settings for text in ("--set", value)]
    whole = tmp_path / "whole"
    done = cli("run", scenario, "--out", whole, *overrides)
    assert done.returncode == 0, done.stderr
    seconds = open_run(whole).status["seconds"]
    killed = tmp_path / "killed"
    kills = kill_until_done(spawn, ["run", scenario, "--out", killed, *overrides], killed, seconds)
    assert kills == KILLS
    assert table_bytes(killed) == table_bytes(whole)
    assert (killed / layout.SUMMARY).read_bytes() == (whole / layout.SUMMARY).read_bytes()
    assert verify_run(killed).problems == []


def kill_until_done(spawn: Callable[..., subprocess.Popen[str]], first: list[object], run: Path, seconds: float) -> int:
    """Kill the command and its resumptions at random moments, then let it end; returns the kills.

    The moments are drawn from the time that the loop needs, counted from the first sign of life, so
    that they fall into parts, checkpoints and steps alike, whatever the start of Python costs.
    """
    numbers = random.Random(len(first))
    share = seconds / KILLS
    kills = 0
    arguments = first
    while True:
        before = _stamp(run)
        process = spawn(*arguments)
        if kills == KILLS:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
            return kills
        while process.poll() is None and _stamp(run) == before:
            time.sleep(0.001)
        time.sleep(numbers.uniform(0, 1.2 * share))
        process.kill()
        process.communicate()
        kills += process.returncode == -9
        if process.returncode == 0:
            return kills
        if (run / layout.MANIFEST).exists():
            arguments = ["resume", run]


def _stamp(run: Path) -> int:
    """Return when the status was last written, 0 before."""
    try:
        return (run / layout.STATUS).stat().st_mtime_ns
    except OSError:
        return 0
