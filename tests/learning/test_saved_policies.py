"""Policies outlive their runs: as opponents of later runs and as safetensors files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.safetensors import read_tensors, write_tensors
from equilibria.agents.learning.saved import export_policy, import_policy, load_learner
from equilibria.agents.learning.settings import PPOSettings
from equilibria.games.vector.team_matrix import TeamMatrixWorld
from equilibria.sim.api import run
from equilibria.sim.errors import CorruptRun, EquilibriaError, InvalidValue, Unsupported
from equilibria.sim.scenario.plan import plan_from_bytes
from equilibria.sim.seeds import SeedTree

SMALL = "worlds: 64, steps: 4, hidden: 16, certificate_updates: 1, certificate_episodes: 16"
FIRST = f"""
version: 1
name: first
game: {{use: team_matrix_world}}
agents:
  - {{role: all, use: mappo, params: {{{SMALL}}}}}
metrics:
  - {{use: mean_return, every: 1}}
run: {{budget: 12, seed: 1}}
"""


def second(place: Path) -> Any:
    text = FIRST.replace("name: first", "name: second").replace("role: all, use: mappo", "role: player_0, use: ppo")
    entry = f"metrics:\n  - {{role: player_1, use: from_run, params: {{run: {place}}}}}\n"
    lines = text.replace("metrics:\n", entry).replace("metrics:\n  - {role: player_1", "  - {role: player_1", 1)
    return plan_from_bytes((lines.replace("  - {use: mean", "metrics:\n  - {use: mean")).encode(), "second.yaml")


def test_a_learned_agent_comes_back_as_a_partner_of_a_later_run(tmp_path: Path) -> None:
    run(plan_from_bytes(FIRST.encode(), "first.yaml"), tmp_path / "first")
    learner = load_learner(tmp_path / "first", TeamMatrixWorld.climbing())
    base = learner.evaluate(500, SeedTree(1)).mean()
    assert base > 3  # uniform play earns about -2.6
    done = run(second(tmp_path / "first"), tmp_path / "second")
    assert done.state == "complete"
    with pytest.raises(Unsupported, match="no learner for role 'nobody'; learners: all"):
        load_learner(tmp_path / "first", TeamMatrixWorld.climbing(), role="nobody")
    with pytest.raises(InvalidValue, match=r"tensor 'head.*' of the saved policy has shape"):
        load_learner(tmp_path / "first", TeamMatrixWorld(np.zeros((2, 2))))


def test_a_run_that_is_none_or_has_no_checkpoint_has_a_name(tmp_path: Path) -> None:
    with pytest.raises(EquilibriaError, match="missing"):
        second(tmp_path / "missing").build()
    done = run(plan_from_bytes(FIRST.replace("12", "1").encode(), "first.yaml"), tmp_path / "first")
    for file in (done.path / "checkpoints").iterdir():
        file.unlink()
    with pytest.raises(CorruptRun, match="no checkpoint"):
        load_learner(tmp_path / "first", TeamMatrixWorld.climbing())


def test_a_policy_survives_a_safetensors_file(tmp_path: Path) -> None:
    def make(seed: int, hidden: int = 16) -> Learner:
        return Learner(TeamMatrixWorld.climbing(), PPOSettings(hidden=hidden), seeds=SeedTree(seed))

    one, two = make(1), make(2)
    export_policy(one, tmp_path / "policy.safetensors")
    import_policy(two, tmp_path / "policy.safetensors")
    for a, b in zip(one.actor.parameters(), two.actor.parameters(), strict=True):
        assert a.equal(b)
    tensors, notes = read_tensors(tmp_path / "policy.safetensors")
    assert notes["game"] == "team_matrix"
    assert all(array.dtype == np.float32 for array in tensors.values())
    with pytest.raises(InvalidValue, match="of the saved policy has shape"):
        import_policy(make(1, 8), tmp_path / "policy.safetensors")


def test_the_file_layout_is_that_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"b": np.array([[1.0, 2.0]], np.float32), "a": np.array([True])}, notes={"k": "v"})
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    assert size % 8 == 0
    want = (
        b'{"__metadata__":{"k":"v"},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},'
        b'"b":{"dtype":"F32","shape":[1,2],"data_offsets":[1,9]}}'
    )
    assert raw[8 : 8 + size].rstrip() == want
    assert raw[8 + size :] == b"\x01" + struct.pack("<2f", 1.0, 2.0)


@pytest.mark.parametrize("spoil", [b"", b"\xff" * 20, b'\x02\0\0\0\0\0\0\0{"', None])
def test_a_damaged_file_has_a_name(tmp_path: Path, spoil: bytes | None) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": np.zeros(5, np.float32)})
    path.write_bytes(path.read_bytes()[:-3] if spoil is None else spoil)
    with pytest.raises(InvalidValue, match="damaged or no safetensors file"):
        read_tensors(path)
    with pytest.raises(InvalidValue, match="cannot be read"):
        read_tensors(tmp_path / "absent")
    with pytest.raises(InvalidValue, match="type complex64"):
        write_tensors(path, {"a": np.zeros(2, np.complex64)})
