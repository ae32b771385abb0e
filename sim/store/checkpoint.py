"""Checkpoints: ``checkpoints/<unit>.npz`` with arrays and JSON (never pickles) and ``LATEST.json``.

Order of a commit: parts, state file, ``LATEST.json`` with the state's SHA-256.  The last two states
are kept; when the newest one is damaged, the one before is used.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, PluginError
from equilibria.sim.store import layout
from equilibria.sim.store.files import (
    file_hash,
    make_folder,
    read_json,
    remove_file,
    replace_file,
    storage_errors,
    write_json,
)
from equilibria.sim.store.writer import Part
from equilibria.sim.types import JSON

KEPT: Final = 2
_META: Final = "meta"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything needed to go on from a unit.

    Attributes:
        unit: Units done.
        engine: State of the engine.
        recorder: Buffered rows and schemas.
        parts: Parts committed so far, by table.
        finished: Whether the engine had nothing left to do.
    """

    unit: int
    engine: State
    recorder: State
    parts: Mapping[str, list[Part]]
    finished: bool = False


def save_checkpoint(run: Path, checkpoint: Checkpoint) -> None:
    """Commit a checkpoint and remove all but the last two.

    Raises:
        PluginError: If the engine's state holds something else than arrays and JSON.
        StorageFailed: If it cannot be written; the checkpoint before stays in force.
    """
    folder = run / layout.CHECKPOINTS
    make_folder(folder)
    path = folder / layout.state_name(checkpoint.unit)
    arrays = _encode(checkpoint)
    replace_file(path, lambda file: _write_arrays(file, arrays))
    with storage_errors(path):
        entry: dict[str, JSON] = {"file": path.name, "unit": checkpoint.unit, "sha256": file_hash(path)}
    earlier = [e for e in _entries(folder) if e["unit"] < checkpoint.unit and (folder / e["file"]).is_file()]
    kept: list[Any] = [entry, *earlier][:KEPT]
    write_json(folder / layout.LATEST, {"format": layout.FORMAT, **entry, "states": kept})
    for file in list(folder.iterdir()):
        if layout.state_unit(file.name) is not None and file.name not in {e["file"] for e in kept}:
            remove_file(file)


def checkpoints(run: Path) -> Iterator[Checkpoint | CorruptRun]:
    """Yield the checkpoints of a run, newest first; a damaged one is yielded as its error."""
    folder = run / layout.CHECKPOINTS
    if not folder.is_dir():
        return
    hashes: dict[str, str] = {}
    try:
        hashes = {e["file"]: e["sha256"] for e in _entries(folder, strict=True)}
    except CorruptRun as error:
        yield error
    on_disk = {p.name for p in folder.iterdir() if layout.state_unit(p.name) is not None}
    for name in sorted(on_disk | set(hashes), reverse=True):
        if hashes and name not in hashes:
            continue  # written, but LATEST.json was not yet replaced: the commit did not happen
        try:
            yield load_checkpoint(folder / name, hashes.get(name))
        except CorruptRun as error:
            yield error


def load_checkpoint(path: Path, sha256: str | None) -> Checkpoint:
    """Read and check one state file.

    Raises:
        CorruptRun: If the file is missing, damaged, or does not have the recorded hash.
    """
    try:
        if sha256 is not None and (found := file_hash(path)) != sha256:
            raise CorruptRun(f"{path}: damaged: SHA-256 is {found[:12]}..., expected {sha256[:12]}...")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _decode(arrays)
    except FileNotFoundError:
        raise CorruptRun(f"{path}: missing") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise CorruptRun(f"{path}: damaged: {error}") from error


def _entries(folder: Path, *, strict: bool = False) -> list[dict[str, Any]]:
    """Return the states listed in ``LATEST.json``; empty when it is absent (or damaged, if not strict)."""
    path = folder / layout.LATEST
    if not path.exists() and not any(layout.state_unit(p.name) is not None for p in folder.iterdir()):
        return []
    try:
        states = read_json(path)["states"]
        return [{"file": str(s["file"]), "unit": int(s["unit"]), "sha256": str(s["sha256"])} for s in states]
    except (CorruptRun, KeyError, TypeError, ValueError) as error:
        if strict:
            raise CorruptRun(f"{path}: damaged or missing: {error}") from error
        return []


def _encode(checkpoint: Checkpoint) -> dict[str, np.ndarray[Any, Any]]:
    """Give arrays running names (theirs may collide with arguments of numpy) and put the rest into JSON."""
    names: list[str] = []
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for prefix, state in (("engine", checkpoint.engine), ("recorder", checkpoint.recorder)):
        for name, array in state.arrays.items():
            values = np.asarray(array)
            if values.dtype.hasobject:
                raise PluginError(f"state array {name!r} holds Python objects; a state is arrays and JSON")
            arrays[f"a{len(names)}"] = values
            names.append(f"{prefix}:{name}")
    meta = {
        "unit": checkpoint.unit,
        "finished": checkpoint.finished,
        "names": names,
        "engine": dict(checkpoint.engine.meta),
        "recorder": dict(checkpoint.recorder.meta),
        "parts": {table: [p.to_json() for p in parts] for table, parts in checkpoint.parts.items()},
    }
    try:
        text = json.dumps(meta, allow_nan=True)
    except (TypeError, ValueError) as error:
        raise PluginError(f"the state's meta values are not JSON: {error}") from error
    arrays[_META] = np.frombuffer(text.encode(), np.uint8)
    return arrays


def _decode(arrays: dict[str, np.ndarray[Any, Any]]) -> Checkpoint:
    meta = json.loads(arrays[_META].tobytes())
    states: dict[str, dict[str, np.ndarray[Any, Any]]] = {"engine": {}, "recorder": {}}
    for i, full in enumerate(meta["names"]):
        prefix, _, name = full.partition(":")
        states[prefix][name] = arrays[f"a{i}"]
    return Checkpoint(
        unit=meta["unit"],
        engine=State(states["engine"], meta["engine"]),
        recorder=State(states["recorder"], meta["recorder"]),
        parts={table: [Part(**p) for p in parts] for table, parts in meta["parts"].items()},
        finished=meta["finished"],
    )


def _write_arrays(file: IO[bytes], arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
