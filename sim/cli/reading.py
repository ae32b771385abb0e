"""Opening what a command is given: a run directory or a sweep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from equilibria.sim.analysis.samples import Source


def open_source(path: Path) -> Source:
    """Open a run or a sweep.

    Raises:
        NotARun: If the folder is neither.
        CorruptRun: If its manifest is damaged.
    """
    from equilibria.sim.analysis.samples import from_run, from_sweep
    from equilibria.sim.store import layout, open_run, open_sweep

    if (path / layout.SWEEP).is_file():
        return from_sweep(open_sweep(path))
    return from_run(open_run(path))


def echo_json(value: Mapping[str, object] | Sequence[object]) -> None:
    """Print a value as JSON on standard output; numbers that JSON does not know are refused."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
