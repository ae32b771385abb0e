"""``equilibria verify``: check every file of a run or sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    path: Annotated[Path, typer.Argument(help="A run directory or a sweep.", metavar="RUN")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Check every hash, table, checkpoint and JSON file; exit code 4 when something is damaged."""
    import json

    from equilibria.sim.errors import CorruptRun
    from equilibria.sim.store import layout
    from equilibria.sim.store.reader import read_sweep_manifest
    from equilibria.sim.store.verify import verify_run

    runs = [path]
    if (path / layout.SWEEP).is_file():
        labels = [str(entry["label"]) for entry in read_sweep_manifest(path)["members"]]
        members = [path / layout.MEMBERS / label for label in labels]
        runs = [member for member in members if (member / layout.MANIFEST).is_file()]
    reports = [verify_run(run) for run in runs]
    problems = [problem for report in reports for problem in report.problems]
    notes = [note for report in reports for note in report.notes]
    files = sum(report.files for report in reports)
    if as_json:
        typer.echo(json.dumps({"path": str(path), "files": files, "problems": problems, "notes": notes}, indent=2))
        if problems:
            raise typer.Exit(CorruptRun.exit_code)
        return
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if problems:
        raise CorruptRun("\n".join(problems))
    typer.echo(f"{path}: sound, {files} files checked")
