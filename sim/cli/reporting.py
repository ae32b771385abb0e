"""What the commands that execute something print, and how they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from equilibria.sim.run import Outcome
    from equilibria.sim.store.reader import Run, Sweep
    from equilibria.sim.sweep import SweepOutcome


def finish_run(outcome: Outcome, *, as_json: bool) -> None:
    """Print a run's result on stdout, its messages on stderr, and leave with its exit code."""
    from equilibria.sim.store.reader import open_run

    for message in outcome.messages:
        typer.echo(message, err=True)
    if outcome.signal:
        typer.echo(
            f"interrupted at unit {outcome.unit}, state saved; go on with `equilibria resume {outcome.path}`", err=True
        )
        raise typer.Exit(outcome.exit_code)
    run = open_run(outcome.path)
    if as_json:
        typer.echo(json.dumps(run.summary, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        typer.echo(run_summary(run))


def run_summary(run: Run) -> str:
    """Return the short summary of a complete run: headline metrics, certificate, path."""
    summary = run.summary or {}
    lines = [f"{run.name}: {summary.get('units', run.unit)} {run.manifest.get('unit', 'unit')}s, seed {run.seed}"]
    for name, value in summary.get("metrics", {}).items():
        if isinstance(value, dict):
            shown = ", ".join(f"{key or '-'}: {number:.6g}" for key, number in list(value.items())[:6])
            lines.append(f"  {name}  {shown}{' ...' if len(value) > 6 else ''}")
        else:
            lines.append(f"  {name}  {value:.6g}")
    if run.certificate:
        lines.append(f"Certificate: {run.certificate.get('sentence', '')}")
    lines.append(f"Run: {run.path}")
    return "\n".join(lines)


def finish_sweep(outcome: SweepOutcome, *, as_json: bool) -> None:
    """Print a sweep's table on stdout, its messages on stderr, and leave with its exit code."""
    from equilibria.sim.store.reader import open_sweep

    for message in outcome.messages:
        typer.echo(message, err=True)
    for result in outcome.results:
        if result.status == "failed":
            typer.echo(f"{result.label}: {result.message}", err=True)
    sweep = open_sweep(outcome.path)
    if as_json:
        typer.echo(json.dumps(_sweep_json(sweep, outcome), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        typer.echo(_sweep_table(sweep))
    if outcome.signal:
        left = len(outcome.pending)
        typer.echo(f"interrupted, {left} members left; go on with `equilibria resume {outcome.path}`", err=True)
    elif outcome.exit_code:
        typer.echo(f"try the failed members again with `equilibria resume {outcome.path}`", err=True)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def _sweep_json(sweep: Sweep, outcome: SweepOutcome) -> dict[str, object]:
    rows = []
    for entry in sweep.manifest["members"]:
        state, run, error = _member(sweep, entry["label"])
        known = {key: entry.get(key) for key in ("label", "overrides", "seed", "seed_number")}
        rows.append({**known, "status": state, "summary": run.summary if run else None, "error": error or None})
    return {"name": sweep.name, "path": str(outcome.path), "members": rows, "pending": list(outcome.pending)}


def _sweep_table(sweep: Sweep) -> str:
    rows = [("member", "state", "result")]
    for entry in sweep.manifest["members"]:
        state, run, error = _member(sweep, entry["label"])
        certificate = run.certificate if run else None
        result = f"{certificate.get('measure')} {certificate.get('value', 0.0):.6g}" if certificate else error
        rows.append((str(entry.get("title", entry["label"])), state, result))
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    lines = [f"{a.ljust(widths[0])}  {b.ljust(widths[1])}  {c}".rstrip() for a, b, c in rows]
    return "\n".join([*lines, f"Sweep: {sweep.path}"])


def _member(sweep: Sweep, label: str) -> tuple[str, Run | None, str]:
    """Return a member's state, the run if it is readable, and its error."""
    from equilibria.sim.store.reader import BrokenRun

    for run in sweep.members:
        if run.path.name == label:
            if isinstance(run, BrokenRun):
                return "broken", None, str(run.error)
            return run.state, run, str((run.error or {}).get("message", ""))
    return "missing", None, ""
