"""``equilibria show``: status, headline numbers, certificate and a plot of a run or sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equilibria.sim.analysis.samples import Source
    from equilibria.sim.types import JSON


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    run: Annotated[Path, typer.Argument(help="A run directory or a sweep.", metavar="RUN")],
    metric: Annotated[str, typer.Option("--metric", help="Metric to plot or tabulate.", metavar="NAME")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Show status, headline numbers, certificate and a plot of a run or sweep."""
    from equilibria.sim.cli.output import print_json
    from equilibria.sim.cli.reading import open_source, reading

    source = open_source(run)
    with reading(run):
        if as_json:
            print_json(_json(source, metric))
        else:
            typer.echo("\n".join(_lines(source, metric)))


def _json(source: Source, metric: str) -> dict[str, JSON]:
    from equilibria.sim.analysis import show as view
    from equilibria.sim.analysis.facts import final_values, require_metric

    if source.is_sweep:
        return view.sweep_json(source, metric=metric)
    one = source.samples[0].run
    if metric:
        require_metric(metric, final_values(one))
    return view.run_json(one)


def _lines(source: Source, metric: str) -> list[str]:
    from equilibria.sim.analysis import show as view
    from equilibria.sim.cli.terminal import detect

    if source.is_sweep:
        return view.sweep_lines(source, detect(), metric=metric)
    return view.run_lines(source.samples[0].run, detect(), metric=metric)
