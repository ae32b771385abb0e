"""``equilibria sweep``: run every grid point and seed of a scenario."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sweep")(sweep)


def sweep(
    scenario: Annotated[str, typer.Argument(help="Path of a scenario, or the name of a shipped one.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the sweep; default runs/<name>-<sweep hash>-sweep.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="Seed numbers START:STOP, for example 0:10.", metavar="START:STOP")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Worker processes.")] = 1,
    executor: Annotated[str, typer.Option("--executor", help="process or serial.")] = "process",
    seed: Annotated[int | None, typer.Option("--seed", help="Replaces run.seed.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Replaces one value; may be repeated.", metavar="KEY=VALUE")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Replaces run.threads.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Run all members of a sweep; a member that fails is marked and the others go on."""
    from equilibria.sim.worker_limits import limit_library_threads

    limit_library_threads()
    from equilibria.sim.scenario import load_plan

    numbers = _seed_numbers(seeds) if seeds is not None else None
    plan = load_plan(scenario, overrides=overrides or (), seed=seed, threads=threads)
    if plan.sweep is None and numbers is None:
        raise typer.BadParameter("the scenario has no sweep section; add one, or give --seeds 0:10")
    from equilibria.sim.cli.reporting import finish_sweep
    from equilibria.sim.stop_signals import HardStop
    from equilibria.sim.sweep import start_sweep

    folder = out if out is not None else Path("runs") / f"{plan.name}-{plan.sweep_hash[:8]}-sweep"
    with HardStop():
        outcome = start_sweep(plan, folder, executor=executor, jobs=jobs, seeds=numbers, argv=sys.argv, progress=True)
    finish_sweep(outcome, as_json=as_json)


def _seed_numbers(text: str) -> tuple[int, int]:
    """Return start and count of ``START:STOP``."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text)
    if match is None or int(match[2]) <= int(match[1]):
        raise typer.BadParameter(f"--seeds must be START:STOP with START < STOP, for example 0:10, got {text!r}")
    return int(match[1]), int(match[2]) - int(match[1])
