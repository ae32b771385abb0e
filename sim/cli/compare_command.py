"""``equilibria compare``: two runs or sweeps, or the groups of one sweep, paired by seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from equilibria.sim.analysis.compare import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    first: Annotated[Path, typer.Argument(help="Run or sweep A.", metavar="A")],
    second: Annotated[
        Path | None, typer.Argument(help="Run or sweep B; leave it out to compare the groups of sweep A.", metavar="B")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Metric to compare; may be repeated.", metavar="NAME")
    ] = None,
    at: Annotated[
        int | None, typer.Option("--at", min=0, help="Compare the last record at or before this unit.", metavar="UNIT")
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Override key that tells the groups of a sweep apart.")] = "",
    baseline: Annotated[str, typer.Option("--baseline", help="Value of --by that the others are compared with.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Compare runs or sweeps, paired by seed, with bootstrap intervals; says when there is no evidence."""
    from equilibria.sim.cli.output import print_json
    from equilibria.sim.cli.reading import reading

    with reading(first):
        report = _report(first, second, metric or (), at, by, baseline)
        if as_json:
            print_json(report.to_json())
        else:
            _print(report)


def _report(first: Path, second: Path | None, metrics: Sequence[str], at: int | None, by: str, baseline: str) -> Report:
    from equilibria.sim.analysis.compare import compare_groups, compare_sources
    from equilibria.sim.cli.reading import open_source
    from equilibria.sim.errors import InvalidValue

    side = open_source(first)
    if second is not None:
        if by or baseline:
            raise InvalidValue("--by and --baseline compare the groups of one sweep; leave out B")
        return compare_sources(side, open_source(second), metrics=metrics, at=at)
    if not side.is_sweep:
        raise InvalidValue(f"{first}: one run has nothing to be compared with; name a second run or give a sweep")
    return compare_groups(side, by=by, baseline=baseline, metrics=metrics, at=at)


def _print(report: Report) -> None:
    from equilibria.sim.analysis.text import printable, text_table
    from equilibria.sim.analysis.ticks import short
    from equilibria.sim.analysis.verdicts import TESTED

    rows = []
    for outcome in report.comparisons:
        paired = outcome.paired
        if paired is None:
            continue
        statistical = outcome.verdict in TESTED
        ends = f"[{short(paired.interval.low)}, {short(paired.interval.high)}]" if statistical else "-"
        ratio = "-" if paired.ratio is None else short(paired.ratio)
        p = f"{outcome.p_adjusted:.2g}" if statistical else "-"
        rows.append(
            [
                outcome.metric.name,
                outcome.first,
                outcome.second,
                str(paired.pairs),
                short(paired.first),
                short(paired.second),
                short(paired.difference),
                ends,
                ratio,
                p,
            ]
        )
    lines: list[str] = []
    if rows:
        head = ["metric", "A", "B", "pairs", "mean A", "mean B", "A - B", "95 % interval", "A / B", "p"]
        lines += [*text_table(head, rows, right=(3, 4, 5, 6, 8, 9)), ""]
    lines += [outcome.sentence() for outcome in report.comparisons]
    lines += ["", *(f"Certificate of {side}: {text}" for side, text in report.certificates.items())]
    lines += [f"Note: {note}" for note in report.notes]
    if report.other_metrics:
        lines.append(f"Also recorded: {', '.join(report.other_metrics)} (--metric NAME)")
    lines = [printable(line) for line in lines]
    if report.comparisons:
        lines = [*_plot(report), "", *lines]
    typer.echo("\n".join(lines))


def _plot(report: Report) -> list[str]:
    """Draw the first metric of every side, at most six."""
    from equilibria.sim.analysis.curves import group_curve
    from equilibria.sim.analysis.facts import facts
    from equilibria.sim.analysis.plot import terminal_plot
    from equilibria.sim.analysis.text import printable
    from equilibria.sim.cli.terminal import detect

    kind, terminal = report.comparisons[0].metric, detect()
    sides = list(report.groups.items())[:6]
    curves = [group_curve(samples, kind.name, printable(label)) for label, samples in sides]
    if not any(len(curve) for curve in curves):
        return []
    return terminal_plot(
        curves,
        width=terminal.width,
        log=kind.log,
        x_label=facts(sides[0][1][0].run).unit,
        y_label=printable(kind.label),
        encoding=terminal.encoding,
        colour=terminal.colour,
    )
