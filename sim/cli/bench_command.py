"""``equilibria bench``: ratios against named peers, measured here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Benchmarks to run, or 'all'; without one they are listed.", metavar="NAME"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller cases, fewer repetitions.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of rows.")] = False,
) -> None:
    """List benchmarks, or run some and print ours, the peer, the ratio and whether the target is met."""
    from equilibria.sim import benchmarking
    from equilibria.sim.analysis.text import text_table
    from equilibria.sim.cli.output import print_json
    from equilibria.sim.errors import MissingExtra, unknown_name

    known = benchmarking.available()
    if not names:
        if as_json:
            print_json([{"name": name, "summary": summary} for name, summary in known.items()])
        else:
            typer.echo("\n".join(text_table(["benchmark", "what it measures"], [list(item) for item in known.items()])))
        return
    for name in names:
        if name != "all" and name not in known:
            raise unknown_name("benchmark", name, [*known, "all"])
    rows: list[dict[str, Any]] = []
    missing: list[MissingExtra] = []
    for name in known if "all" in names else dict.fromkeys(names):
        try:
            for row in benchmarking.measure(name, quick=quick):
                rows.append(row)
                if not as_json:
                    typer.echo(f"{row['benchmark']}: {row['case']} ... {_ratio(row)}", err=True)
        except MissingExtra as error:
            typer.echo(f"{name}: {error}", err=True)
            missing.append(error)
    if as_json:
        print_json(rows)
    elif rows:
        typer.echo("\n".join(_table(rows)))
    if missing and not rows:
        raise missing[0]


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    from equilibria.sim.analysis.text import text_table
    from equilibria.sim.analysis.ticks import short

    def number(value: float | None) -> str:
        return "-" if value is None else short(value)

    head = ["benchmark", "case", "ours", "unit", "peer", "peer's", "ratio", "target", "met", "of limit"]
    body = [
        [
            row["benchmark"],
            row["case"],
            number(row["ours"]),
            row["unit"],
            row["peer_name"] or "-",
            number(row["peer"]),
            _ratio(row),
            number(row["target"]),
            {True: "yes", False: "NO", None: "-"}[row["met"]],
            "-" if row["limit_fraction"] is None else f"{100 * row['limit_fraction']:.0f} %",
        ]
        for row in rows
    ]
    lines = text_table(head, body, right=(2, 5, 6, 7, 9))
    return lines + [f"{row['case']}: {row['note']}" for row in rows if row["note"]]


def _ratio(row: dict[str, Any]) -> str:
    if row["ratio"] is None:
        return "-"
    return f"{row['ratio']:,.0f}x" if row["ratio"] >= 100 else f"{row['ratio']:.3g}x"
