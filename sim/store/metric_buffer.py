"""Metric values that no part holds yet, and the order in which they are stored.

Engines record metrics in any interleaving that suits their loops; rows are stored sorted by
(unit, metric, key), so that the file does not depend on how a run was split into calls.  Parts end
where those of a wide table would (see ``buffers``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from equilibria.sim.contract import State
from equilibria.sim.errors import NumericalError, PluginError
from equilibria.sim.store.buffers import FLUSH_ROWS
from equilibria.sim.store.writer import Coded
from equilibria.sim.types import AnyArray, FloatArray, Int32Array, IntArray

Columns = tuple[IntArray, Int32Array, FloatArray]


class MetricBuffer:
    """Buffered metric rows; a series is a pair (metric, key).

    Attributes:
        max_unit: Largest unit recorded so far, -1 before the first row.
    """

    def __init__(self) -> None:
        self.max_unit = -1
        self._series: dict[tuple[str, str], int] = {}
        self._last_unit: list[int] = []
        self._last_value: list[float] = []
        self._units: list[int] = []
        self._ids: list[int] = []
        self._values: list[float] = []
        self._chunks: list[Columns] = []
        self._chunk_rows = 0

    @property
    def rows(self) -> int:
        """Number of buffered rows."""
        return self._chunk_rows + len(self._units)

    def add(self, name: str, unit: Any, value: Any, key: str, floor: int) -> None:
        """Buffer one or many values of a series.

        Raises:
            NumericalError: If a value is not finite; names metric and unit.
            PluginError: If units decrease or shapes differ.
        """
        series = self._series.get((name, key))
        if series is None:
            series = self._new_series(name, key)
        if isinstance(value, np.ndarray) and value.ndim:
            self._add_many(name, series, unit, value, floor)
            return
        number, at = float(value), int(unit)
        if not math.isfinite(number):
            raise NumericalError(_title(name, key), number, step=at)
        if at < self._last_unit[series] or at < floor:
            raise self._decrease(name, at, max(self._last_unit[series], floor))
        self._last_unit[series] = at
        self._last_value[series] = number
        self.max_unit = max(self.max_unit, at)
        self._units.append(at)
        self._ids.append(series)
        self._values.append(number)

    def last_values(self) -> dict[tuple[str, str], tuple[int, float]]:
        """Return the last (unit, value) of every series, in order of (metric, key)."""
        return {
            series: (self._last_unit[i], self._last_value[i])
            for series, i in sorted(self._series.items())
            if self._last_unit[i] >= 0
        }

    def take(self, before: int | None = None) -> list[tuple[int, dict[str, AnyArray | Coded]]]:
        """Remove and return full parts as (last unit, columns).

        Args:
            before: Only rows of smaller units are final; ``None`` empties the buffer.
        """
        units, ids, values = self._sorted()
        self._chunks, self._chunk_rows = [], 0
        parts: list[tuple[int, dict[str, AnyArray | Coded]]] = []
        final = len(units) if before is None else int(np.searchsorted(units, before, side="left"))
        start = 0
        while final - start >= FLUSH_ROWS:
            last = int(units[start + FLUSH_ROWS - 1])
            end = int(np.searchsorted(units, last, side="right"))
            parts.append((last, self._columns(units[start:end], ids[start:end], values[start:end])))
            start = end
        if before is None and start < len(units):
            parts.append((int(units[-1]), self._columns(units[start:], ids[start:], values[start:])))
        elif start < len(units):
            self._chunks = [(units[start:], ids[start:], values[start:])]
            self._chunk_rows = len(units) - start
        return parts

    def save(self) -> State:
        """Return the buffered rows and the last values."""
        units, ids, values = self._sorted()
        arrays: Mapping[str, AnyArray] = {
            "units": units,
            "ids": ids,
            "values": values,
            "last_unit": np.array(self._last_unit, np.int64),
            "last_value": np.array(self._last_value, np.float64),
        }
        return State(arrays, {"series": [[name, key] for name, key in self._series], "max_unit": self.max_unit})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        series: Any = state.meta["series"]
        max_unit: Any = state.meta["max_unit"]
        self._series = {(name, key): i for i, (name, key) in enumerate(series)}
        self.max_unit = int(max_unit)
        self._last_unit = [int(u) for u in state.arrays["last_unit"].tolist()]
        self._last_value = [float(v) for v in state.arrays["last_value"].tolist()]
        self._chunks = [tuple(state.arrays[k] for k in ("units", "ids", "values"))]  # type: ignore[list-item]
        self._chunk_rows = len(state.arrays["units"])

    def _new_series(self, name: str, key: str) -> int:
        if not name or not isinstance(name, str) or not isinstance(key, str):
            raise PluginError(f"metric name and key must be texts and the name not empty, got {name!r} and {key!r}")
        self._last_unit.append(-1)
        self._last_value.append(math.nan)
        return self._series.setdefault((name, key), len(self._series))

    def _add_many(self, name: str, series: int, unit: Any, value: AnyArray, floor: int) -> None:
        units = np.array(unit, np.int64)
        values = np.array(value, np.float64)
        if values.ndim != 1 or units.shape != values.shape:
            raise PluginError(
                f"metric {name!r}: units have shape {units.shape}, values {values.shape}; expected one [R]"
            )
        if len(units) == 0:
            return
        bad = ~np.isfinite(values)
        if bad.any():
            at = int(bad.argmax())
            raise NumericalError(name, float(values[at]), step=int(units[at]))
        first, before = int(units[0]), max(self._last_unit[series], floor)
        if first < before:
            raise self._decrease(name, first, before)
        steps = np.diff(units)
        if (steps < 0).any():
            at = int((steps < 0).argmax())
            raise self._decrease(name, int(units[at + 1]), int(units[at]))
        self._last_unit[series], self._last_value[series] = int(units[-1]), float(values[-1])
        self.max_unit = max(self.max_unit, int(units[-1]))
        self._gather()
        self._chunks.append((units, np.full(len(units), series, np.int32), values))
        self._chunk_rows += len(units)

    def _decrease(self, name: str, unit: int, before: int) -> PluginError:
        return PluginError(f"metric {name!r}: unit {unit} recorded after unit {before}; units must not decrease")

    def _gather(self) -> None:
        """Turn single values into a chunk; keeps the order of recording."""
        if self._units:
            self._chunks.append(
                (np.array(self._units, np.int64), np.array(self._ids, np.int32), np.array(self._values, np.float64))
            )
            self._chunk_rows += len(self._units)
            self._units, self._ids, self._values = [], [], []

    def _sorted(self) -> Columns:
        self._gather()
        if not self._chunks:
            return np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float64)
        units, ids, values = (np.concatenate(parts) for parts in zip(*self._chunks, strict=True))
        rank = np.empty(len(self._series), np.int32)
        rank[[i for _, i in sorted(self._series.items())]] = np.arange(len(self._series))
        order = np.lexsort((rank[ids], units))  # stable: equal rows keep the order of recording
        return units[order], ids[order], values[order]

    def _columns(self, units: IntArray, ids: Int32Array, values: FloatArray) -> dict[str, AnyArray | Coded]:
        names = tuple(name for name, _ in self._series)
        keys = tuple(key for _, key in self._series)
        return {"unit": units, "metric": Coded(ids, names), "key": Coded(ids, keys), "value": values}


def _title(name: str, key: str) -> str:
    return f"metric {name}[{key}]" if key else f"metric {name}"
