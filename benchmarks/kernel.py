"""The run loop and the recorder: overhead per call of advance, rows per second to Parquet, cost of recording.

What recording costs at least: a row of the table below has 21 bytes (int64 unit, int32 agent, float64,
int8); it is copied once (read and write) and then encoded and compressed by zstd level 1.
``limit_fraction`` of the sustained rate is rows per second over what polars needs to encode the same
frame into memory in one call, the floor for anything that writes Parquet through it.

Rates are taken by the wall clock, with every part synchronised to disk: a background thread encodes
while the run goes on, so CPU seconds would not show the gain.  The share of recording is given in both.
Peers write the same rows the way small simulations do: a JSON line per row, an insert per row in one
transaction of sqlite.
"""

from __future__ import annotations

import io
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from equilibria.benchmarks.common import Row, seconds
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import Recorder, State
from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform
from equilibria.sim.run import start_run
from equilibria.sim.seeds import SeedTree
from equilibria.sim.store.recorder import RunRecorder
from equilibria.sim.types import AnyArray

_ROUNDS = 5


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the cases; ``quick`` takes fewer rows and calls."""
    yield from _overhead(calls=2_000 if quick else 20_000)
    yield from _sustained(total=2_000_000 if quick else 10_000_000, peer_rows=20_000 if quick else 100_000)
    yield from _share(agents=1_000_000, units=1 if quick else 3)


class _BenchPlan:
    """A plan without a scenario file."""

    checkpoint_every, threads, seed = 0, 1, 7
    name, hash, source = "bench", "0" * 64, b""

    def __init__(self, budget: int, engine: Any) -> None:
        self.budget, self._engine = budget, engine
        self.resolved: dict[str, Any] = {"name": "bench"}

    def build(self) -> Any:
        return self._engine


class _IdleEngine:
    """Does one unit per call, whatever is asked for; optionally records one metric."""

    unit: ClassVar[str] = "call"

    def __init__(self, *, record: bool) -> None:
        self._record, self._done = record, 0
        self.seconds = 0.0
        self._first = 0.0

    def start(self, seeds: SeedTree) -> None:
        self._done = 0

    def advance(self, n: int, out: Recorder) -> int:
        if self._done == 0:
            self._first = time.perf_counter()
        self._done += 1
        if self._record:
            out.metric("value", self._done, 1.0)
        self.seconds = time.perf_counter() - self._first
        return 1

    def save(self) -> State:
        return State()

    def load(self, state: State) -> None:
        """Nothing to restore."""

    def certificate(self) -> Certificate:
        return Certificate(measure="nothing", value=0.0, unit="-", method="none")


class _DriftEngine(_IdleEngine):
    """Moves agents with a compiled kernel for about a second per unit and may record all of them."""

    unit: ClassVar[str] = "period"

    def __init__(self, agents: int, steps: int, *, record: bool) -> None:
        super().__init__(record=record)
        self._steps = steps
        self._position = np.zeros(agents)
        self._agent = np.arange(agents, dtype=np.int32)
        self._group = (self._agent % 5).astype(np.int8)

    def advance(self, n: int, out: Recorder) -> int:
        self._done += 1
        _drift(self._position, self._steps, self._done)
        if self._record:
            unit = np.full(len(self._agent), self._done)
            columns = {"unit": unit, "agent": self._agent, "position": self._position, "group": self._group}
            out.table("agents", columns)
        return 1


@kernel
def _drift(position, steps, unit):  # type: ignore[no-untyped-def]
    """Move every agent ``steps`` times by a uniform number."""
    for step in range(steps):
        for agent in range(position.shape[0]):
            position[agent] += uniform(np.uint64(7), unit * steps + step, agent, 0) - 0.5


def _overhead(calls: int) -> Iterator[Row]:
    for record, case in ((False, "call of advance that records nothing"), (True, "call that records one metric")):
        micros = []
        for _ in range(_ROUNDS):
            engine = _IdleEngine(record=record)
            _in_directory(lambda path, engine=engine: start_run(_BenchPlan(calls, engine), path))  # type: ignore[misc]
            micros.append(1e6 * engine.seconds / calls)
        yield Row(case=case, ours=statistics.median(micros), unit="us/call", target=20.0)


def _columns(first: int, count: int, positions: AnyArray) -> dict[str, AnyArray]:
    agent = np.arange(count, dtype=np.int32)
    group = (agent % 5).astype(np.int8)
    return {"unit": np.full(count, first), "agent": agent, "position": positions[:count], "group": group}


def _sustained(total: int, peer_rows: int) -> Iterator[Row]:
    positions = np.random.Generator(np.random.PCG64DXSM(7)).random(100_000)
    blocks = [_columns(unit, 100_000, positions) for unit in range(total // 100_000)]
    small = _columns(0, peer_rows, positions)

    def record(path: Path) -> None:
        out = RunRecorder(path)
        for unit, block in enumerate(blocks):
            out.table("agents", block)
            out.mark(unit)
        out.flush()
        out.drain()
        out.close()

    times: dict[str, list[float]] = {"ours": [], "encode": [], "json": [], "sqlite": []}
    for _ in range(_ROUNDS):
        times["ours"].append(_in_directory(record) / total)
        times["encode"].append(_wall(lambda: _encode(blocks[0])) / 100_000)
        times["json"].append(_in_directory(lambda path: _json_lines(path, small)) / peer_rows)
        times["sqlite"].append(_in_directory(lambda path: _sqlite(path, small)) / peer_rows)
    rate = {name: 1 / statistics.median(values) for name, values in times.items()}
    case = f"{total:,} rows of four columns to Parquet"
    fraction = rate["ours"] / rate["encode"]
    yield Row(case=case, ours=rate["ours"], unit="rows/s", target=5e6, limit_fraction=fraction)
    for name, peer in (("json", "JSON lines"), ("sqlite", f"sqlite {sqlite3.sqlite_version}")):
        ratio = rate["ours"] / rate[name]
        yield Row(case=case, ours=rate["ours"], unit="rows/s", peer=rate[name], peer_name=peer, ratio=ratio)


def _share(agents: int, units: int) -> Iterator[Row]:
    _drift(np.zeros(10), 1, 0)
    steps = max(1, round(1.0 / seconds(lambda: _drift(np.zeros(agents), 20, 0)) * 20))
    wall: dict[bool, list[float]] = {False: [], True: []}
    cpu: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for record in (False, True):
            plan = _BenchPlan(units, _DriftEngine(agents, steps, record=record))
            before = time.process_time()
            wall[record].append(_in_directory(lambda path, plan=plan: start_run(plan, path)))  # type: ignore[misc]
            cpu[record].append(time.process_time() - before)
    for name, times in (("CPU", cpu), ("wall clock", wall)):
        without, with_ = (statistics.median(times[key]) for key in (False, True))
        yield Row(
            case=f"recording {agents:,} rows per second of kernel time, {name}",
            ours=100 * (with_ - without) / without,
            unit="% of kernel time",
            target=15.0,
        )


def _encode(columns: dict[str, AnyArray]) -> None:
    frame = pl.DataFrame([pl.Series(name, values) for name, values in columns.items()])
    frame.write_parquet(io.BytesIO(), compression="zstd", compression_level=1)


def _json_lines(path: Path, columns: dict[str, AnyArray]) -> None:
    path.mkdir()
    names = list(columns)
    with open(path / "rows.jsonl", "w") as file:
        values = zip(*(column.tolist() for column in columns.values()), strict=True)
        file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in values)


def _sqlite(path: Path, columns: dict[str, AnyArray]) -> None:
    path.mkdir()
    database = sqlite3.connect(path / "rows.sqlite")
    database.execute("create table agents (unit integer, agent integer, position real, grp integer)")
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    database.executemany("insert into agents values (?, ?, ?, ?)", values)
    database.commit()
    database.close()


def _wall(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _in_directory(function: Callable[[Path], object]) -> float:
    """Return the wall-clock seconds of a function that writes into a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="equilibria-bench-") as folder:
        return _wall(lambda: function(Path(folder) / "run"))
