"""Growable column buffers of one wide table and the rule where its parts end.

A part ends with the first unit at whose end the part has at least ``FLUSH_ROWS`` rows (or at a
scheduled checkpoint).  The rule looks at the sequence of recorded rows only, so the parts do not
depend on time, threads, interruptions or on how a run was split into calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from equilibria.sim.errors import PluginError
from equilibria.sim.types import AnyArray, IntArray

FLUSH_ROWS: Final = 100_000
_FIRST_CAPACITY: Final = 1024
_STORED: Final = frozenset(
    {"bool", "float32", "float64", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
)

Submit = Callable[[str, int, Mapping[str, AnyArray]], None]


def _kind(dtype: np.dtype[np.generic]) -> str:
    """Return the name under which a column's type is compared; texts of all widths are one type."""
    return "str" if dtype.kind == "U" else str(dtype)


class TableBuffer:
    """Rows of one table that no part holds yet.

    Args:
        name: Table name.
        schema: Column names and types; the first column is ``unit`` (int64).
        submit: Receives closed parts: table, last unit, columns.
    """

    def __init__(self, name: str, schema: Mapping[str, str], submit: Submit) -> None:
        self.name = name
        self.schema = dict(schema)
        self.last_unit = -1
        self.rows = 0
        self._submit = submit
        self._columns: dict[str, AnyArray] = {}
        self._capacity = 0
        self._usual = _FIRST_CAPACITY

    @classmethod
    def schema_of(cls, name: str, columns: Mapping[str, AnyArray]) -> dict[str, str]:
        """Check a table's first columns and return its schema.

        Raises:
            PluginError: If ``unit`` is not the first column or a type cannot be stored.
        """
        if next(iter(columns), None) != "unit" or columns["unit"].dtype.kind not in "iu":
            raise PluginError(
                f"table {name!r}: the first column must be 'unit' with integers, got {list(columns)[:1]!r}"
            )
        schema: dict[str, str] = {}
        for column, values in columns.items():
            if values.dtype.kind != "U" and values.dtype.name not in _STORED:
                raise PluginError(
                    f"table {name!r}, column {column!r}: cannot store type {values.dtype}; "
                    "expected bool, integer, float32, float64 or text"
                )
            schema[column] = "int64" if column == "unit" else _kind(values.dtype)
        return schema

    def append(self, columns: Mapping[str, AnyArray], floor: int) -> None:
        """Copy rows into the buffer and close every part that is full.

        Args:
            columns: Equal-length one-dimensional arrays; ``unit`` non-decreasing and >= ``floor``.
            floor: Unit at which the present call of ``advance`` began.
        """
        self._check(columns)
        units = columns["unit"]
        count = len(units)
        if count == 0:
            return
        first = int(units[0])
        if first < max(self.last_unit, floor):
            raise PluginError(
                f"table {self.name!r}: unit {first} recorded after unit {max(self.last_unit, floor)}; "
                "units must not decrease"
            )
        if count > 1 and bool((np.diff(units.astype(np.int64, copy=False)) < 0).any()):
            raise PluginError(f"table {self.name!r}: units decrease within one call")
        if self.rows >= FLUSH_ROWS and first > self.last_unit:
            self.close()
        self._copy(columns, count)
        self.last_unit = int(units[-1])
        while self.rows >= FLUSH_ROWS and self._split():
            pass

    def close(self) -> None:
        """Close the part with every buffered row."""
        if self.rows:
            rows, self.rows = self.rows, 0
            columns, self._columns = self._columns, {}
            self._submit(self.name, self.last_unit, {name: c[:rows] for name, c in columns.items()})

    def arrays(self) -> dict[str, AnyArray]:
        """Return the buffered rows, for an unscheduled checkpoint."""
        return {name: column[: self.rows] for name, column in self._columns.items()} if self.rows else {}

    def restore(self, columns: Mapping[str, AnyArray], last_unit: int) -> None:
        """Put back rows saved by ``arrays``."""
        if columns:
            self._copy(columns, len(columns["unit"]))
        self.last_unit = last_unit

    def _check(self, columns: Mapping[str, AnyArray]) -> None:
        count = -1
        if len(columns) != len(self.schema):
            raise self._schema_error(columns)
        for (name, values), (expected, kind) in zip(columns.items(), self.schema.items(), strict=True):
            if name != expected or (name != "unit" and _kind(values.dtype) != kind) or values.ndim != 1:
                raise self._schema_error(columns)
            if count not in (-1, len(values)):
                raise PluginError(f"table {self.name!r}: column {name!r} has {len(values)} rows, expected {count}")
            count = len(values)

    def _schema_error(self, columns: Mapping[str, AnyArray]) -> PluginError:
        found = {name: f"{_kind(v.dtype)}{list(v.shape[1:]) or ''}" for name, v in columns.items()}
        return PluginError(f"table {self.name!r}: columns changed from {self.schema} to {found}")

    def _split(self) -> bool:
        """Close the part that ends inside the buffer; ``False`` when its last unit may still grow."""
        units: IntArray = self._columns["unit"][: self.rows]  # type: ignore[assignment]
        last = int(units[FLUSH_ROWS - 1])
        end = int(np.searchsorted(units, last, side="right"))
        if end == self.rows:
            return False
        old, rows = self._columns, self.rows
        self._columns, self.rows = {}, 0
        self._copy({name: column[end:rows] for name, column in old.items()}, rows - end)
        self._submit(self.name, last, {name: column[:end] for name, column in old.items()})
        return True

    def _copy(self, columns: Mapping[str, AnyArray], count: int) -> None:
        end = self.rows + count
        if not self._columns:
            self._capacity = max(self._usual, count)
            self._columns = {
                name: np.empty(self._capacity, np.int64 if name == "unit" else values.dtype)
                for name, values in columns.items()
            }
        elif end > self._capacity:
            self._grow(end)
        for name, values in columns.items():
            if values.dtype.kind == "U" and values.dtype.itemsize > self._columns[name].dtype.itemsize:
                self._columns[name] = self._columns[name].astype(values.dtype)
            self._columns[name][self.rows : end] = values
        self.rows = end

    def _grow(self, needed: int) -> None:
        self._capacity = self._usual = max(needed, 2 * self._capacity)
        for name, old in self._columns.items():
            self._columns[name] = np.empty(self._capacity, old.dtype)
            self._columns[name][: self.rows] = old[: self.rows]
