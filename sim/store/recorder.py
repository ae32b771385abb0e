"""The recorder of a run: implements ``sim.contract.Recorder`` on top of the part writer.

Cost: one copy per column; a single metric value about one microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equilibria.sim.contract import State
from equilibria.sim.errors import PluginError
from equilibria.sim.store import layout
from equilibria.sim.store.buffers import FLUSH_ROWS, TableBuffer
from equilibria.sim.store.metric_buffer import MetricBuffer
from equilibria.sim.store.writer import Part, PartWriter
from equilibria.sim.types import JSON, AnyArray


class RunRecorder:
    """Buffers what engines record and commits it in parts.

    The run loop calls ``mark`` after every ``advance``, ``flush`` at scheduled checkpoints and at the
    end, ``save`` into every checkpoint.  Rows of unit ``u`` may be recorded until the call of
    ``advance`` that starts at ``u`` has returned.

    Args:
        run: The run directory.
        committed: Parts that an earlier process committed, by table.
    """

    def __init__(self, run: Path, committed: Mapping[str, list[Part]] | None = None) -> None:
        self._writer = PartWriter(run, committed)
        self._metrics = MetricBuffer()
        self._tables: dict[str, TableBuffer] = {}
        self._floor = 0

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        """Record one or many values of a metric (see ``sim.contract.Recorder``)."""
        self._metrics.add(name, unit, value, key, self._floor)

    def table(self, name: str, columns: Mapping[str, AnyArray]) -> None:
        """Append rows to a wide table (see ``sim.contract.Recorder``)."""
        arrays = {column: np.asarray(values) for column, values in columns.items()}
        buffer = self._tables.get(name)
        if buffer is None:
            if not layout.is_table_name(name):
                raise PluginError(f"table name must be snake_case and not {layout.METRICS!r}, got {name!r}")
            buffer = TableBuffer(name, TableBuffer.schema_of(name, arrays), self._writer.submit)
            self._tables[name] = buffer
        buffer.append(arrays, self._floor)

    def mark(self, unit: int) -> None:
        """Tell the recorder that the run has reached ``unit``: rows of smaller units are final.

        Raises:
            PluginError: If a row of a later unit was recorded.
            StorageFailed: If an earlier part could not be written.
        """
        reached = self._metrics.max_unit
        for buffer in self._tables.values():
            reached = max(reached, buffer.last_unit)
        if reached > unit:
            raise PluginError(f"a row of unit {reached} was recorded, but only {unit} units are done")
        self._floor = unit
        if self._metrics.rows >= FLUSH_ROWS:
            self._submit_metrics(unit)
        self._writer.check()

    def flush(self) -> None:
        """Close every part (scheduled checkpoints and the end only: it sets part boundaries)."""
        self._submit_metrics(None)
        for name in sorted(self._tables):
            self._tables[name].close()

    def drain(self) -> dict[str, list[Part]]:
        """Wait until every closed part is on disk; return all parts by table, in order of units."""
        parts = self._writer.drain()
        return {name: list(parts[name]) for name in sorted(parts)}

    def close(self) -> None:
        """End the writer's thread; buffered rows are dropped."""
        self._writer.close()

    def last_values(self) -> dict[tuple[str, str], tuple[int, float]]:
        """Return (unit, value) last recorded for every (metric, key)."""
        return self._metrics.last_values()

    def save(self) -> State:
        """Return buffered rows, schemas and last values, so that a checkpoint need not flush."""
        state = self._metrics.save().nested("metrics")
        meta: dict[str, JSON] = {}
        for name, buffer in self._tables.items():
            meta[name] = {"schema": [[k, v] for k, v in buffer.schema.items()], "last_unit": buffer.last_unit}
            state = state.merged(State(buffer.arrays()).nested(f"tables/{name}"))
        return state.merged(State({}, {"tables": meta, "floor": self._floor}))

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        tables: Any = state.meta["tables"]
        floor: Any = state.meta["floor"]
        self._floor = int(floor)
        self._metrics.load(state.part("metrics"))
        self._tables = {}
        for name, entry in tables.items():
            buffer = TableBuffer(name, dict(entry["schema"]), self._writer.submit)
            buffer.restore(state.part(f"tables/{name}").arrays, entry["last_unit"])
            self._tables[name] = buffer

    def _submit_metrics(self, before: int | None) -> None:
        for last_unit, columns in self._metrics.take(before):
            self._writer.submit(layout.METRICS, last_unit, columns)
