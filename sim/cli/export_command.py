"""``equilibria export``: a run or sweep as CSV files or as one HTML page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What ``--format`` accepts."""

    csv = "csv"
    html = "html"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    run: Annotated[Path, typer.Argument(help="A run directory or a sweep.", metavar="RUN")],
    kind: Annotated[Format, typer.Option("--format", help="csv: one file per table; html: one page.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File (html) or folder (csv); default: in the current folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the files of an earlier export.")] = False,
) -> None:
    """Export a run or sweep as CSV files or as one self-contained HTML page."""
    from equilibria.sim.analysis.export import default_target, export_csv, export_html
    from equilibria.sim.cli.reading import open_source, reading

    source = open_source(run)
    target = out if out is not None else default_target(source, kind.value)
    write = export_html if kind is Format.html else export_csv
    with reading(run):
        written = write(source, target, force=force)
    for path in written:
        typer.echo(str(path))
