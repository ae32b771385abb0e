"""What pages read from run directories: thinned, cached, bounded.

Everything that reaches a page has at most 2000 points or rows; the full series stays in its file.
Results are cached by the names, sizes and times of the part files behind them, so a finished run is
scanned once.  Parts never change: of a run in progress only the parts that are new since the last
look are read (``by_part``), whatever is already there stays summarised in memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import polars as pl

from equilibria.sim.analysis.facts import FinalValue, final_values, finite, live_values
from equilibria.sim.analysis.thinning import (
    MAX_POINTS,
    Curve,
    Spacing,
    curve_of,
    merge_buckets,
    metric_buckets,
    metric_curve,
)
from equilibria.sim.errors import CorruptRun
from equilibria.sim.store import Run, layout
from equilibria.sim.types import FloatArray, IntArray

MAX_ROWS: Final = 2000
MAX_UNITS: Final = 400
MAX_SERIES: Final = 1_000_000
CACHED_RESULTS: Final = 512
CACHED_PARTS: Final = 4096
T = TypeVar("T")


class Cache:
    """The last results by key; safe to share between the sessions of a server.

    Args:
        size: Greatest number of results kept.
    """

    def __init__(self, size: int = CACHED_RESULTS) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the result of ``make`` for ``key``, made at most once while it is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key]
                return found
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made


_CACHE: Final = Cache()
_PARTS: Final = Cache(CACHED_PARTS)


def fingerprint(run: Run, table: str = layout.METRICS) -> Hashable:
    """Return what changes when a table of a run does: its parts with their sizes and times."""
    return (str(run.path), table, tuple(_mark(part) for part in _parts(run, table)))


def by_part(run: Run, table: str, key: Hashable, make: Callable[[pl.LazyFrame], T]) -> dict[Path, T]:
    """Return one result per part of a table, in order of units; parts that were read before are not read again.

    Args:
        run: The run.
        table: The table.
        key: What the results depend on besides the part.
        make: Computes the result of one part; it should be small.
    """
    found = {}
    for part in _parts(run, table):
        mark = (str(part), *_mark(part)[1:])
        found[part] = _PARTS.get((mark, key), lambda part=part: make(pl.scan_parquet(part)))  # type: ignore[misc]
    return found


def _parts(run: Run, table: str) -> list[Path]:
    return layout.part_files(layout.table_folder(run.path, table))


def _mark(part: Path) -> tuple[str, int, int]:
    stat = part.stat()
    return part.name, stat.st_size, stat.st_mtime_ns


def cached(run: Run, table: str, key: Hashable, make: Callable[[], T]) -> T:
    """Return a result that depends on one table of a run only.

    Args:
        run: The run.
        table: The table; ``"metrics"`` for the long one.
        key: What else the result depends on.
        make: Computes it.

    Raises:
        CorruptRun: If a part of the table cannot be read.
    """
    try:
        return _CACHE.get((fingerprint(run, table), key), make)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptRun(
            f"{run.path}: table {table!r} cannot be read: {reason}; `equilibria verify` names the file"
        ) from error


def values(run: Run) -> list[FinalValue]:
    """Return the last value of every metric: from the summary, the table, or the live file, whichever is there."""
    found = _summary_values(run)
    if found:
        return found
    recorded = cached(run, layout.METRICS, "values", lambda: final_values(run))
    if run.state != "running":
        return recorded
    newer = {(v.metric, v.key): v for v in live_values(run)}
    return [newer.pop((v.metric, v.key), v) for v in recorded] + list(newer.values())


def curve(
    run: Run,
    metric: str,
    key: str = "",
    *,
    name: str = "",
    max_points: int = MAX_POINTS,
    spacing: Spacing = "linear",
) -> Curve:
    """Return one metric as a curve of at most ``max_points`` buckets; see ``sim.analysis.thinning``.

    Of a run in progress only new parts are read: their buckets are merged with those of the earlier parts.
    """

    def scan() -> Curve:
        return metric_curve(run.metrics(), metric, key, name=name, max_points=max_points, spacing=spacing)

    def follow() -> Curve:
        firsts = by_part(run, layout.METRICS, "first", _first_unit).values()
        origin = min((u for u in firsts if u is not None), default=None)
        parts = by_part(
            run,
            layout.METRICS,
            ("buckets", metric, key, max_points, spacing, origin),
            lambda frame: metric_buckets(frame, metric, key, max_points=max_points, spacing=spacing, origin=origin),
        )
        merged = merge_buckets([p for p in parts.values() if len(p)], max_points=max_points, spacing=spacing)
        return curve_of(merged, name or (f"{metric} {key}" if key else metric))

    running = run.state == "running"
    return cached(
        run,
        layout.METRICS,
        ("curve", metric, key, name, max_points, spacing, running),
        follow if running else scan,
    )


def series(run: Run, metric: str, key: str = "", *, limit: int = MAX_SERIES) -> tuple[IntArray, FloatArray]:
    """Return the last ``limit`` units and values of a metric, for small results that a page computes and caches itself.

    Neither cached nor sent as such: a page calls it within ``cached``.
    """
    found = run.metrics().filter((pl.col("metric") == metric) & (pl.col("key") == key)).select("unit", "value")
    frame = _collected(found.tail(limit))
    return frame["unit"].to_numpy().astype(np.int64), frame["value"].to_numpy().astype(np.float64)


def rows(run: Run, table: str, *, limit: int = MAX_ROWS) -> pl.DataFrame:
    """Return the last rows of a wide table, at most ``limit``; reads the last parts only."""

    def make() -> pl.DataFrame:
        counts = by_part(run, table, "count", _count)
        last: list[Path] = []
        known = 0
        for part in reversed(counts):
            if known >= limit:
                break
            last.insert(0, part)
            known += counts[part]
        return _collected((pl.scan_parquet(last) if last else run.table(table)).tail(limit))

    return cached(run, table, ("rows", limit), make)


def units(run: Run, table: str, *, limit: int = MAX_UNITS) -> list[int]:
    """Return the units at which a table was recorded, ascending; evenly chosen ones, ends included, above ``limit``."""

    def make() -> list[int]:
        found = sorted(set().union(*by_part(run, table, "units", _units).values()))
        if len(found) <= limit:
            return found
        return [found[round(k * (len(found) - 1) / (limit - 1))] for k in range(limit)]

    return cached(run, table, ("units", limit), make)


def at_unit(run: Run, table: str, unit: int, *, limit: int = 1_000_000) -> pl.DataFrame:
    """Return the rows of a table recorded at one unit, at most ``limit``; reads the parts that hold it only."""

    def make() -> pl.DataFrame:
        parts = [part for part, found in by_part(run, table, "units", _units).items() if unit in found]
        frame = pl.scan_parquet(parts) if parts else run.table(table)
        return _collected(frame.filter(pl.col("unit") == unit).head(limit))

    return cached(run, table, ("at", unit, limit), make)


def query(run: Run, table: str, key: Hashable, make: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
    """Return the result of a lazy query on a table; ``key`` names the query for the cache."""
    return cached(run, table, ("query", key), lambda: _collected(make(run.table(table))))


def columns(run: Run, table: str) -> dict[str, str]:
    """Return the columns of a table with their types as texts."""
    return cached(run, table, "columns", lambda: {n: str(t) for n, t in run.table(table).collect_schema().items()})


def row_count(run: Run, table: str) -> int:
    """Return the number of rows of a table; reads footers only."""
    return cached(run, table, "count", lambda: sum(by_part(run, table, "count", _count).values()))


def scenario_text(run: Run) -> str:
    """Return ``scenario.yaml`` as given, or a note when it is missing."""
    return _text(run.path / layout.SCENARIO) or "# the run has no scenario.yaml"


def _count(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())


def _units(frame: pl.LazyFrame) -> frozenset[int]:
    return frozenset(int(u) for u in frame.select(pl.col("unit").unique()).collect()["unit"])


def _first_unit(frame: pl.LazyFrame) -> int | None:
    found = frame.select(pl.col("unit").min()).collect().item()
    return None if found is None else int(found)


def _collected(frame: pl.LazyFrame) -> pl.DataFrame:
    found: pl.DataFrame = frame.collect()
    return found


def _text(path: Path, limit: int = 200_000) -> str:
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def _summary_values(run: Run) -> list[FinalValue]:
    summary = run.summary if isinstance(run.summary, Mapping) else {}
    metrics, unit = summary.get("metrics"), summary.get("units")
    if not isinstance(metrics, Mapping) or not isinstance(unit, int):
        return []
    found = []
    for name, value in metrics.items():
        for key, number in (value if isinstance(value, Mapping) else {"": value}).items():
            if (known := finite(number)) is not None:
                found.append(FinalValue(str(name), str(key), unit, known))
    return found
