"""``equilibria resume``: go on with an unfinished run or sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("resume")(resume)


def resume(
    path: Annotated[Path, typer.Argument(help="A run directory or a sweep.", metavar="RUN")],
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Workers, for a sweep.")] = 1,
    executor: Annotated[str, typer.Option("--executor", help="process or serial, for a sweep.")] = "process",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Go on with an unfinished run (from its last checkpoint) or sweep (what is missing or failed)."""
    from equilibria.sim.worker_limits import limit_library_threads

    limit_library_threads()
    from equilibria.sim.cli.reporting import finish_run, finish_sweep
    from equilibria.sim.stop_signals import HardStop
    from equilibria.sim.store import layout

    if (path / layout.SWEEP).is_file():
        from equilibria.sim.sweep import resume_sweep

        with HardStop():
            swept = resume_sweep(path, executor=executor, jobs=jobs, progress=True)
        finish_sweep(swept, as_json=as_json)
        return
    from equilibria.sim.run import resume_run
    from equilibria.sim.scenario import Plan
    from equilibria.sim.store.manifest import read_manifest

    manifest = read_manifest(path)
    plan = Plan.from_resolved(manifest["resolved"], origin=str(path / layout.MANIFEST))
    for difference in plan.version_differences():
        typer.echo(f"note: was written with {difference}; numbers may differ in the last bits", err=True)
    with HardStop():
        outcome = resume_run(path, plan, progress=True)
    finish_run(outcome, as_json=as_json)
