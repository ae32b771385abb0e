from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equilibria.sim.contract import State
from equilibria.sim.errors import NumericalError, PluginError, StorageFailed
from equilibria.sim.store import buffers, files, layout, metric_buffer, recorder, writer
from equilibria.sim.store.recorder import RunRecorder

FLUSH = 40


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (buffers, metric_buffer, recorder):
        monkeypatch.setattr(module, "FLUSH_ROWS", FLUSH)


@pytest.fixture
def out(tmp_path: Path) -> Iterator[RunRecorder]:
    made = RunRecorder(tmp_path)
    yield made
    made.close()


def parts(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("*.parquet"))}


def rows_per_unit(unit: int) -> int:
    return (7 * unit) % 23  # some units have no rows, some more than half a part


def record(out: RunRecorder, first: int, last: int) -> None:
    """Record units first < u <= last in one call each, metrics series by series."""
    units = np.arange(first + 1, last + 1)
    for key in ("0", "1"):
        out.metric("gain", units, units * 0.5, key=key)
    for unit in units.tolist():
        out.metric("alpha", unit, unit / 3)
    sizes = [rows_per_unit(u) for u in units.tolist()]
    names = np.array(["buy", "hold", "sell everything"])
    columns = {
        "unit": np.repeat(units, sizes),
        "agent": np.concatenate([np.arange(s, dtype=np.int32) for s in sizes]),
        "choice": names[np.concatenate([np.arange(s) for s in sizes]) % 3],
    }
    out.table("agents", columns)


def drive(run: Path, chunks: list[int], *, saves: frozenset[int] = frozenset(), scheduled: int = 70) -> None:
    """Record up to unit sum(chunks), closing parts at multiples of ``scheduled``; reload at ``saves``."""
    out = RunRecorder(run)
    unit = 0
    stops = sorted({*np.cumsum(chunks).tolist(), *range(scheduled, sum(chunks), scheduled)})
    for stop in stops:
        record(out, unit, stop)
        unit = stop
        out.mark(unit)
        if unit % scheduled == 0:
            out.flush()
        if unit in saves:
            committed = out.drain()
            state = out.save()
            copied = State({k: np.array(v) for k, v in state.arrays.items()}, state.meta)
            out.close()
            out = RunRecorder(run, committed)
            out.load(copied)
    out.flush()
    out.drain()
    out.close()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("seed", range(6))
def test_parts_do_not_depend_on_how_a_run_is_split(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, split = tmp_path / "whole", tmp_path / "split"
    drive(whole, [200])
    cuts = np.sort(rng.choice(np.arange(1, 200), 15, replace=False))
    chunks = np.diff([0, *cuts.tolist(), 200]).tolist()
    drive(split, chunks, saves=frozenset(rng.choice(cuts, 5).tolist()))
    expected = parts(whole)
    assert len(expected) > 12
    assert parts(split) == expected


@pytest.mark.usefixtures("small_parts")
def test_a_part_ends_with_the_first_unit_that_fills_it(tmp_path: Path) -> None:
    drive(tmp_path, [200], scheduled=1000)
    files_ = layout.part_files(tmp_path / "tables" / "agents")
    heights = []
    for file in files_:
        frame = pl.read_parquet(file)
        last = frame["unit"][-1]
        assert file.name == layout.part_name(last)
        assert frame.height - rows_per_unit(last) < FLUSH
        heights.append(frame.height)
    assert min(heights[:-1]) >= FLUSH
    assert sum(heights) == sum(rows_per_unit(u) for u in range(1, 201))


def test_metrics_are_sorted_by_unit_metric_and_key(tmp_path: Path, out: RunRecorder) -> None:
    out.metric("z", np.arange(3), np.zeros(3))
    out.metric("a", 1, 5.0, key="1")
    out.metric("a", 1, 4.0, key="0")
    out.flush()
    out.drain()
    frame = pl.read_parquet(tmp_path / "metrics")
    assert frame.rows() == [
        (0, "z", "", 0.0),
        (1, "a", "0", 4.0),
        (1, "a", "1", 5.0),
        (1, "z", "", 0.0),
        (2, "z", "", 0.0),
    ]
    assert frame.schema == {"unit": pl.Int64, "metric": pl.String, "key": pl.String, "value": pl.Float64}


def test_recorded_columns_come_back_with_their_types(tmp_path: Path, out: RunRecorder) -> None:
    columns: dict[str, Any] = {"unit": np.array([1, 1, 2])}
    for kind in ("bool", "int8", "uint16", "int32", "int64", "uint64", "float32", "float64"):
        columns[kind] = np.array([0, 1, 1]).astype(kind)
    columns["text"] = np.array(["é", "", "long text"])
    out.table("types", columns)
    out.table("types", {**columns, "unit": np.array([3, 3, 3]), "text": np.array(["x", "a much longer text", "y"])})
    out.flush()
    out.drain()
    frame = pl.read_parquet(tmp_path / "tables" / "types")
    assert frame["text"].to_list() == ["é", "", "long text", "x", "a much longer text", "y"]
    for kind, values in columns.items():
        if kind not in ("unit", "text"):
            assert frame[kind].dtype == pl.Series(values).dtype
            assert frame[kind].to_list() == values.tolist() * 2


def test_the_recorder_copies_what_it_is_given(tmp_path: Path, out: RunRecorder) -> None:
    position = np.array([1.0])
    for unit in (1, 2):
        out.table("agents", {"unit": np.array([unit]), "position": position})
        position += 1
    out.flush()
    out.drain()
    assert pl.read_parquet(tmp_path / "tables" / "agents")["position"].to_list() == [1.0, 2.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_non_finite_metric_is_named_with_its_unit(out: RunRecorder, value: float) -> None:
    with pytest.raises(NumericalError, match=r"metric gain\[0\] became .* at unit 3") as single:
        out.metric("gain", 3, value, key="0")
    assert single.value.step == 3
    with pytest.raises(NumericalError, match=r"became .* at unit 4"):
        out.metric("gain", np.array([3, 4]), np.array([0.0, value]), key="0")


def test_units_must_not_decrease(out: RunRecorder) -> None:
    out.metric("a", 5, 1.0)
    with pytest.raises(PluginError, match="metric 'a': unit 4 recorded after unit 5"):
        out.metric("a", 4, 1.0)
    with pytest.raises(PluginError, match="metric 'b': unit 2 recorded after unit 3"):
        out.metric("b", np.array([3, 2]), np.zeros(2))
    out.table("t", {"unit": np.array([5])})
    with pytest.raises(PluginError, match="table 't': unit 4 recorded after unit 5"):
        out.table("t", {"unit": np.array([4])})
    with pytest.raises(PluginError, match="units decrease within one call"):
        out.table("t", {"unit": np.array([7, 6])})
    out.mark(5)
    with pytest.raises(PluginError, match="unit 4 recorded after unit 5"):
        out.metric("new", 4, 1.0)


def test_a_row_of_a_unit_not_yet_done_is_refused(out: RunRecorder) -> None:
    out.metric("a", 11, 1.0)
    with pytest.raises(PluginError, match="unit 11 was recorded, but only 10 units are done"):
        out.mark(10)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"unit": np.array([2]), "y": np.array([1.0])}, "columns changed"),
        ({"unit": np.array([2]), "x": np.array([1])}, "columns changed"),
        ({"unit": np.array([2])}, "columns changed"),
        ({"unit": np.array([2]), "x": np.array([[1.0]])}, "columns changed"),
        ({"unit": np.array([2]), "x": np.array([1.0, 2.0])}, "column 'x' has 2 rows, expected 1"),
        ({"x": np.array([1.0]), "unit": np.array([2])}, "columns changed"),
    ],
)
def test_a_changed_schema_is_refused(out: RunRecorder, columns: dict[str, Any], message: str) -> None:
    out.table("t", {"unit": np.array([1]), "x": np.array([1.0])})
    with pytest.raises(PluginError, match=message):
        out.table("t", columns)


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("metrics", {"unit": np.array([1])}, "table name must be snake_case"),
        ("../up", {"unit": np.array([1])}, "table name must be snake_case"),
        ("t", {"x": np.array([1])}, "first column must be 'unit'"),
        ("t", {}, "first column must be 'unit'"),
        ("t", {"unit": np.array([1.0])}, "first column must be 'unit'"),
        ("t", {"unit": np.array([1]), "x": np.array([object()])}, "cannot store type object"),
        ("t", {"unit": np.array([1]), "x": np.array([1j])}, "cannot store type complex128"),
        ("t", {"unit": np.array([1]), "x": np.array([b"x"])}, "cannot store type"),
    ],
)
def test_a_table_that_cannot_be_stored_is_refused(
    out: RunRecorder, name: str, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        out.table(name, columns)


def test_metric_shapes_must_agree(out: RunRecorder) -> None:
    with pytest.raises(PluginError, match=r"units have shape \(3,\), values \(2,\)"):
        out.metric("a", np.arange(3), np.zeros(2))
    out.metric("a", np.arange(0), np.zeros(0))
    assert out.last_values() == {}


def test_last_values_are_those_of_each_series(out: RunRecorder) -> None:
    out.metric("gain", np.array([1, 2]), np.array([0.5, 0.25]), key="0")
    out.metric("alpha", 2, np.float32(3))
    assert out.last_values() == {("alpha", ""): (2, 3.0), ("gain", "0"): (2, 0.25)}


def test_after_a_failed_part_nothing_later_is_committed(
    tmp_path: Path, out: RunRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = files.write_bytes

    def full(path: Path, data: bytes, **options: Any) -> None:
        if "000000000002" in path.name:
            raise StorageFailed(f"{path}: cannot write: no space")
        genuine(path, data, **options)

    monkeypatch.setattr(writer, "write_bytes", full)
    for unit in (1, 2):
        out.metric("a", unit, 0.0)
        out.flush()
    with pytest.raises(StorageFailed, match="no space"):
        out.drain()
    with pytest.raises(StorageFailed):
        out.mark(2)
    out.metric("a", 3, 0.0)
    with pytest.raises(StorageFailed):
        out.flush()
    assert list(parts(tmp_path)) == [f"metrics/{layout.part_name(1)}"]


def test_two_parts_that_end_with_one_unit_get_names_in_order(tmp_path: Path, out: RunRecorder) -> None:
    for value in (1.0, 2.0, 3.0):
        out.metric("a", 7, value)
        out.flush()
    out.drain()
    names = [p.name for p in layout.part_files(tmp_path / "metrics")]
    assert names == [layout.part_name(7), layout.part_name(7, 1), layout.part_name(7, 2)]
    assert pl.read_parquet([tmp_path / "metrics" / n for n in names])["value"].to_list() == [1.0, 2.0, 3.0]
