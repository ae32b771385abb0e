"""``equilibria replay``: execute a finished run again and compare every table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    path: Annotated[Path, typer.Argument(help="A complete run directory.", metavar="RUN")],
) -> None:
    """Execute a finished run's plan again; exit code 3 when a table or the certificate differs."""
    from equilibria.sim.worker_limits import limit_library_threads

    limit_library_threads()
    from equilibria.sim.replay import replay as replay_run
    from equilibria.sim.stop_signals import HardStop

    with HardStop():
        result = replay_run(path, progress=True)
    if result.signal:
        typer.echo("replay interrupted", err=True)
        raise typer.Exit(128 + result.signal)
    for note in result.notes:
        typer.echo(f"note: {note}", err=True)
    for difference in result.differences:
        typer.echo(difference, err=True)
    if result.differences:
        raise typer.Exit(3)
    typer.echo(f"{path}: identical ({', '.join(result.tables)}, certificate)")
