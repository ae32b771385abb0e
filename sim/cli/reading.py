"""Opening what a command is given: a run directory or a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from equilibria.sim.analysis.samples import Source


def open_source(path: Path) -> Source:
    """Open a run or a sweep.

    Raises:
        NotARun: If the folder is neither.
        CorruptRun: If its manifest is damaged.
    """
    from equilibria.sim.analysis.samples import from_run, from_sweep
    from equilibria.sim.store import open_any

    found = open_any(path)
    return from_sweep(found) if hasattr(found, "members") else from_run(found)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what a damaged table raises into ``CorruptRun``, and a wrong argument into ``BadUsage``."""
    import polars as pl

    from equilibria.sim.errors import BadUsage, CorruptRun, InvalidValue

    try:
        yield
    except InvalidValue as error:
        raise BadUsage(str(error)) from error
    except (pl.exceptions.PolarsError, FileNotFoundError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CorruptRun(
            f"{path}: a table cannot be read: {reason}; `equilibria verify {path}` names the file"
        ) from error
