"""``equilibria run``: execute a scenario."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    scenario: Annotated[str, typer.Argument(help="Path of a scenario, or the name of a shipped one.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; default runs/<name>-<plan hash>-s<seed>.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Replaces run.seed.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Replaces one value; may be repeated.", metavar="KEY=VALUE")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Replaces run.threads.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of text.")] = False,
) -> None:
    """Run a scenario and end with a certificate."""
    from equilibria.sim.worker_limits import limit_library_threads

    limit_library_threads()
    from equilibria.sim.scenario import load_plan

    plan = load_plan(scenario, overrides=overrides or (), seed=seed, threads=threads)
    if plan.sweep is not None:
        typer.echo(f"{plan.name} has a sweep; running its base only (`equilibria sweep` runs the members)", err=True)
    from equilibria.sim.api import default_out
    from equilibria.sim.cli.reporting import finish_run
    from equilibria.sim.run import start_run
    from equilibria.sim.stop_signals import HardStop

    with HardStop():
        outcome = start_run(plan, out if out is not None else default_out(plan), argv=sys.argv, progress=True)
    finish_run(outcome, as_json=as_json)
