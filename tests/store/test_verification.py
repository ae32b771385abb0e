from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from equilibria.sim.contract import State
from equilibria.sim.store import layout
from equilibria.sim.store.checkpoint import Checkpoint, save_checkpoint
from equilibria.sim.store.directory import RunDirectory
from equilibria.sim.store.recorder import RunRecorder
from equilibria.sim.store.verify import verify_run
from equilibria.sim.store.writer import table_hash


class FakePlan:
    """The few attributes that the store needs."""

    name, hash, source, seed = "fake", "ab" * 32, b"version: 1\n", 3
    budget, checkpoint_every, threads = 10, 5, 1
    resolved: dict[str, object] = {"name": "fake"}  # noqa: RUF012

    def build(self) -> object:
        raise NotImplementedError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    with RunDirectory.create(path, FakePlan(), unit="period") as directory:
        out = RunRecorder(path)
        for first in (0, 5):
            units = np.arange(first, first + 5)
            out.metric("gini", units, units / 10)
            out.table("agents", {"unit": units, "wealth": np.ones(5)})
            out.flush()
            save_checkpoint(path, Checkpoint(first + 5, State(), out.save(), out.drain()))
        parts = out.drain()
        out.close()
        tables = {
            name: {"rows": 10, "sha256": table_hash(entries), "parts": {p.file: p.sha256 for p in entries}}
            for name, entries in parts.items()
        }
        directory.write_summary({"tables": tables})  # type: ignore[dict-item]
        directory.write_status("complete", 10)
        directory.log("complete")
    return path


def test_a_sound_run_has_no_problems(run: Path) -> None:
    report = verify_run(run)
    assert report.problems == []
    assert report.notes == []
    assert report.files == 10  # manifest, status, summary, log, four parts, two states


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def swap(run: Path) -> None:
    first, second = layout.part_files(run / "metrics")
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped part": (lambda run: flip(layout.part_files(run / "metrics")[0]), "part-000000000004.parquet: "),
    "truncated part": (
        lambda run: layout.part_files(run / "metrics")[0].write_bytes(b"PAR1"),
        "part-000000000004.parquet: no readable Parquet",
    ),
    "missing part": (lambda run: layout.part_files(run / "metrics")[1].unlink(), "part-000000000009.parquet: missing"),
    "missing table": (lambda run: shutil.rmtree(run / "metrics"), "metrics: missing"),
    "exchanged parts": (swap, "units decrease"),
    "extra part": (
        lambda run: (run / "metrics" / layout.part_name(10)).write_bytes(
            layout.part_files(run / "metrics")[1].read_bytes()
        ),
        "does not list this part",
    ),
    "flipped state": (lambda run: flip(run / "checkpoints" / layout.state_name(10)), "damaged: SHA-256"),
    "no scenario": (lambda run: (run / layout.SCENARIO).unlink(), "scenario.yaml: missing"),
    "no summary": (lambda run: (run / layout.SUMMARY).unlink(), "missing, but the run is complete"),
    "torn summary": (lambda run: (run / layout.SUMMARY).write_text("{"), "summary.json: no valid JSON"),
    "torn status": (lambda run: (run / layout.STATUS).write_text("{"), "status.json: no valid JSON"),
    "torn manifest": (lambda run: (run / layout.MANIFEST).write_text("{"), "manifest.json: no valid JSON"),
    "strange status": (
        lambda run: (run / layout.STATUS).write_text('{"status": "happy"}'),
        "unknown status 'happy'",
    ),
}


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_damage_is_found_and_named(run: Path, kind: str) -> None:
    damage, message = DAMAGES[kind]
    damage(run)
    problems = verify_run(run).problems
    assert any(message in problem for problem in problems), problems


def test_every_flipped_bit_of_a_part_is_found(run: Path) -> None:
    part = layout.part_files(run / "metrics")[0]
    data = part.read_bytes()
    for position in np.random.default_rng(0).choice(len(data), 40, replace=False).tolist():
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        part.write_bytes(damaged)
        assert verify_run(run).problems, f"byte {position} of {len(data)}"


def test_leftovers_are_notes(run: Path) -> None:
    (run / ".status.json.tmp").touch()
    (run / "notes.txt").touch()
    with open(run / layout.LOG, "a") as file:
        file.write('{"torn')
    report = verify_run(run)
    assert report.problems == []
    assert len(report.notes) == 3
