"""``equilibria show``: status, headline numbers, certificate and a plot of a run or sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    run: Annotated[Path, typer.Argument(help="A run directory or a sweep.", metavar="RUN")],
    metric: Annotated[str, typer.Option("--metric", help="Metric to plot or tabulate.", metavar="NAME")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Show status, headline numbers, certificate and a plot of a run or sweep."""
    from equilibria.sim.analysis import show as view
    from equilibria.sim.analysis.facts import final_values, require_metric
    from equilibria.sim.cli.reading import echo_json, open_source
    from equilibria.sim.cli.terminal import detect

    source = open_source(run)
    if source.is_sweep:
        if as_json:
            echo_json(view.sweep_json(source, metric=metric))
        else:
            typer.echo("\n".join(view.sweep_lines(source, detect(), metric=metric)))
        return
    one = source.samples[0].run
    if as_json:
        if metric:
            require_metric(metric, final_values(one))
        echo_json(view.run_json(one))
    else:
        typer.echo("\n".join(view.run_lines(one, detect(), metric=metric)))
