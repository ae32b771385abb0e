"""Writing results: JSON, and tables that are framed on a terminal and plain elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer

from equilibria.sim.types import JSON


def print_json(value: JSON | Any) -> None:
    """Write a value to stdout as indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout: with a frame on a terminal, with aligned columns otherwise."""
    if sys.stdout.isatty():
        _print_framed(title, header, rows)
    else:
        _print_plain(title, header if len(header) > 2 else (), rows)


def _print_framed(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", title_style="bold", expand=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _print_plain(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if title:
        typer.echo(title)
    if not rows:
        typer.echo("  (none)")
        return
    rows = [header, *rows] if header else rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(f"  {line}".rstrip())
