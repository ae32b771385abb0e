from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, PluginError
from equilibria.sim.store import layout
from equilibria.sim.store.checkpoint import Checkpoint, checkpoints, save_checkpoint
from equilibria.sim.store.writer import Part


def make(unit: int) -> Checkpoint:
    arrays = {
        "file": np.array([unit, 2**62]),  # names that are arguments of numpy.savez
        "solver/regret": np.arange(2000.0).reshape(2, 1000) * unit,
        "allow_pickle": np.array(["é", "long"]),
        "scalar": np.array(1.5),
        "empty": np.zeros((0, 3), np.float32),
    }
    engine = State(arrays, {"done": unit, "nested": {"a": [1, None, "x"]}})
    return Checkpoint(unit, engine, State({"units": np.arange(3)}, {"floor": unit}), {"metrics": [Part("p", 3, "ab")]})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for unit in (100, 200, 300):
        save_checkpoint(tmp_path, make(unit))
    return tmp_path


def usable(run: Path) -> list[int]:
    return [c.unit for c in checkpoints(run) if isinstance(c, Checkpoint)]


def errors(run: Path) -> list[str]:
    return [str(c) for c in checkpoints(run) if isinstance(c, CorruptRun)]


def test_a_state_comes_back_bit_for_bit(run: Path) -> None:
    newest = next(checkpoints(run))
    assert isinstance(newest, Checkpoint)
    expected = make(300)
    assert newest.unit == 300
    assert newest.engine.meta == expected.engine.meta
    assert newest.parts == expected.parts
    assert newest.recorder.meta == expected.recorder.meta
    for name, array in expected.engine.arrays.items():
        loaded = newest.engine.arrays[name]
        assert (loaded.dtype, loaded.shape, loaded.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_the_last_two_states_are_kept(run: Path) -> None:
    assert sorted(p.name for p in (run / layout.CHECKPOINTS).iterdir()) == [
        layout.state_name(200),
        layout.state_name(300),
        layout.LATEST,
    ]
    assert usable(run) == [300, 200]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "empty"])
def test_a_damaged_newest_state_leaves_the_one_before(run: Path, damage: str) -> None:
    path = run / layout.CHECKPOINTS / layout.state_name(300)
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"")
    assert usable(run) == [200]
    assert len(errors(run)) == 1
    assert str(path) in errors(run)[0]
    assert ("missing" if damage == "missing" else "damaged") in errors(run)[0]


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"states": 3}', b'{"states": [{"file": 1}]}'])
def test_without_a_usable_latest_file_the_states_speak_for_themselves(run: Path, content: bytes | None) -> None:
    latest = run / layout.CHECKPOINTS / layout.LATEST
    if content is None:
        latest.unlink()
    else:
        latest.write_bytes(content)
    assert usable(run) == [300, 200]
    assert "damaged or missing" in errors(run)[0]


@pytest.mark.parametrize("position", [0.3, 0.6, 0.9])
def test_a_flipped_byte_is_found_even_without_the_recorded_hash(run: Path, position: float) -> None:
    (run / layout.CHECKPOINTS / layout.LATEST).unlink()
    path = run / layout.CHECKPOINTS / layout.state_name(300)
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= 4
    path.write_bytes(data)
    assert usable(run) == [200]


def test_a_state_whose_commit_was_cut_short_does_not_count(run: Path) -> None:
    latest = (run / layout.CHECKPOINTS / layout.LATEST).read_bytes()
    save_checkpoint(run, make(400))
    (run / layout.CHECKPOINTS / layout.LATEST).write_bytes(latest)
    assert usable(run)[0] == 300


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert list(checkpoints(tmp_path)) == []
    (tmp_path / layout.CHECKPOINTS).mkdir()
    assert list(checkpoints(tmp_path)) == []


def test_a_state_of_python_objects_is_refused(tmp_path: Path) -> None:
    bad = Checkpoint(1, State({"a": np.array([object()])}), State(), {})
    with pytest.raises(PluginError, match="state array 'a' holds Python objects"):
        save_checkpoint(tmp_path, bad)
    worse = Checkpoint(1, State({}, {"a": object()}), State(), {})  # type: ignore[dict-item]
    with pytest.raises(PluginError, match="not JSON"):
        save_checkpoint(tmp_path, worse)
